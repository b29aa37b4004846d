//! Reading ranges of objects: a short one has one deadline, a long one a pace, and either is asked for twice when its
//! answer is late.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::stream;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore as _, path::Path};

use super::{S3, pace::TooSlow};
use crate::{error::StorageError, key::ObjectKey, storage::ObjectStream};

impl S3 {
    /// At once: for ranges that fit into memory.
    pub(crate) async fn read_range(
        &self,
        key: ObjectKey,
        range: Range<u64>,
        whole: u64,
    ) -> Result<Bytes, StorageError> {
        self.within("read object", self.read_short(key, range, whole)).await
    }

    async fn read_short(&self, key: ObjectKey, range: Range<u64>, whole: u64) -> Result<Bytes, StorageError> {
        let end = range.end;
        let length = range.end - range.start;
        let result = self.get(key, range, whole).await?;
        let bytes = self.to_its_end(result.bytes().await).map_err(StorageError::s3("read object", key))?;
        if bytes.len() as u64 != length {
            return Err(StorageError::PastEnd { key, end, length_bytes: end - length + bytes.len() as u64 });
        }
        Ok(bytes)
    }

    pub(crate) async fn stream_range(
        &self,
        key: ObjectKey,
        range: Range<u64>,
        whole: u64,
    ) -> Result<ObjectStream, StorageError> {
        let (start, end) = (range.start, range.end);
        let chunks = self.within("read object", self.get(key, range, whole)).await?.into_stream();
        let breaker = Arc::clone(&self.breaker);
        let state = (chunks, self.pace(), breaker, start);
        Ok(Box::pin(stream::try_unfold(state, move |(mut chunks, mut pace, breaker, position)| async move {
            match pace.next(&mut chunks).await {
                Ok(Some(Ok(bytes))) => {
                    let position = position + bytes.len() as u64;
                    if position > end {
                        return Err(StorageError::LengthDiffers {
                            key,
                            written_bytes: end,
                            stored_bytes: position,
                        });
                    }
                    Ok(Some((bytes, (chunks, pace, breaker, position))))
                }
                Ok(None) if position == end => {
                    breaker.succeeded();
                    Ok(None)
                }
                Ok(None) => Err(StorageError::PastEnd { key, end, length_bytes: position }),
                Ok(Some(Err(error))) => {
                    breaker.failed();
                    Err(StorageError::s3("read object", key)(error))
                }
                Err(TooSlow) => {
                    breaker.failed();
                    Err(StorageError::TooSlow { operation: "read object" })
                }
            }
        })))
    }

    /// The answer carries the object's length: one that is not `whole` is refused before a byte is read.
    async fn get(&self, key: ObjectKey, range: Range<u64>, whole: u64) -> Result<GetResult, StorageError> {
        let end = range.end;
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let (stored_bytes, error) = match self.get_hedged(&self.path(key), &options).await {
            Ok(result) if result.meta.size == whole && result.range.end == end => return Ok(result),
            Ok(result) => (result.meta.size, None),
            // 416 Range Not Satisfiable comes back as a generic error.
            Err(error) => (self.length(key).await?, Some(error)),
        };
        match error {
            Some(error) if stored_bytes == whole => Err(StorageError::s3("read object", key)(error)),
            _ if stored_bytes == whole => Err(StorageError::PastEnd { key, end, length_bytes: stored_bytes }),
            _ => Err(StorageError::LengthDiffers { key, written_bytes: whole, stored_bytes }),
        }
    }

    /// What has begun to answer first of one request, or of two.
    pub(super) async fn get_hedged(
        &self,
        path: &Path,
        options: &GetOptions,
    ) -> object_store::Result<GetResult> {
        self.hedge.first_answer(|| self.store.get_opts(path, options.clone())).await
    }

    /// Takes note of whether the body of an answer came whole.
    pub(super) fn to_its_end<T>(&self, body: object_store::Result<T>) -> object_store::Result<T> {
        if body.is_ok() {
            self.breaker.succeeded();
        } else {
            self.breaker.failed();
        }
        body
    }
}
