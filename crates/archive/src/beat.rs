//! Whether the database knows every object that was acknowledged. An older one that was put back does not, nor does an empty one, and
//! nothing may be removed then for want of a row.

use database::{DatabaseError, StoreBeat};
use futures_util::StreamExt as _;

use crate::{Archive, OrphanError, StorageError};

/// What it means that the database is behind, and what to do about it.
pub const DATABASE_BEHIND: &str = "the database does not know all objects: an older one was put back, an empty one took its place, or a \
    reindex was cut off. No object is removed for want of a row until it does: stop the servers, run maxray reindex --missing, then \
    maxray verify";

impl Archive {
    /// Compares the database with what the object store has seen, and goes on to a greater value in both. A database that is behind
    /// stays so until [`Self::end_reindex`].
    ///
    /// # Errors
    /// Failures of the database, and of the store when it is asked. When it does not take the value, only the log says so: what it
    /// has is an older one then, which accuses nobody.
    pub async fn beat(&self) -> Result<StoreBeat, OrphanError> {
        // First the store: what it has was in the database before.
        let seen = self.storage().beat().await?;
        let is_unproved = seen.is_none() && self.has_objects().await?;
        let beat = self.database().advance_store_beat(seen, is_unproved).await?;
        self.keep(beat).await;
        Ok(beat)
    }

    /// Whether the database is behind; nothing is changed.
    ///
    /// # Errors
    /// Failures of the database or the store.
    pub async fn is_behind(&self) -> Result<bool, OrphanError> {
        let seen = self.storage().beat().await?;
        let known = self.database().store_beat().await?;
        if known.is_behind || seen.is_some_and(|seen| known.value < seen) {
            return Ok(true);
        }
        Ok(seen.is_none() && self.database().instances_up_to(1).await? == 0 && self.has_objects().await?)
    }

    /// The index is about to be made again: until [`Self::end_reindex`] no object goes for want of a row, whatever ends the work.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn begin_reindex(&self) -> Result<(), DatabaseError> {
        self.database().mark_behind().await
    }

    /// Every object has its row, or needs none: the database is behind no more.
    ///
    /// # Errors
    /// Failures of the database, and of the store when it is asked.
    pub async fn end_reindex(&self) -> Result<(), OrphanError> {
        let seen = self.storage().beat().await?;
        let beat = self.database().clear_behind(seen).await?;
        self.keep(beat).await;
        Ok(())
    }

    async fn keep(&self, beat: StoreBeat) {
        if let Err(error) = self.storage().keep_beat(beat.value).await {
            tracing::warn!(%error, "the object store does not keep how far the database is; trying again later");
        }
    }

    async fn has_objects(&self) -> Result<bool, StorageError> {
        Ok(self.storage().list().next().await.transpose()?.is_some())
    }
}
