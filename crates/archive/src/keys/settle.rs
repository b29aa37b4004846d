//! At the start: what was destroyed stays destroyed, whichever of database and object store was put back from an old
//! copy.

use std::collections::HashSet;

use database::{AuditActor, Erasure};
use object_storage::Destruction;
use uuid::Uuid;

use crate::{Archive, StoreError};

/// Keys compared at a time.
const PAGE: usize = 1000;

impl Archive {
    /// Destroys the keys of erasures that a crash cut off, and keys that an old copy of the object store brought back, and
    /// erases patients again that an old copy of the database brought back. Objects are left to the worker: no start waits until all
    /// that a change of keys replaced is removed.
    ///
    /// # Errors
    /// Failures of the database or the object store.
    pub async fn settle_keys(&self) -> Result<(), StoreError> {
        self.destroy_dropped_keys().await?;
        let (present, marked) = self.storage().keys().list().await?;
        let (ledger, _) = self.database().destroyed_keys_since(chrono::DateTime::UNIX_EPOCH).await?;
        for key in ledger.iter().filter(|key| present.contains(key)) {
            let why = if self.database().is_key_erased(*key).await? {
                Destruction::Erased
            } else {
                Destruction::Rotated
            };
            tracing::warn!(key_id = %key, "an old copy of the keys brought a destroyed key back; it is destroyed again");
            self.storage().keys().destroy(*key, why).await?;
        }
        let known: HashSet<Uuid> = ledger.into_iter().collect();
        let news: Vec<Uuid> = marked.into_iter().filter(|key| !known.contains(key)).collect();
        for page in news.chunks(PAGE) {
            self.erase_again(page).await?;
        }
        Ok(())
    }

    /// The store says that these keys were destroyed, and the database does not know of it.
    async fn erase_again(&self, keys: &[Uuid]) -> Result<(), StoreError> {
        let mut done = HashSet::new();
        for (key, patient) in self.database().patients_of_keys(keys).await? {
            match self.storage().keys().destruction(key).await? {
                Some(Destruction::Erased) if done.insert(patient) => {
                    tracing::warn!(%patient, "an old copy of the database brought an erased patient back");
                    let actor = AuditActor { role: "archive".to_owned(), ..AuditActor::default() };
                    let reason = "erased before; an old copy of the database brought the patient back";
                    self.erase_patient(patient, Erasure { reason, any_name: false }, &actor).await?;
                }
                Some(Destruction::Rotated) => tracing::error!(
                    %patient,
                    "the database is an old copy: objects of this patient were sealed anew since; run maxray reindex"
                ),
                Some(Destruction::Erased) | None => {}
            }
        }
        Ok(())
    }
}
