//! Objects in a bucket behind the S3 API: AWS, MinIO, Garage, SeaweedFS, Ceph.
//!
//! An upload is answered only when the server has the whole object, so the answer is the promise of durability.
//! Each upload carries a SHA-256 that the server checks (a setting turns it off for servers without it); what the server
//! says that it kept is compared with it, and where nobody vouches for an upload it is read back (`upload`, `probe`). The
//! length is asked for again afterwards. No correctness depends on `If-None-Match`, which some servers lack: keys
//! are unique because the server makes them. Parts of uploads that a dying process left are for a lifecycle rule of
//! the bucket (`AbortIncompleteMultipartUpload`).
//!
//! Nobody waits for a bucket without end: a short operation has one deadline with all of its requests and retries, a long
//! read a pace (`pace`), a bucket that fails again and again is asked nothing for a while (`breaker`), and a read whose
//! answer is late is asked for twice (`hedge`).

mod breaker;
mod hedge;
mod keys;
mod pace;
mod probe;
mod read;
mod room;
mod transport;
mod upload;
mod write;

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use object_store::{
    BackoffConfig, ClientOptions, ObjectMeta, ObjectStore as _, ObjectStoreExt as _, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, Checksum, S3ConditionalPut},
    path::Path,
};

use self::{breaker::Breaker, hedge::Hedge, pace::Pace, probe::Abilities, room::Room, transport::Connector};

pub(crate) use write::S3Writer;

use crate::{
    config::{S3Checksum, S3Config},
    error::StorageError,
    key::ObjectKey,
    storage::ObjectKeyStream,
};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Tries after the first one, within the operation's time.
const RETRIES_MAX: usize = 5;

/// The S3 store.
pub(crate) struct S3 {
    store: AmazonS3,
    prefix: String,
    operation_timeout: Duration,
    bytes_per_second_min: u64,
    breaker: Arc<Breaker>,
    hedge: Hedge,
    room: Room,
    /// Empty before the probe, and beside a process that works on the store.
    known: OnceLock<Abilities>,
}

impl S3 {
    pub(crate) fn open(config: &S3Config) -> Result<Self, StorageError> {
        let breaker = Breaker::new(config.breaker_failures, Duration::from_millis(config.breaker_open_ms));
        Ok(Self {
            store: client(config, &breaker)?,
            prefix: config.prefix.trim_matches('/').to_owned(),
            operation_timeout: Duration::from_millis(config.operation_timeout_ms),
            bytes_per_second_min: config.bytes_per_second_min,
            breaker,
            hedge: Hedge::new(config.hedge_percent_max),
            room: Room::new(config.upload_memory_max_bytes),
            known: OnceLock::new(),
        })
    }

    fn path(&self, key: ObjectKey) -> Path {
        Path::from(format!("{}/{}", self.prefix, key.path()))
    }

    fn known(&self) -> Abilities {
        self.known.get().copied().unwrap_or_default()
    }

    fn pace(&self) -> Pace {
        Pace::new(self.operation_timeout, self.bytes_per_second_min)
    }

    /// A whole operation, with all of its requests and their retries.
    async fn within<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        tokio::time::timeout(self.operation_timeout, work).await.unwrap_or_else(|_| {
            self.breaker.failed();
            Err(StorageError::TooSlow { operation })
        })
    }

    pub(crate) async fn length(&self, key: ObjectKey) -> Result<u64, StorageError> {
        self.head(key).await.map(|meta| meta.size)
    }

    pub(crate) async fn finished_at(&self, key: ObjectKey) -> Result<SystemTime, StorageError> {
        self.head(key).await.map(|meta| meta.last_modified.into())
    }

    async fn head(&self, key: ObjectKey) -> Result<ObjectMeta, StorageError> {
        let path = self.path(key);
        let head = async { self.store.head(&path).await.map_err(StorageError::s3("head object", key)) };
        self.within("head object", head).await
    }

    pub(crate) async fn delete(&self, key: ObjectKey) -> Result<(), StorageError> {
        let path = self.path(key);
        let delete = async {
            match self.store.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(StorageError::s3_write("delete object")(error)),
            }
        };
        self.within("delete object", delete).await
    }

    pub(crate) fn list(&self) -> ObjectKeyStream {
        let prefix = (!self.prefix.is_empty()).then(|| Path::from(self.prefix.as_str()));
        let objects = self.listed(self.store.list(prefix.as_ref()), "list objects");
        Box::pin(objects.try_filter_map(|meta| async move { Ok(object_key_of(&meta.location)) }))
    }

    /// A list of which every page has its deadline.
    fn listed(
        &self,
        objects: BoxStream<'static, object_store::Result<ObjectMeta>>,
        operation: &'static str,
    ) -> BoxStream<'static, Result<ObjectMeta, StorageError>> {
        let patience = self.operation_timeout;
        let state = (objects, Arc::clone(&self.breaker));
        Box::pin(stream::try_unfold(state, move |(mut objects, breaker)| async move {
            match tokio::time::timeout(patience, objects.next()).await {
                Ok(Some(Ok(meta))) => Ok(Some((meta, (objects, breaker)))),
                Ok(Some(Err(error))) => Err(StorageError::s3_write(operation)(error)),
                Ok(None) => Ok(None),
                Err(_) => {
                    breaker.failed();
                    Err(StorageError::TooSlow { operation })
                }
            }
        }))
    }
}

fn client(config: &S3Config, breaker: &Arc<Breaker>) -> Result<AmazonS3, StorageError> {
    let request_timeout = Duration::from_millis(config.request_timeout_ms);
    let client = ClientOptions::new()
        .with_allow_http(config.allow_http)
        .with_connect_timeout(CONNECT_TIMEOUT.min(request_timeout))
        // A time for the whole request would cut long downloads; this one counts from the last byte, and what is
        // above it keeps the time of whole operations.
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
        // For the probe alone.
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        // Some servers have no DeleteObjects, and only one object goes at a time.
        .with_disable_bulk_delete(true)
        .with_client_options(client)
        .with_retry(retry)
        .with_http_connector(Connector(Arc::clone(breaker)));
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
    builder.build().map_err(|error| StorageError::Config(error.to_string()))
}

/// Key objects have UUIDs for names, too, but lie elsewhere.
fn object_key_of(location: &Path) -> Option<ObjectKey> {
    let key = ObjectKey::from_file_name(location.filename()?)?;
    location.as_ref().ends_with(&key.path()).then_some(key)
}
