//! Whole instances and their data sets.

use std::ops::Range;

use aws_lc_rs::digest;
use bytes::Bytes;
use database::StoredInstance;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_storage::{SealedObject, StorageError};

use super::{
    ByteStream, ReadError,
    inflate::{inflate, inflate_to_end},
};
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

    /// The data set from `start` to its end, without deflation (PS3.5 A.5): where frame tables and bulk data
    /// references count.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] when `start` is after the end; failures of the object store.
    pub async fn read_data_set_from(
        &self,
        instance: &StoredInstance,
        start: u64,
    ) -> Result<ByteStream, ReadError> {
        if is_deflated(instance) {
            let data_set = self.read_data_set(instance).await?;
            return Ok(inflate_to_end(data_set, start..data_set_limit(instance)).boxed());
        }
        let end = instance.data_set_length_bytes;
        if start > end {
            return Err(ReadError::Damaged("a range ends after the data set"));
        }
        self.stream_data_set_range(instance, start..end).await
    }

    /// A part of the data set, counted likewise.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] when it ends after the data set; failures of the object store.
    pub async fn read_data_set_range(
        &self,
        instance: &StoredInstance,
        range: Range<u64>,
    ) -> Result<ByteStream, ReadError> {
        self.stream_data_set_range(instance, range).await
    }

    /// Whether the data set is still what was stored, by its length and SHA-256.
    ///
    /// # Errors
    /// Failures of the object store.
    pub async fn verify_instance(&self, instance: &StoredInstance) -> Result<bool, ReadError> {
        let mut hash = digest::Context::new(&digest::SHA256);
        let read = async {
            let mut data_set = self.read_data_set(instance).await?;
            while let Some(bytes) = data_set.try_next().await? {
                hash.update(&bytes);
            }
            Ok(())
        };
        match read.await {
            Ok(()) => Ok(hash.finish().as_ref() == instance.data_set_sha256),
            Err(ReadError::Storage(StorageError::Altered { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn read_object(
        &self,
        instance: &StoredInstance,
        range: Range<u64>,
    ) -> Result<ByteStream, ReadError> {
        let stream = match sealed(instance) {
            Ok(object) => self.storage().stream_range(&object, range).await,
            Err(error) => Err(error),
        };
        let (archive, id) = (self.clone(), instance.id);
        let stream = stream.inspect_err(|error| archive.tell_altered(id, "instance", error))?;
        Ok(Box::pin(stream.map_err(move |error| {
            archive.tell_altered(id, "instance", &error);
            ReadError::from(error)
        })))
    }

    /// Bytes of the object at once; the caller bounds the range.
    pub(super) async fn read_object_at_once(
        &self,
        instance: &StoredInstance,
        range: Range<u64>,
    ) -> Result<Bytes, ReadError> {
        let bytes = match sealed(instance) {
            Ok(object) => self.storage().read_range(&object, range).await,
            Err(error) => Err(error),
        };
        Ok(bytes.inspect_err(|error| self.tell_altered(instance.id, "instance", error))?)
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

/// The object, with the length that the database knows: a row and an object of different instances do not pass.
fn sealed(instance: &StoredInstance) -> Result<SealedObject, StorageError> {
    let object = SealedObject::new(instance.object_key, &instance.object_seal)?;
    if object.seal.length_bytes() != instance.object_length_bytes {
        return Err(StorageError::Altered { key: object.key, what: "its row has another length" });
    }
    Ok(object)
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
pub(crate) fn stored_range(instance: &StoredInstance, range: Range<u64>) -> Result<Range<u64>, ReadError> {
    let end_of_data_set = instance.data_set_offset.checked_add(instance.data_set_length_bytes);
    let fits = range.end <= instance.data_set_length_bytes
        && end_of_data_set.is_some_and(|end| end <= instance.object_length_bytes);
    if !fits {
        return Err(ReadError::Damaged("a range ends after the data set"));
    }
    Ok(instance.data_set_offset + range.start..instance.data_set_offset + range.end)
}
