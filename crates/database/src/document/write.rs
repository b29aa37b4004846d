//! Drafts: made for a consultation, changed until they are signed.

use chrono::TimeDelta;
use model::clinical::{ClinicalDocument, Consultation, ConsultationStatus, DocumentContent, DocumentStatus};
use sqlx::{AssertSqlSafe, types::Json};
use uuid::Uuid;

use super::{DocumentError, WriterScope, lock_own, lock_own_draft, record, studies::check_studies};
use crate::{AuditActor, Database, DatabaseError, audit::insert_audit, engine::Tx};

impl Database {
    /// Makes a draft for a consultation that has begun, by its doctor.
    ///
    /// # Errors
    /// [`DatabaseError::NotFound`] when the consultation is not the doctor's; see [`DocumentError`].
    pub async fn create_document<C: DocumentContent>(
        &self,
        scope: WriterScope<'_>,
        (doctor_id, consultation_id): (Uuid, Uuid),
        content: C,
        actor: &AuditActor,
    ) -> Result<ClinicalDocument<C>, DocumentError> {
        let reach = self.writer_reach::<C>(scope).await?;
        let mut tx = self.begin().await?;
        let consultation =
            crate::consultation::lock_row(&mut tx, consultation_id, &reach.consultations).await?;
        if consultation.doctor_id != doctor_id {
            return Err(DatabaseError::NotFound.into());
        }
        self.is_met(&consultation, &tx)?;
        check_studies(&mut tx, &content, &consultation, &reach.studies).await?;
        let draft = draft_of(&consultation, content, None, &tx);
        self.insert_draft(tx, draft, actor, "create").await
    }

    /// Makes a draft that takes the place of a signed document once it is signed itself. Whom it is for stays unless the
    /// content says so.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub async fn replace_document<C: DocumentContent>(
        &self,
        scope: WriterScope<'_>,
        id: Uuid,
        mut content: C,
        actor: &AuditActor,
    ) -> Result<ClinicalDocument<C>, DocumentError> {
        let reach = self.writer_reach::<C>(scope).await?;
        let mut tx = self.begin().await?;
        let mut old: ClinicalDocument<C> = lock_own(&mut tx, id, (scope.documents, &reach.documents)).await?;
        if old.status != DocumentStatus::Finalized {
            return Err(DocumentError::Settled(old.status));
        }
        let consultation =
            crate::consultation::lock_row(&mut tx, old.consultation_id, &reach.consultations).await?;
        self.is_met(&consultation, &tx)?;
        check_studies(&mut tx, &content, &consultation, &reach.studies).await?;
        keep_patient(&mut content, &mut old.content);
        let draft = draft_of(&consultation, content, Some(id), &tx);
        match self.insert_draft(tx, draft, actor, "replace").await {
            Err(DocumentError::Database(error)) if error.is_unique_violation() => {
                Err(DocumentError::ReplacedAlready)
            }
            other => other,
        }
    }

    /// Changes a draft that is still at `expected_version`. Whom it is for stays unless the content says so.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub async fn update_document<C: DocumentContent>(
        &self,
        scope: WriterScope<'_>,
        id: Uuid,
        (expected_version, mut content): (i64, C),
        actor: &AuditActor,
    ) -> Result<ClinicalDocument<C>, DocumentError> {
        let reach = self.writer_reach::<C>(scope).await?;
        let mut tx = self.begin().await?;
        let mut draft: ClinicalDocument<C> =
            lock_own_draft(&mut tx, id, (scope.documents, &reach.documents), expected_version).await?;
        if !content.study_instance_uids().is_empty() {
            let consultation =
                crate::consultation::lock_row(&mut tx, draft.consultation_id, &reach.consultations).await?;
            check_studies(&mut tx, &content, &consultation, &reach.studies).await?;
        }
        keep_patient(&mut content, &mut draft.content);
        let now = tx.now;
        let sql = AssertSqlSafe(format!(
            "UPDATE {} SET content = $2, version = version + 1, updated_at = $3 WHERE id = $1",
            C::NOUN
        ));
        let written: Result<(), DatabaseError> = on_tx!(tx, connection => sqlx::query(sql)
            .bind(id)
            .bind(Json(&content))
            .bind(now)
            .execute(connection)
            .await
            .map(drop)
            .map_err(DatabaseError::from));
        written?;
        insert_audit(&mut tx, &[record(actor, "update", &draft)]).await?;
        self.commit(tx).await?;
        draft.content = content;
        draft.version += 1;
        draft.updated_at = now;
        Ok(draft)
    }

    /// Doctor and patient have met, and not too long ago.
    pub(super) fn is_met(&self, consultation: &Consultation, tx: &Tx) -> Result<(), DocumentError> {
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
            Err(DocumentError::NotMet(consultation.status))
        }
    }

    async fn insert_draft<C: DocumentContent>(
        &self,
        mut tx: Tx,
        draft: ClinicalDocument<C>,
        actor: &AuditActor,
        verb: &str,
    ) -> Result<ClinicalDocument<C>, DocumentError> {
        let sql = AssertSqlSafe(format!(
            "INSERT INTO {} (id, consultation_id, doctor_id, patient_id, issuer_of_patient_id, status, version, \
             supersedes, content, remark, created_by, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', $10, $11, $11)",
            C::NOUN
        ));
        let inserted: Result<(), DatabaseError> = on_tx!(tx, connection => sqlx::query(sql)
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
        insert_audit(&mut tx, &[record(actor, verb, &draft)]).await?;
        self.commit(tx).await?;
        Ok(draft)
    }
}

fn keep_patient<C: DocumentContent>(content: &mut C, old: &mut C) {
    let patient = content.patient_mut();
    *patient = patient.take().or_else(|| old.patient_mut().take());
}

fn draft_of<C>(
    consultation: &Consultation,
    content: C,
    supersedes: Option<Uuid>,
    tx: &Tx,
) -> ClinicalDocument<C> {
    ClinicalDocument {
        id: Uuid::now_v7(),
        consultation_id: consultation.id,
        doctor_id: consultation.doctor_id,
        patient_id: consultation.patient_id.clone(),
        issuer_of_patient_id: consultation.issuer_of_patient_id.clone(),
        status: DocumentStatus::Draft,
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
