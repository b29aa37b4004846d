//! How far the database was that goes with the store: a number that only grows, beside the keys. Whoever opens another database, or
//! an older one, meets a greater number here than there.

use bytes::Bytes;

use super::ObjectStorage;
use crate::{error::StorageError, key::KeyName};

impl ObjectStorage {
    /// The number that was kept last; `None` in a store that never got one.
    ///
    /// # Errors
    /// [`StorageError::Keys`] when it cannot be read for what it is, and failures of the store.
    pub async fn beat(&self) -> Result<Option<i64>, StorageError> {
        let Some(bytes) = self.backend.get_key(&KeyName::Beat).await? else { return Ok(None) };
        let beat = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse::<i64>().ok());
        beat.map(Some).ok_or_else(|| {
            StorageError::Keys(
                "keys/beat in the object store is damaged: put it back from a copy, or remove it and run maxray reindex"
                    .to_owned(),
            )
        })
    }

    /// Keeps a number in the place of the one before, in one step and durably.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn keep_beat(&self, beat: i64) -> Result<(), StorageError> {
        self.backend.put_key(&KeyName::Beat, Bytes::from(beat.to_string())).await
    }
}
