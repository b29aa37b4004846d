//! Legal holds: while a patient has one, nothing of the patient is erased.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{AuditActor, AuditRecord, Database, DatabaseError, audit::insert_audit, text::clean};

/// A legal hold.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct LegalHold {
    /// Its name.
    pub id: Uuid,
    /// The patient record.
    pub patient: Uuid,
    /// Patient ID (0010,0020).
    pub patient_id: String,
    /// Why, as the operator said it.
    pub reason: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

impl Database {
    /// Keeps a patient from being erased.
    ///
    /// # Errors
    /// [`DatabaseError::NotFound`] when there is no such patient.
    pub async fn add_legal_hold(
        &self,
        patient: Uuid,
        reason: &str,
        actor: &AuditActor,
    ) -> Result<Uuid, DatabaseError> {
        const SQL: &str = "INSERT INTO legal_hold (id, patient, reason, created_at) VALUES ($1, $2, $3, $4)";
        let id = Uuid::now_v7();
        let mut tx = self.begin().await?;
        let now = tx.now;
        let added: Result<(), DatabaseError> = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(id)
            .bind(patient)
            .bind(clean(reason))
            .bind(now)
            .execute(connection)
            .await
            .map(drop)
            .map_err(DatabaseError::from));
        match added {
            Err(error) if error.is_foreign_key_violation() => return Err(DatabaseError::NotFound),
            other => other?,
        }
        insert_audit(&mut tx, &[AuditRecord::success(actor, "add_legal_hold").about(patient)]).await?;
        self.commit(tx).await?;
        Ok(id)
    }

    /// Every legal hold, oldest first.
    pub async fn legal_holds(&self) -> Result<Vec<LegalHold>, DatabaseError> {
        const SQL: &str = "SELECT legal_hold.id, legal_hold.patient, patient.patient_id, legal_hold.reason, \
            legal_hold.created_at FROM legal_hold JOIN patient ON patient.id = legal_hold.patient \
            ORDER BY legal_hold.id";
        Ok(on!(self, engine => sqlx::query_as(SQL).fetch_all(&engine.read).await?))
    }

    /// Takes a legal hold back; false when there is none.
    pub async fn remove_legal_hold(&self, id: Uuid, actor: &AuditActor) -> Result<bool, DatabaseError> {
        const SQL: &str = "DELETE FROM legal_hold WHERE id = $1 RETURNING patient";
        let mut tx = self.begin().await?;
        let patient: Option<Uuid> =
            on_tx!(tx, connection => sqlx::query_scalar(SQL).bind(id).fetch_optional(connection).await?);
        let Some(patient) = patient else { return Ok(false) };
        insert_audit(&mut tx, &[AuditRecord::success(actor, "remove_legal_hold").about(patient)]).await?;
        self.commit(tx).await?;
        Ok(true)
    }
}
