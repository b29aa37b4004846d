//! PS3.18 10.4.1.1.4: values that were left out of the metadata.

use std::ops::Range;

use database::{HeaderRecord, StoredInstance};
use futures_util::{StreamExt as _, stream};
use model::frame::ByteRange;

use super::{ByteStream, ReadError, instance::data_set_limit};
use crate::Archive;

impl Archive {
    /// A range of the bytes of the value at `path`, the last part of its BulkDataURI.
    ///
    /// # Errors
    /// [`ReadError::NoSuchBulkData`], and failures of the object store, here or in the stream.
    pub async fn read_bulk_data(
        &self,
        instance: &StoredInstance,
        header: &HeaderRecord,
        path: &str,
        range: Range<u64>,
    ) -> Result<ByteStream, ReadError> {
        let reference = header.bulk_data.iter().find(|reference| reference.path == path);
        let reference = reference.ok_or(ReadError::NoSuchBulkData)?;
        let ByteRange { offset, length } = reference.range;
        let within = range.start <= range.end && range.end <= length;
        let fits = offset.checked_add(length).is_some_and(|end| end <= data_set_limit(instance));
        if !within || !fits {
            return Err(ReadError::Damaged("a value ends after the data set"));
        }
        if range.is_empty() {
            return Ok(stream::empty().boxed());
        }
        self.stream_data_set_range(instance, offset + range.start..offset + range.end).await
    }
}
