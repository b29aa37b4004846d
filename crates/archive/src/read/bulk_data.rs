//! PS3.18 10.4.1.1.4: values that were left out of the metadata.

use database::{HeaderRecord, StoredInstance};
use model::frame::ByteRange;

use super::{ByteStream, ReadError, instance::data_set_limit};
use crate::Archive;

impl Archive {
    /// The value representation and the bytes of the value at `path`, the last part of its BulkDataURI.
    ///
    /// # Errors
    /// [`ReadError::NoSuchBulkData`], and failures of the object store, here or in the stream.
    pub async fn read_bulk_data(
        &self,
        instance: &StoredInstance,
        header: &HeaderRecord,
        path: &str,
    ) -> Result<(String, ByteStream), ReadError> {
        let reference = header.bulk_data.iter().find(|reference| reference.path == path);
        let reference = reference.ok_or(ReadError::NoSuchBulkData)?;
        let ByteRange { offset, length } = reference.range;
        let end = offset.checked_add(length).filter(|end| *end <= data_set_limit(instance));
        let end = end.ok_or(ReadError::Damaged("a value ends after the data set"))?;
        let stream = self.stream_data_set_range(instance, offset..end).await?;
        Ok((reference.vr.clone(), stream))
    }
}
