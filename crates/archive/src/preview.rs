//! Pictures made from instances, kept as objects of their own.

use bytes::Bytes;
use object_storage::{ObjectKey, StorageError};

use crate::Archive;

/// Longest preview that is read.
const PREVIEW_LENGTH_MAX_BYTES: u64 = 16 << 20;

impl Archive {
    /// Keeps a preview or thumbnail durably: the database's word that there is one must stay true.
    ///
    /// # Errors
    /// Failures of the object store.
    pub async fn put_preview(&self, picture: Bytes) -> Result<ObjectKey, StorageError> {
        self.storage().put(picture).await
    }

    /// A preview or thumbnail.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] and failures of the object store.
    pub async fn get_preview(&self, key: impl Into<ObjectKey>) -> Result<Bytes, StorageError> {
        self.storage().get(key.into(), PREVIEW_LENGTH_MAX_BYTES).await
    }
}
