//! Who did what with a consultation.

use chrono::{DateTime, Utc};
use model::{
    access::Scope,
    clinical::{Consultation, ConsultationStatus},
};
use uuid::Uuid;

use super::StatusText;
use crate::{AuditActor, Database, DatabaseError, engine::Tx, text::clean};

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

/// Notes what was done, in the transaction that does it.
pub(super) async fn note_change(
    tx: &mut Tx,
    consultation: &Consultation,
    command: &str,
    remark: &str,
    actor: &AuditActor,
) -> Result<(), DatabaseError> {
    const SQL: &str = "INSERT INTO consultation_history (consultation_id, version, command, status, doctor_id, \
        scheduled_at, ends_at, remark, user_id, role, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let now = tx.now;
    on_tx!(tx, connection => sqlx::query(SQL)
        .bind(consultation.id)
        .bind(consultation.version)
        .bind(command)
        .bind(consultation.status.as_str())
        .bind(consultation.doctor_id)
        .bind(consultation.scheduled_at)
        .bind(consultation.ends_at)
        .bind(clean(remark))
        .bind(actor.user_id)
        .bind(&actor.role)
        .bind(now)
        .execute(connection)
        .await
        .map(drop)?);
    Ok(())
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
