//! `maxray erase`: a patient is gone, at once for everybody and for good.

use database::{AuditActor, Erased, Erasure};
use fail_point::Point;
use uuid::Uuid;

use crate::{Archive, StoreError};

impl Archive {
    /// Erases a patient: the rows in one transaction, then the keys (copies of the objects are unreadable from then
    /// on), then the objects. When it is cut off after the transaction the rest is done by the next sweep.
    ///
    /// # Errors
    /// No such patient, a legal hold, and failures of the database or the object store.
    pub async fn erase_patient(
        &self,
        patient: Uuid,
        erasure: Erasure<'_>,
        actor: &AuditActor,
    ) -> Result<Erased, StoreError> {
        let erased = self.database().erase_patient(patient, erasure, actor).await?;
        fail_point::pass(Point::K34RowsErased);
        self.sweep_dropped().await?;
        tracing::info!(%patient, keys = erased.keys.len(), objects = erased.objects.len(), "a patient was erased");
        Ok(erased)
    }
}
