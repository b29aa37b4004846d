//! Deleting with a way back: what is deleted leaves the index at once and the object store after a grace period.

use chrono::TimeDelta;
use database::{AuditActor, Deletion, DeletionRules, DeletionTarget, StoreOutcome};
use object_storage::ObjectKey;
use uuid::Uuid;

use crate::{Archive, ReindexError, StorageError};

/// What became of a restoration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// Instances that are there again.
    pub stored: u64,
    /// Instances that had come again in the meantime.
    pub duplicates: u64,
    /// Instances in whose place another content had come: hidden beside it.
    pub conflicts: u64,
    /// Links of studies to consultations that are there again.
    pub links: u64,
}

impl Archive {
    /// Deletes a study, a series or an instance, or notes that the account wants it when `archive.delete_two_person`
    /// asks for another one.
    ///
    /// # Errors
    /// Nothing of the kind, a legal hold, and failures of the database.
    pub async fn delete(
        &self,
        target: &DeletionTarget,
        user_id: Uuid,
        actor: &AuditActor,
    ) -> Result<Deletion, database::DatabaseError> {
        let grace = i64::try_from(self.config().delete_grace_ms).unwrap_or(i64::MAX);
        let grace = TimeDelta::try_milliseconds(grace).unwrap_or(TimeDelta::MAX);
        let preview_grace = TimeDelta::from_std(self.storage().keys().rotation_grace());
        let rules = DeletionRules {
            two_person: self.config().delete_two_person,
            grace,
            preview_grace: preview_grace.unwrap_or(TimeDelta::hours(1)),
        };
        let deletion = self.database().delete_instances(target, rules, user_id, actor).await?;
        if deletion.deleted_at.is_some() {
            tracing::info!(deletion = %deletion.id, instances = deletion.instances, "deleted");
        }
        Ok(deletion)
    }

    /// Gives back what was deleted. It can be done again after a failure.
    ///
    /// # Errors
    /// No such deletion, its grace period is over, an object is damaged, and failures of database and object store.
    pub async fn restore(&self, deletion: Uuid, actor: &AuditActor) -> Result<Restored, ReindexError> {
        let mut restored = Restored::default();
        for instance in self.database().begin_restoration(deletion).await? {
            match self.restore_instance(deletion, instance).await? {
                StoreOutcome::Stored { .. } => restored.stored += 1,
                StoreOutcome::Duplicate { .. } => restored.duplicates += 1,
                StoreOutcome::Conflict { .. } => restored.conflicts += 1,
            }
        }
        restored.links = self.database().end_restoration(deletion, actor).await?;
        Ok(restored)
    }

    /// Each by the row that is there now: it may have taken long to come to this one.
    async fn restore_instance(&self, deletion: Uuid, instance: Uuid) -> Result<StoreOutcome, ReindexError> {
        let deleted = self.database().deleted_instance(deletion, instance).await?;
        let key = ObjectKey::from(deleted.object_key);
        let mut new = self.read_for_index(key).await?.ok_or(StorageError::NotFound(key))?;
        // Its name in REST paths is what it was.
        new.id = deleted.instance;
        new.origin.door = "restore";
        let outcome = self.index(new).await?;
        self.database().record_restored(&deleted).await?;
        Ok(outcome)
    }
}
