//! Who did what with a consultation.

use chrono::{DateTime, Utc};
use model::{
    access::Scope,
    clinical::{Consultation, ConsultationStatus},
};
use uuid::Uuid;

use super::StatusText;
use crate::{AuditActor, Database, DatabaseError, batch::Batch, text::clean};

/// One step in the life of a consultation.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ConsultationChange {
    /// The version that it led to.
    pub version: i64,
    /// What was done: `book`, `propose`, `edit`, or a command.
    pub command: String,
    /// Where it stood then.
    #[sqlx(try_from = "StatusText")]
    pub status: ConsultationStatus,
    /// Its doctor then.
    pub doctor_id: Uuid,
    /// Its start then.
    pub scheduled_at: DateTime<Utc>,
    /// Its end then.
    pub ends_at: Option<DateTime<Utc>>,
    /// In the words of who did it.
    pub remark: String,
    /// The account; `None` for the operator.
    pub user_id: Option<Uuid>,
    /// As what the account acted.
    pub role: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Notes what led to a consultation as it is now, in the transaction that does it.
pub(super) fn note_change(
    batch: &mut Batch,
    consultation: &Consultation,
    (command, remark): (&str, &str),
    actor: &AuditActor,
) {
    const SQL: &str = "INSERT INTO consultation_history (consultation_id, version, command, status, doctor_id, \
        scheduled_at, ends_at, remark, user_id, role, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let binds = [
        consultation.id.into(),
        consultation.version.into(),
        command.into(),
        consultation.status.as_str().into(),
        consultation.doctor_id.into(),
        consultation.scheduled_at.into(),
        consultation.ends_at.into(),
        clean(remark).into(),
        actor.user_id.into(),
        actor.role.as_str().into(),
        consultation.updated_at.into(),
    ];
    batch.push(SQL, binds);
}

impl Database {
    /// What was done with a consultation, in order; `None` when it is not in reach.
    pub async fn consultation_history(
        &self,
        scope: &Scope,
        id: Uuid,
    ) -> Result<Option<Vec<ConsultationChange>>, DatabaseError> {
        const SQL: &str = "SELECT version, command, status, doctor_id, scheduled_at, ends_at, remark, user_id, \
            role, at FROM consultation_history WHERE consultation_id = $1 ORDER BY version";
        if self.consultation(scope, id).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(on!(self, engine => sqlx::query_as(SQL).bind(id).fetch_all(&engine.read).await?)))
    }
}
