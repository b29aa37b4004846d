//! [`ObjectStorage`]: what the rest of MaxRay sees. Lengths and offsets are in plain bytes, and every byte that comes
//! out was proved to be the one that went in.

mod age;
mod beat;
mod blocks;
mod probe;
mod read;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::{
    backend::Backend,
    cache::Cache,
    config::{BackendKind, ObjectStorageConfig},
    directory::Directory,
    error::StorageError,
    key::ObjectKey,
    keys::{Keyring, KeysConfig, PatientKey},
    s3::S3,
    seal::{DataKey, ObjectKind, Seal},
    writer::{ObjectWriter, StoredObject},
};

/// Bytes of an object in order. It ends early only with an error.
pub type ObjectStream = BoxStream<'static, Result<Bytes, StorageError>>;
/// Keys of every object, in no order.
pub type ObjectKeyStream = BoxStream<'static, Result<ObjectKey, StorageError>>;

/// An object and what is needed to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedObject {
    /// Its name.
    pub key: ObjectKey,
    /// Its seal.
    pub seal: Seal,
}

impl SealedObject {
    /// From what the database keeps.
    ///
    /// # Errors
    /// [`StorageError::Altered`] when the bytes are no seal.
    pub fn new(key: impl Into<ObjectKey>, seal: &[u8]) -> Result<Self, StorageError> {
        let key = key.into();
        let seal = Seal::parse(seal).ok_or_else(|| altered(key, "its row holds no seal"))?;
        Ok(Self { key, seal })
    }
}

impl From<StoredObject> for SealedObject {
    fn from(stored: StoredObject) -> Self {
        Self { key: stored.key, seal: stored.seal }
    }
}

/// The object store; cheap to clone.
#[derive(Clone)]
pub struct ObjectStorage {
    backend: Backend,
    keys: Keyring,
    /// What was read of a bucket before, on this machine's disk.
    cache: Option<Arc<Cache>>,
}

impl ObjectStorage {
    /// Opens the store, removes what an earlier process left half-written and proves that the store works. What a bucket
    /// can do stands in the log then.
    ///
    /// The caller holds the lock that keeps a second process out of `data_directory`.
    ///
    /// # Errors
    /// Settings without sense, a directory that cannot be made, a store that fails [`Self::probe`], or
    /// [`StorageError::Keys`] when the root key does not fit what is stored.
    pub async fn open(
        config: &ObjectStorageConfig,
        keys: &KeysConfig,
        data_directory: &Path,
    ) -> Result<Self, StorageError> {
        let storage = Self::begin(config, keys, data_directory, true).await?;
        match storage.probe().await {
            // A full disk must not keep what is stored from being read.
            Err(StorageError::OutOfSpace) => {
                tracing::warn!("no space left beyond the reserve: new objects are refused");
                Ok(storage)
            }
            result => {
                result?;
                storage.backend.learn().await;
                Ok(storage)
            }
        }
    }

    /// Opens the store beside a process that works on it: nothing is removed, made, tried or cached.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn attach(
        config: &ObjectStorageConfig,
        keys: &KeysConfig,
        data_directory: &Path,
    ) -> Result<Self, StorageError> {
        Self::begin(config, keys, data_directory, false).await
    }

    async fn begin(
        config: &ObjectStorageConfig,
        keys: &KeysConfig,
        data_directory: &Path,
        owner: bool,
    ) -> Result<Self, StorageError> {
        config.check()?;
        let backend = match config.backend {
            BackendKind::Directory => {
                Backend::Directory(Directory::open(config, data_directory, owner).await?)
            }
            BackendKind::S3 => Backend::S3(Arc::new(S3::open(&config.s3)?)),
        };
        let keys = Keyring::open(backend.clone(), keys, data_directory, owner).await?;
        let cache = if owner { Cache::open(config, data_directory, &backend).await } else { None };
        Ok(Self { backend, keys, cache })
    }

    /// The keys.
    pub fn keys(&self) -> &Keyring {
        &self.keys
    }

    /// Begins a new object.
    ///
    /// # Errors
    /// [`StorageError::OutOfSpace`] when the reserve of free space would be touched.
    #[expect(clippy::unused_async, reason = "a store may have to ask before it takes an object")]
    pub async fn create(&self, kind: ObjectKind) -> Result<ObjectWriter, StorageError> {
        let key = ObjectKey::generate();
        let sink = match kind {
            ObjectKind::Instance | ObjectKind::Probe => self.backend.create(key)?,
            ObjectKind::Picture => self.backend.create_derived(key)?,
        };
        Ok(ObjectWriter::new(DataKey::generate(key, kind)?, sink))
    }

    /// Writes a whole small object. A [`ObjectKind::Picture`] can be made again: a directory does not sync it, so a
    /// power cut may take it or leave it damaged, and whoever reads it is told.
    ///
    /// # Errors
    /// As [`Self::create`] and [`ObjectWriter::finish`].
    pub async fn put(
        &self,
        kind: ObjectKind,
        bytes: Bytes,
        patient_key: &Arc<PatientKey>,
    ) -> Result<SealedObject, StorageError> {
        let mut writer = self.create(kind).await?;
        writer.write(bytes).await?;
        Ok(writer.finish(patient_key).await?.into())
    }

    /// Removes an object; one that is not there is no error.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn delete(&self, key: ObjectKey) -> Result<(), StorageError> {
        let deleted = self.backend.delete(key).await;
        if let Some(cache) = &self.cache {
            cache.forget(key).await;
        }
        deleted
    }

    /// How many bytes the store keeps of an object.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] and failures of the store.
    pub async fn stored_length(&self, key: ObjectKey) -> Result<u64, StorageError> {
        self.backend.length(key).await
    }

    /// Every key there is.
    pub fn list(&self) -> ObjectKeyStream {
        self.backend.list()
    }
}

/// Counts it, too.
fn altered(key: ObjectKey, what: &'static str) -> StorageError {
    metrics::counter!("maxray_objects_altered_total").increment(1);
    StorageError::Altered { key, what }
}
