//! Objects in a bucket behind the S3 API: AWS, MinIO, Garage, SeaweedFS, Ceph.
//!
//! An upload is answered only when the server has the whole object, so the answer is the promise of durability.
//! Each upload carries a SHA-256 that the server checks (a setting turns it off for servers without it), and the
//! length is asked for again afterwards. No correctness depends on `If-None-Match`, which some servers lack: keys
//! are unique because the server makes them. Parts of uploads that a dying process left are for a lifecycle rule of
//! the bucket (`AbortIncompleteMultipartUpload`).

mod keys;
mod write;

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::{
    BackoffConfig, ClientOptions, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, RetryConfig,
    aws::{AmazonS3Builder, Checksum, S3ConditionalPut},
    path::Path,
};

pub(crate) use write::S3Writer;

use crate::{
    config::{S3Checksum, S3Config},
    error::StorageError,
    key::ObjectKey,
    storage::{ObjectKeyStream, ObjectStream},
};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Tries after the first one, within the operation's time.
const RETRIES_MAX: usize = 5;

/// The S3 store.
pub(crate) struct S3 {
    store: Arc<dyn ObjectStore>,
    prefix: String,
}

impl S3 {
    pub(crate) fn open(config: &S3Config) -> Result<Self, StorageError> {
        let request_timeout = Duration::from_millis(config.request_timeout_ms);
        let client = ClientOptions::new()
            .with_allow_http(config.allow_http)
            .with_connect_timeout(CONNECT_TIMEOUT.min(request_timeout))
            // A time for the whole request would cut long downloads; this one counts from the last byte.
            .with_timeout_disabled()
            .with_read_timeout(request_timeout);
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: RETRIES_MAX,
            retry_timeout: Duration::from_millis(config.operation_timeout_ms),
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_virtual_hosted_style_request(!config.path_style)
            .with_conditional_put(S3ConditionalPut::Disabled)
            // Some servers have no DeleteObjects, and only one object goes at a time.
            .with_disable_bulk_delete(true)
            .with_client_options(client)
            .with_retry(retry);
        if !config.endpoint.is_empty() {
            builder = builder.with_endpoint(&config.endpoint).with_allow_http(config.allow_http);
        }
        if !config.access_key_id.is_empty() {
            builder = builder
                .with_access_key_id(&config.access_key_id)
                .with_secret_access_key(&config.secret_access_key);
        }
        match config.checksum {
            S3Checksum::Sha256 => builder = builder.with_checksum_algorithm(Checksum::SHA256),
            S3Checksum::None => {}
        }
        let store = builder.build().map_err(|error| StorageError::Config(error.to_string()))?;
        Ok(Self { store: Arc::new(store), prefix: config.prefix.trim_matches('/').to_owned() })
    }

    fn path(&self, key: ObjectKey) -> Path {
        Path::from(format!("{}/{}", self.prefix, key.path()))
    }

    pub(crate) async fn read_range(
        &self,
        key: ObjectKey,
        range: Range<u64>,
        whole: u64,
    ) -> Result<Bytes, StorageError> {
        let end = range.end;
        let length = range.end - range.start;
        let result = self.get(key, range, whole).await?;
        let bytes = result.bytes().await.map_err(StorageError::s3("read object", key))?;
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
        let chunks = self.get(key, range, whole).await?.into_stream();
        let state = (chunks, start);
        Ok(Box::pin(futures_util::stream::try_unfold(state, move |(mut chunks, position)| async move {
            match chunks.next().await {
                Some(Ok(bytes)) => {
                    let position = position + bytes.len() as u64;
                    if position > end {
                        return Err(StorageError::LengthDiffers {
                            key,
                            written_bytes: end,
                            stored_bytes: position,
                        });
                    }
                    Ok(Some((bytes, (chunks, position))))
                }
                Some(Err(error)) => Err(StorageError::s3("read object", key)(error)),
                None if position == end => Ok(None),
                None => Err(StorageError::PastEnd { key, end, length_bytes: position }),
            }
        })))
    }

    /// The answer carries the object's length: one that is not `whole` is refused before a byte is read.
    async fn get(
        &self,
        key: ObjectKey,
        range: Range<u64>,
        whole: u64,
    ) -> Result<object_store::GetResult, StorageError> {
        let end = range.end;
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let (stored_bytes, error) = match self.store.get_opts(&self.path(key), options).await {
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

    pub(crate) async fn length(&self, key: ObjectKey) -> Result<u64, StorageError> {
        let meta = self.store.head(&self.path(key)).await;
        meta.map(|meta| meta.size).map_err(StorageError::s3("head object", key))
    }

    pub(crate) async fn finished_at(&self, key: ObjectKey) -> Result<SystemTime, StorageError> {
        let meta = self.store.head(&self.path(key)).await;
        meta.map(|meta| meta.last_modified.into()).map_err(StorageError::s3("head object", key))
    }

    pub(crate) async fn delete(&self, key: ObjectKey) -> Result<(), StorageError> {
        match self.store.delete(&self.path(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StorageError::s3_write("delete object")(error)),
        }
    }

    pub(crate) fn list(&self) -> ObjectKeyStream {
        let prefix = (!self.prefix.is_empty()).then(|| Path::from(self.prefix.as_str()));
        let objects = self.store.list(prefix.as_ref());
        Box::pin(
            objects
                .map_err(|source| StorageError::S3 { operation: "list objects", source: Box::new(source) })
                .try_filter_map(|meta| async move { Ok(object_key_of(&meta.location)) }),
        )
    }
}

/// Key objects have UUIDs for names, too, but lie elsewhere.
fn object_key_of(location: &Path) -> Option<ObjectKey> {
    let key = ObjectKey::from_file_name(location.filename()?)?;
    location.as_ref().ends_with(&key.path()).then_some(key)
}
