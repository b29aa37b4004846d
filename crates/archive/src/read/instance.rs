//! Whole instances and their data sets.

use std::ops::Range;

use aws_lc_rs::digest;
use database::StoredInstance;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_storage::ObjectKey;

use super::{ByteStream, ReadError, inflate::inflate};
use crate::Archive;

impl Archive {
    /// The whole object: a Part 10 file whose data set is exactly what came.
    ///
    /// # Errors
    /// Failures of the object store, here or in the stream.
    pub async fn read_instance(&self, instance: &StoredInstance) -> Result<ByteStream, ReadError> {
        self.read_object(instance, 0..instance.object_length_bytes).await
    }

    /// The data set exactly as it came, without preamble and file meta group.
    ///
    /// # Errors
    /// As [`Self::read_instance`].
    pub async fn read_data_set(&self, instance: &StoredInstance) -> Result<ByteStream, ReadError> {
        let range = stored_range(instance, 0..instance.data_set_length_bytes)?;
        self.read_object(instance, range).await
    }

    /// Whether the data set is still what was stored, by its length and SHA-256.
    ///
    /// # Errors
    /// Failures of the object store.
    pub async fn verify_instance(&self, instance: &StoredInstance) -> Result<bool, ReadError> {
        let mut hash = digest::Context::new(&digest::SHA256);
        let mut data_set = self.read_data_set(instance).await?;
        while let Some(bytes) = data_set.try_next().await? {
            hash.update(&bytes);
        }
        let length = self.storage().length(ObjectKey::from_uuid(instance.object_key)).await?;
        let same = hash.finish().as_ref() == instance.data_set_sha256;
        Ok(same && length == instance.object_length_bytes)
    }

    pub(super) async fn read_object(
        &self,
        instance: &StoredInstance,
        range: Range<u64>,
    ) -> Result<ByteStream, ReadError> {
        let key = ObjectKey::from_uuid(instance.object_key);
        let stream = self.storage().stream_range(key, range).await?;
        Ok(Box::pin(stream.map_err(ReadError::from)))
    }

    /// A range of the data set, counted as inflated.
    pub(super) async fn stream_data_set_range(
        &self,
        instance: &StoredInstance,
        range: Range<u64>,
    ) -> Result<ByteStream, ReadError> {
        if is_deflated(instance) {
            let deflated = self.read_data_set(instance).await?;
            return Ok(inflate(deflated, range).boxed());
        }
        let range = stored_range(instance, range)?;
        self.read_object(instance, range).await
    }
}

pub(super) fn is_deflated(instance: &StoredInstance) -> bool {
    instance.transfer_syntax_uid.data_set_encoding().deflated
}

/// Where the end of any range of the data set must be at the latest.
pub(super) fn data_set_limit(instance: &StoredInstance) -> u64 {
    if is_deflated(instance) {
        dicom_header::Limits::default().inflated_max_bytes
    } else {
        instance.data_set_length_bytes
    }
}

/// The same range counted from the start of the object.
pub(super) fn stored_range(instance: &StoredInstance, range: Range<u64>) -> Result<Range<u64>, ReadError> {
    let end_of_data_set = instance.data_set_offset.checked_add(instance.data_set_length_bytes);
    let fits = range.end <= instance.data_set_length_bytes
        && end_of_data_set.is_some_and(|end| end <= instance.object_length_bytes);
    if !fits {
        return Err(ReadError::Damaged("a range ends after the data set"));
    }
    Ok(instance.data_set_offset + range.start..instance.data_set_offset + range.end)
}
