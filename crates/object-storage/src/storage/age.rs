//! How old things in the store are: for checks, and for the removal of what nobody knows.

use std::time::{Duration, SystemTime};

use super::ObjectStorage;
use crate::{backend::Backend, error::StorageError, key::ObjectKey};

impl ObjectStorage {
    /// When the object was finished, by the clock of the store.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] and failures of the store.
    pub async fn finished_at(&self, key: ObjectKey) -> Result<SystemTime, StorageError> {
        match &self.backend {
            Backend::Directory(directory) => directory.finished_at(key).await,
            Backend::S3(s3) => s3.finished_at(key).await,
        }
    }

    /// What was begun and not finished, with the time since its last byte; `None` where the store cannot tell.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn unfinished(&self) -> Result<Option<Vec<(String, Duration)>>, StorageError> {
        match &self.backend {
            Backend::Directory(directory) => directory.unfinished().await.map(Some),
            Backend::S3(_) => Ok(None),
        }
    }
}
