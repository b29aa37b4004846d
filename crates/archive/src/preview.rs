//! Pictures made from instances, kept as objects of their own.

use bytes::Bytes;
use object_storage::{ObjectKey, StorageError};
use uuid::Uuid;

use crate::Archive;

/// Longest preview that is read.
const PREVIEW_LENGTH_MAX_BYTES: u64 = 16 << 20;

impl Archive {
    /// Keeps a preview or thumbnail. It is not synced, because it can be made again: a power cut may take it, and
    /// [`Self::preview_picture`] finds that out.
    ///
    /// # Errors
    /// Failures of the object store.
    pub async fn put_preview(&self, picture: Bytes) -> Result<ObjectKey, StorageError> {
        self.storage().put_derived(picture).await
    }

    /// A preview or thumbnail of an instance; `None` when a power cut took it, and then it is made again.
    ///
    /// # Errors
    /// Failures of the object store.
    pub async fn preview_picture(
        &self,
        instance_id: Uuid,
        key: impl Into<ObjectKey>,
        length_bytes: u64,
    ) -> Result<Option<Bytes>, StorageError> {
        let key = key.into();
        match self.storage().get(key, PREVIEW_LENGTH_MAX_BYTES).await {
            // Every picture format begins with a byte that is not 0; blocks that were never written read as 0.
            Ok(picture) if picture.len() as u64 == length_bytes && picture.first() != Some(&0) => {
                return Ok(Some(picture));
            }
            Ok(_) | Err(StorageError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        tracing::info!(xray_id = %instance_id, "the preview is not there any more and is made again");
        if let Err(error) = self.database().requeue_preview(instance_id).await {
            tracing::warn!(%error, xray_id = %instance_id, "the preview could not be put into the queue again");
        }
        Ok(None)
    }
}
