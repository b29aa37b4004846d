//! Pictures made from instances, kept as objects of their own under the key of their patient.

use bytes::Bytes;
use database::StoredInstance;
use object_storage::{ObjectKey, ObjectKind, SealedObject, StorageError};
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
    pub async fn put_preview(
        &self,
        instance: &StoredInstance,
        picture: Bytes,
    ) -> Result<SealedObject, StorageError> {
        let of = SealedObject::new(instance.object_key, &instance.object_seal)?;
        let key = self.storage().keys().patient_key(of.seal.patient_key_id()).await?;
        self.storage().put(ObjectKind::Picture, picture, &key).await
    }

    /// A preview or thumbnail of an instance; `None` when it is gone or damaged, and then it is made again.
    ///
    /// # Errors
    /// Failures of the object store.
    pub async fn preview_picture(
        &self,
        instance_id: Uuid,
        key: impl Into<ObjectKey>,
        seal: &[u8],
    ) -> Result<Option<Bytes>, StorageError> {
        let key = key.into();
        let read = match SealedObject::new(key, seal) {
            Ok(object) => self.storage().get(&object, PREVIEW_LENGTH_MAX_BYTES).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(picture) => return Ok(Some(picture)),
            Err(StorageError::NotFound(_) | StorageError::KeyMissing(_)) => {}
            Err(error @ StorageError::Altered { .. }) => {
                // A power cut takes the end of a file, or all of it: no news. Anything else is somebody's work.
                if self.storage().find(key).await.is_ok() {
                    self.tell_altered(instance_id, "preview", &error);
                }
            }
            Err(error) => return Err(error),
        }
        tracing::info!(xray_id = %instance_id, "the preview is not there any more and is made again");
        if let Err(error) = self.database().requeue_preview(instance_id).await {
            tracing::warn!(%error, xray_id = %instance_id, "the preview could not be put into the queue again");
        }
        Ok(None)
    }
}
