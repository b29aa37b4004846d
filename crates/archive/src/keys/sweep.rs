//! What was dropped is removed: objects first noted, then removed, then forgotten; keys likewise.

use fail_point::Point;
use object_storage::Destruction;
use uuid::Uuid;

use crate::{Archive, StoreError};

/// Objects removed between two looks at the list.
const PAGE: u32 = 256;

impl Archive {
    /// Lets go of what was deleted longer ago than its grace period, destroys the keys and removes the objects that are
    /// due and that no row names; gives how many objects it removed. Doing it again, or in two places at once, is harmless.
    ///
    /// # Errors
    /// Failures of the database or the object store; what is left is due the next time.
    pub async fn sweep_dropped(&self) -> Result<u64, StoreError> {
        // Keys first: what they opened is gone with them, however long the objects take.
        self.destroy_dropped_keys().await?;
        let mut removed = 0;
        loop {
            let objects = self.database().dropped_objects(PAGE).await?;
            if objects.is_empty() {
                return Ok(removed);
            }
            for object in &objects {
                self.remove_dropped_object(*object).await?;
            }
            removed += objects.len() as u64;
            self.database().forget_dropped_objects(&objects).await?;
        }
    }

    /// The same without the objects, of which there may be very many.
    pub(super) async fn destroy_dropped_keys(&self) -> Result<(), StoreError> {
        self.database().purge_deleted().await?;
        for key in self.database().dropped_keys().await? {
            self.destroy_dropped_key(key).await?;
        }
        Ok(())
    }

    async fn destroy_dropped_key(&self, key: Uuid) -> Result<(), StoreError> {
        self.forget_key(key);
        let erased = self.database().is_key_erased(key).await?;
        // On PostgreSQL an instance may have been committed beside the transaction that retired its key.
        if !erased && self.database().is_key_in_use(key).await? {
            tracing::error!(key_id = %key, "a key that was to be destroyed still seals an instance: rotate the patient's key again");
            return Ok(());
        }
        let why = if erased { Destruction::Erased } else { Destruction::Rotated };
        self.storage().keys().destroy(key, why).await?;
        fail_point::pass(Point::K39KeyDestroyed);
        self.database().record_destroyed_key(key).await?;
        metrics::counter!("maxray_patient_keys_destroyed_total").increment(1);
        Ok(())
    }

    async fn remove_dropped_object(&self, object: Uuid) -> Result<(), StoreError> {
        self.storage().delete(object.into()).await?;
        fail_point::pass(Point::K35ObjectRemoved);
        Ok(())
    }

    /// A key is not used by this process any more.
    pub fn forget_key(&self, key: Uuid) {
        self.storage().keys().forget(key);
        self.0.study_keys.forget_key(key);
    }
}
