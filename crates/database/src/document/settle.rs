//! Signing a draft, and taking a document back.

use model::{
    access::Scope,
    clinical::{ClinicalDocument, DocumentContent, DocumentSignature, DocumentStatus},
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{DocumentError, WriterScope, lock_own, lock_own_draft, record, studies::check_studies};
use crate::{
    AuditActor, Database, DatabaseError, audit::insert_audit, consultation::takes_consultations, engine::Tx,
    outbox::insert_events, text::clean,
};

impl Database {
    /// Keeps the signature of a draft that is still at `expected_version`: it does not change any more. The one that it
    /// replaces is superseded in the same step.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub async fn finalize_document<C: DocumentContent>(
        &self,
        scope: WriterScope<'_>,
        id: Uuid,
        (expected_version, signed): (i64, DocumentSignature),
        actor: &AuditActor,
    ) -> Result<ClinicalDocument<C>, DocumentError> {
        let reach = self.writer_reach::<C>(scope).await?;
        let mut tx = self.begin().await?;
        let mut document: ClinicalDocument<C> =
            lock_own_draft(&mut tx, id, (scope.documents, &reach.documents), expected_version).await?;
        // A draft may lie long, and its consultation may have been cancelled since.
        let consultation =
            crate::consultation::lock_row(&mut tx, document.consultation_id, &reach.consultations).await?;
        self.is_met(&consultation, &tx)?;
        if !takes_consultations(&mut tx, document.doctor_id).await? {
            return Err(DocumentError::DoctorInactive);
        }
        check_studies(&mut tx, &document.content, &consultation, &reach.studies).await?;
        keep_signature(&mut tx, C::NOUN, id, &signed).await?;
        if let Some(old) = document.supersedes {
            supersede(&mut tx, C::NOUN, old).await?;
        }
        insert_events(&mut tx, &[C::finalized(&document)]).await?;
        insert_audit(&mut tx, &[record(actor, "finalize", &document)]).await?;
        let now = tx.now;
        self.commit(tx).await?;
        document.status = DocumentStatus::Finalized;
        document.signed = Some(signed);
        document.version += 1;
        document.updated_at = now;
        Ok(document)
    }

    /// Takes a draft or a signed document back.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub async fn cancel_document<C: DocumentContent>(
        &self,
        scope: &Scope,
        id: Uuid,
        remark: &str,
        actor: &AuditActor,
    ) -> Result<ClinicalDocument<C>, DocumentError> {
        let reach = self.document_reach(scope, C::NOUN, 2);
        let mut tx = self.begin().await?;
        let mut document: ClinicalDocument<C> = lock_own(&mut tx, id, (scope, &reach)).await?;
        if !matches!(document.status, DocumentStatus::Draft | DocumentStatus::Finalized) {
            return Err(DocumentError::Settled(document.status));
        }
        let (now, remark) = (tx.now, clean(remark));
        let sql = AssertSqlSafe(format!(
            "UPDATE {} SET status = 'cancelled', cancelled_at = $2, remark = $3, version = version + 1, \
             updated_at = $2 WHERE id = $1",
            C::NOUN
        ));
        let done: Result<(), DatabaseError> = on_tx!(tx, connection => sqlx::query(sql)
            .bind(id)
            .bind(now)
            .bind(&remark)
            .execute(connection)
            .await
            .map(drop)
            .map_err(DatabaseError::from));
        done?;
        if document.status == DocumentStatus::Finalized {
            insert_events(&mut tx, &[C::cancelled(&document)]).await?;
        }
        insert_audit(&mut tx, &[record(actor, "cancel", &document)]).await?;
        self.commit(tx).await?;
        document.status = DocumentStatus::Cancelled;
        document.cancelled_at = Some(now);
        document.remark = remark;
        document.version += 1;
        document.updated_at = now;
        Ok(document)
    }
}

async fn keep_signature(
    tx: &mut Tx,
    table: &str,
    id: Uuid,
    signed: &DocumentSignature,
) -> Result<(), DatabaseError> {
    let sql = AssertSqlSafe(format!(
        "UPDATE {table} SET status = 'finalized', jws = $2, content_sha256 = $3, key_id = $4, finalized_at = $5, \
         version = version + 1, updated_at = $6 WHERE id = $1"
    ));
    let now = tx.now;
    on_tx!(tx, connection => sqlx::query(sql)
        .bind(id)
        .bind(&signed.jws)
        .bind(&signed.content_sha256[..])
        .bind(&signed.key_id)
        .bind(signed.finalized_at)
        .bind(now)
        .execute(connection)
        .await
        .map(drop)?);
    Ok(())
}

/// One that was taken back meanwhile has no place to take.
async fn supersede(tx: &mut Tx, table: &str, old: Uuid) -> Result<(), DocumentError> {
    let sql = AssertSqlSafe(format!(
        "UPDATE {table} SET status = 'superseded', version = version + 1, updated_at = $2 \
         WHERE id = $1 AND status = 'finalized'"
    ));
    let now = tx.now;
    let done: Result<u64, DatabaseError> = on_tx!(tx, connection => sqlx::query(sql)
        .bind(old)
        .bind(now)
        .execute(connection)
        .await
        .map(|done| done.rows_affected())
        .map_err(DatabaseError::from));
    if done? == 0 { Err(DocumentError::ReplacedGone) } else { Ok(()) }
}
