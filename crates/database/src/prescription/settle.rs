//! Signing a draft, and taking a prescription back.

use model::{
    access::Scope,
    clinical::{Prescription, PrescriptionStatus, SignedPrescription},
    event::Event,
};
use uuid::Uuid;

use super::{PrescriptionError, lock_row};
use crate::{
    AuditActor, AuditRecord, Database, DatabaseError, audit::insert_audit, engine::Tx, outbox::insert_events,
    text::clean,
};

impl Database {
    /// Keeps the signature of a draft that is still at `expected_version`: it does not change any more. The one that it
    /// replaces is superseded in the same step.
    ///
    /// # Errors
    /// See [`PrescriptionError`].
    pub async fn finalize_prescription(
        &self,
        scope: &Scope,
        id: Uuid,
        (expected_version, signed): (i64, SignedPrescription),
        actor: &AuditActor,
    ) -> Result<Prescription, PrescriptionError> {
        let (reach, of_doctor) = (self.prescription_reach(scope, 2), self.consultation_reach(scope, 2));
        let mut tx = self.begin().await?;
        let mut prescription = lock_row(&mut tx, id, &reach).await?;
        if !scope.includes_doctor(prescription.doctor_id) {
            return Err(DatabaseError::NotFound.into());
        }
        if prescription.status != PrescriptionStatus::Draft {
            return Err(PrescriptionError::Settled(prescription.status));
        }
        if prescription.version != expected_version {
            return Err(PrescriptionError::Changed);
        }
        // A draft may lie long, and its consultation may have been cancelled since.
        let consultation =
            crate::consultation::lock_row(&mut tx, prescription.consultation_id, &of_doctor).await?;
        self.is_met(&consultation, &tx)?;
        keep_signature(&mut tx, id, &signed).await?;
        if let Some(old) = prescription.supersedes {
            supersede(&mut tx, old).await?;
        }
        let event = Event::PrescriptionFinalized {
            prescription_id: id,
            consultation_id: prescription.consultation_id,
            doctor_id: prescription.doctor_id,
        };
        insert_events(&mut tx, &[event]).await?;
        let record = AuditRecord::success(actor, "finalize_prescription");
        insert_audit(&mut tx, &[record.of_consultation(prescription.consultation_id).about(id)]).await?;
        let now = tx.now;
        self.commit(tx).await?;
        prescription.status = PrescriptionStatus::Finalized;
        prescription.signed = Some(signed);
        prescription.version += 1;
        prescription.updated_at = now;
        Ok(prescription)
    }

    /// Takes a draft or a signed prescription back.
    ///
    /// # Errors
    /// See [`PrescriptionError`].
    pub async fn cancel_prescription(
        &self,
        scope: &Scope,
        id: Uuid,
        remark: &str,
        actor: &AuditActor,
    ) -> Result<Prescription, PrescriptionError> {
        const SQL: &str = "UPDATE prescription SET status = 'cancelled', cancelled_at = $2, remark = $3, \
            version = version + 1, updated_at = $2 WHERE id = $1";
        let reach = self.prescription_reach(scope, 2);
        let mut tx = self.begin().await?;
        let mut prescription = lock_row(&mut tx, id, &reach).await?;
        if !scope.includes_doctor(prescription.doctor_id) {
            return Err(DatabaseError::NotFound.into());
        }
        if !matches!(prescription.status, PrescriptionStatus::Draft | PrescriptionStatus::Finalized) {
            return Err(PrescriptionError::Settled(prescription.status));
        }
        let (now, remark) = (tx.now, clean(remark));
        let done: Result<(), DatabaseError> = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(id)
            .bind(now)
            .bind(&remark)
            .execute(connection)
            .await
            .map(drop)
            .map_err(DatabaseError::from));
        done?;
        let event = Event::PrescriptionCancelled {
            prescription_id: id,
            consultation_id: prescription.consultation_id,
            doctor_id: prescription.doctor_id,
        };
        if prescription.status == PrescriptionStatus::Finalized {
            insert_events(&mut tx, &[event]).await?;
        }
        let record = AuditRecord::success(actor, "cancel_prescription");
        insert_audit(&mut tx, &[record.of_consultation(prescription.consultation_id).about(id)]).await?;
        self.commit(tx).await?;
        prescription.status = PrescriptionStatus::Cancelled;
        prescription.cancelled_at = Some(now);
        prescription.remark = remark;
        prescription.version += 1;
        prescription.updated_at = now;
        Ok(prescription)
    }
}

async fn keep_signature(tx: &mut Tx, id: Uuid, signed: &SignedPrescription) -> Result<(), DatabaseError> {
    const SQL: &str = "UPDATE prescription SET status = 'finalized', jws = $2, content_sha256 = $3, key_id = $4, \
        finalized_at = $5, version = version + 1, updated_at = $6 WHERE id = $1";
    let now = tx.now;
    on_tx!(tx, connection => sqlx::query(SQL)
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
async fn supersede(tx: &mut Tx, old: Uuid) -> Result<(), PrescriptionError> {
    const SQL: &str = "UPDATE prescription SET status = 'superseded', version = version + 1, updated_at = $2 \
        WHERE id = $1 AND status = 'finalized'";
    let now = tx.now;
    let done: Result<u64, DatabaseError> = on_tx!(tx, connection => sqlx::query(SQL)
        .bind(old)
        .bind(now)
        .execute(connection)
        .await
        .map(|done| done.rows_affected())
        .map_err(DatabaseError::from));
    if done? == 0 { Err(PrescriptionError::ReplacedGone) } else { Ok(()) }
}
