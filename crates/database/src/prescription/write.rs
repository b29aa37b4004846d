//! Drafts: made for a consultation, changed until they are signed.

use chrono::TimeDelta;
use model::{
    access::Scope,
    clinical::{Consultation, ConsultationStatus, Prescription, PrescriptionContent, PrescriptionStatus},
};
use sqlx::types::Json;
use uuid::Uuid;

use super::{PrescriptionError, lock_row};
use crate::{AuditActor, AuditRecord, Database, DatabaseError, audit::insert_audit, engine::Tx};

impl Database {
    /// Makes a draft for a consultation that has begun, by its doctor.
    ///
    /// # Errors
    /// [`DatabaseError::NotFound`] when the consultation is not the doctor's; see [`PrescriptionError`].
    pub async fn create_prescription(
        &self,
        scope: &Scope,
        (doctor_id, consultation_id): (Uuid, Uuid),
        content: PrescriptionContent,
        actor: &AuditActor,
    ) -> Result<Prescription, PrescriptionError> {
        let reach = self.consultation_reach(scope, 2);
        let mut tx = self.begin().await?;
        let consultation = crate::consultation::lock_row(&mut tx, consultation_id, &reach).await?;
        if consultation.doctor_id != doctor_id {
            return Err(DatabaseError::NotFound.into());
        }
        self.is_met(&consultation, &tx)?;
        let draft = draft_of(&consultation, content, None, &tx);
        self.insert_draft(tx, draft, actor, "create_prescription").await
    }

    /// Makes a draft that takes the place of a signed prescription once it is signed itself. Whom it is for stays unless the
    /// content says so.
    ///
    /// # Errors
    /// See [`PrescriptionError`].
    pub async fn replace_prescription(
        &self,
        scope: &Scope,
        id: Uuid,
        mut content: PrescriptionContent,
        actor: &AuditActor,
    ) -> Result<Prescription, PrescriptionError> {
        let (reach, of_doctor) = (self.prescription_reach(scope, 2), self.consultation_reach(scope, 2));
        let mut tx = self.begin().await?;
        let old = lock_row(&mut tx, id, &reach).await?;
        if !scope.includes_doctor(old.doctor_id) {
            return Err(DatabaseError::NotFound.into());
        }
        if old.status != PrescriptionStatus::Finalized {
            return Err(PrescriptionError::Settled(old.status));
        }
        let consultation = crate::consultation::lock_row(&mut tx, old.consultation_id, &of_doctor).await?;
        self.is_met(&consultation, &tx)?;
        content.patient = content.patient.or(old.content.patient);
        let draft = draft_of(&consultation, content, Some(id), &tx);
        match self.insert_draft(tx, draft, actor, "replace_prescription").await {
            Err(PrescriptionError::Database(error)) if error.is_unique_violation() => {
                Err(PrescriptionError::ReplacedAlready)
            }
            other => other,
        }
    }

    /// Changes a draft that is still at `expected_version`. Whom it is for stays unless the content says so.
    ///
    /// # Errors
    /// See [`PrescriptionError`].
    pub async fn update_prescription(
        &self,
        scope: &Scope,
        id: Uuid,
        (expected_version, mut content): (i64, PrescriptionContent),
        actor: &AuditActor,
    ) -> Result<Prescription, PrescriptionError> {
        const SQL: &str =
            "UPDATE prescription SET content = $2, version = version + 1, updated_at = $3 WHERE id = $1";
        let reach = self.prescription_reach(scope, 2);
        let mut tx = self.begin().await?;
        let mut draft = lock_row(&mut tx, id, &reach).await?;
        if !scope.includes_doctor(draft.doctor_id) {
            return Err(DatabaseError::NotFound.into());
        }
        if draft.status != PrescriptionStatus::Draft {
            return Err(PrescriptionError::Settled(draft.status));
        }
        if draft.version != expected_version {
            return Err(PrescriptionError::Changed);
        }
        content.patient = content.patient.or(draft.content.patient.take());
        let now = tx.now;
        let written: Result<(), DatabaseError> = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(id)
            .bind(Json(&content))
            .bind(now)
            .execute(connection)
            .await
            .map(drop)
            .map_err(DatabaseError::from));
        written?;
        let record = AuditRecord::success(actor, "update_prescription");
        insert_audit(&mut tx, &[record.of_consultation(draft.consultation_id).about(id)]).await?;
        self.commit(tx).await?;
        draft.content = content;
        draft.version += 1;
        draft.updated_at = now;
        Ok(draft)
    }

    /// Doctor and patient have met, and not too long ago.
    pub(super) fn is_met(&self, consultation: &Consultation, tx: &Tx) -> Result<(), PrescriptionError> {
        let days = TimeDelta::days(i64::from(self.access().closed_consultation_days));
        let met = match consultation.status {
            ConsultationStatus::InProgress => true,
            ConsultationStatus::Completed => consultation.closed_at.is_some_and(|at| at + days > tx.now),
            _ => false,
        };
        // An erased patient has no Patient ID.
        if met && !consultation.patient_id.is_empty() {
            Ok(())
        } else {
            Err(PrescriptionError::NotMet(consultation.status))
        }
    }

    async fn insert_draft(
        &self,
        mut tx: Tx,
        draft: Prescription,
        actor: &AuditActor,
        action: &str,
    ) -> Result<Prescription, PrescriptionError> {
        const SQL: &str = "INSERT INTO prescription (id, consultation_id, doctor_id, patient_id, \
            issuer_of_patient_id, status, version, supersedes, content, remark, created_by, created_at, updated_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', $10, $11, $11)";
        let inserted: Result<(), DatabaseError> = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(draft.id)
            .bind(draft.consultation_id)
            .bind(draft.doctor_id)
            .bind(&draft.patient_id)
            .bind(&draft.issuer_of_patient_id)
            .bind(draft.status.as_str())
            .bind(draft.version)
            .bind(draft.supersedes)
            .bind(Json(&draft.content))
            .bind(actor.user_id)
            .bind(draft.created_at)
            .execute(connection)
            .await
            .map(drop)
            .map_err(DatabaseError::from));
        inserted?;
        let record = AuditRecord::success(actor, action);
        insert_audit(&mut tx, &[record.of_consultation(draft.consultation_id).about(draft.id)]).await?;
        self.commit(tx).await?;
        Ok(draft)
    }
}

fn draft_of(
    consultation: &Consultation,
    content: PrescriptionContent,
    supersedes: Option<Uuid>,
    tx: &Tx,
) -> Prescription {
    Prescription {
        id: Uuid::now_v7(),
        consultation_id: consultation.id,
        doctor_id: consultation.doctor_id,
        patient_id: consultation.patient_id.clone(),
        issuer_of_patient_id: consultation.issuer_of_patient_id.clone(),
        status: PrescriptionStatus::Draft,
        version: 1,
        supersedes,
        content,
        signed: None,
        cancelled_at: None,
        remark: String::new(),
        created_at: tx.now,
        updated_at: tx.now,
    }
}
