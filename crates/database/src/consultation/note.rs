//! What the doctor wrote about a consultation: every version is kept, and amendments of a completed one stand beside.

use chrono::{DateTime, Utc};
use model::access::{Extent, Scope};
use uuid::Uuid;

use super::change::{ChangeError, lock_row};
use crate::{AuditActor, AuditRecord, Database, DatabaseError, audit::insert_audit, engine::Tx, text::clean};

/// A text to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNote {
    /// What was found and said.
    pub note: String,
    /// Diagnosis.
    pub diagnosis: String,
    /// Whether it is added to a consultation that is over.
    pub amendment: bool,
    /// The version that it follows; 0 for none.
    pub expected_version: i64,
}

/// A version of the notes, or an amendment.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ConsultationNote {
    /// Grows with each.
    pub version: i64,
    /// Whether it was added after the consultation was over.
    pub amendment: bool,
    /// What was found and said.
    pub note: String,
    /// Diagnosis.
    pub diagnosis: String,
    /// Who wrote it.
    pub written_by: Option<Uuid>,
    /// As what.
    pub role: String,
    /// When.
    pub written_at: DateTime<Utc>,
}

impl Database {
    /// All versions of the notes and all amendments, in order; `None` when the consultation is not in reach. Whoever
    /// made it without being its doctor reads them while it is not over.
    pub async fn consultation_notes(
        &self,
        scope: &Scope,
        id: Uuid,
    ) -> Result<Option<Vec<ConsultationNote>>, DatabaseError> {
        const SQL: &str = "SELECT version, amendment, note, diagnosis, written_by, role, written_at \
            FROM consultation_note WHERE consultation_id = $1 ORDER BY version";
        match self.consultation(scope, id).await? {
            Some(found) if !(found.status.is_over() && is_a_case(scope)) => {}
            _ => return Ok(None),
        }
        Ok(Some(on!(self, engine => sqlx::query_as(SQL).bind(id).fetch_all(&engine.read).await?)))
    }

    /// Writes the next version of the notes of a consultation that is not over, or amends a completed one.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn write_note(
        &self,
        scope: &Scope,
        id: Uuid,
        new: NewNote,
        actor: &AuditActor,
    ) -> Result<ConsultationNote, ChangeError> {
        const LAST: &str = "SELECT MAX(version) FROM consultation_note WHERE consultation_id = $1";
        let reach = self.consultation_reach(scope, 2);
        let mut tx = self.begin().await?;
        let consultation = lock_row(&mut tx, id, &reach).await?;
        if consultation.status.is_over() && is_a_case(scope) {
            return Err(DatabaseError::NotFound.into());
        }
        if new.amendment != consultation.status.is_over() {
            return Err(ChangeError::Illegal(consultation.status));
        }
        let last: Option<i64> = on_tx!(tx, connection => sqlx::query_scalar(LAST)
            .bind(id)
            .fetch_one(connection)
            .await
            .map_err(DatabaseError::from)?);
        if last.unwrap_or(0) != new.expected_version {
            return Err(ChangeError::Changed);
        }
        let note = ConsultationNote {
            version: new.expected_version + 1,
            amendment: new.amendment,
            note: clean(&new.note),
            diagnosis: clean(&new.diagnosis),
            written_by: actor.user_id,
            role: actor.role.clone(),
            written_at: tx.now,
        };
        insert(&mut tx, id, &note).await?;
        let action = if new.amendment { "amend_consultation" } else { "write_note" };
        let record = AuditRecord::success(actor, action).of_consultation(id).about(id);
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await?;
        Ok(note)
    }
}

fn is_a_case(scope: &Scope) -> bool {
    matches!(scope.extent(), Extent::Cases { .. })
}

async fn insert(tx: &mut Tx, consultation_id: Uuid, note: &ConsultationNote) -> Result<(), DatabaseError> {
    const SQL: &str = "INSERT INTO consultation_note (consultation_id, version, amendment, note, diagnosis, \
        written_by, role, written_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    on_tx!(tx, connection => sqlx::query(SQL)
        .bind(consultation_id)
        .bind(note.version)
        .bind(note.amendment)
        .bind(&note.note)
        .bind(&note.diagnosis)
        .bind(note.written_by)
        .bind(&note.role)
        .bind(note.written_at)
        .execute(connection)
        .await
        .map(drop)?);
    Ok(())
}
