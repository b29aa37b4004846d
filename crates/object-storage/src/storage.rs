//! [`ObjectStorage`]: what the rest of MaxRay sees. Lengths and offsets are in plain bytes (see the crate's words
//! on encryption).

use std::{ops::Range, path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::{
    backend::Backend,
    config::{BackendKind, ObjectStorageConfig},
    directory::Directory,
    error::StorageError,
    key::ObjectKey,
    s3::S3,
    writer::ObjectWriter,
};

/// Bytes of an object in order. It ends early only with an error.
pub type ObjectStream = BoxStream<'static, Result<Bytes, StorageError>>;
/// Keys of every object, in no order.
pub type ObjectKeyStream = BoxStream<'static, Result<ObjectKey, StorageError>>;

/// The object store; cheap to clone.
#[derive(Clone)]
pub struct ObjectStorage {
    backend: Backend,
}

impl ObjectStorage {
    /// Opens the store, removes what an earlier process left half-written and proves that the store works.
    ///
    /// The caller holds the lock that keeps a second process out of `data_directory`.
    ///
    /// # Errors
    /// Settings without sense, a directory that cannot be made, or a store that fails [`Self::probe`].
    pub async fn open(config: &ObjectStorageConfig, data_directory: &Path) -> Result<Self, StorageError> {
        config.check()?;
        let backend = match config.backend {
            BackendKind::Directory => Backend::Directory(Directory::open(config, data_directory).await?),
            BackendKind::S3 => Backend::S3(Arc::new(S3::open(&config.s3)?)),
        };
        let storage = Self { backend };
        match storage.probe().await {
            // A full disk must not keep what is stored from being read.
            Err(StorageError::OutOfSpace) => {
                tracing::warn!("no space left beyond the reserve: new objects are refused");
                Ok(storage)
            }
            result => result.map(|()| storage),
        }
    }

    /// Begins a new object.
    ///
    /// # Errors
    /// [`StorageError::OutOfSpace`] when the reserve of free space would be touched.
    #[expect(clippy::unused_async, reason = "a store may have to ask before it takes an object")]
    pub async fn create(&self) -> Result<ObjectWriter, StorageError> {
        let key = ObjectKey::generate();
        Ok(ObjectWriter::new(key, self.backend.create(key)?))
    }

    /// Writes a whole small object.
    ///
    /// # Errors
    /// As [`Self::create`] and [`ObjectWriter::finish`].
    pub async fn put(&self, bytes: Bytes) -> Result<ObjectKey, StorageError> {
        let mut writer = self.create().await?;
        writer.write(bytes).await?;
        Ok(writer.finish().await?.key)
    }

    /// Writes a whole small object that can be made again: a directory does not sync it, so a power cut may take it
    /// or leave it shorter. Whoever reads it checks its length.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub async fn put_derived(&self, bytes: Bytes) -> Result<ObjectKey, StorageError> {
        let key = ObjectKey::generate();
        let mut writer = ObjectWriter::new(key, self.backend.create_derived(key)?);
        writer.write(bytes).await?;
        Ok(writer.finish().await?.key)
    }

    /// The whole object as a stream.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] and failures of the store, here or in the stream.
    pub async fn read(&self, key: ObjectKey) -> Result<ObjectStream, StorageError> {
        let length = self.length(key).await?;
        self.stream_range(key, 0..length).await
    }

    /// The whole object at once, when it is at most `length_max_bytes` long.
    ///
    /// # Errors
    /// [`StorageError::NotFound`], [`StorageError::TooLong`] and failures of the store.
    pub async fn get(&self, key: ObjectKey, length_max_bytes: u64) -> Result<Bytes, StorageError> {
        let length_bytes = self.length(key).await?;
        if length_bytes > length_max_bytes {
            return Err(StorageError::TooLong { key, length_bytes, length_max_bytes });
        }
        self.read_range(key, 0..length_bytes).await
    }

    /// Exactly the bytes of `range` at once. The caller bounds the range.
    ///
    /// # Errors
    /// [`StorageError::NotFound`], [`StorageError::PastEnd`] and failures of the store.
    pub async fn read_range(&self, key: ObjectKey, range: Range<u64>) -> Result<Bytes, StorageError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        self.backend.read_range(key, range).await
    }

    /// Exactly the bytes of `range` as a stream, at most two chunks ahead of the reader.
    ///
    /// # Errors
    /// As [`Self::read_range`]; later failures come in the stream.
    pub async fn stream_range(
        &self,
        key: ObjectKey,
        range: Range<u64>,
    ) -> Result<ObjectStream, StorageError> {
        if range.is_empty() {
            return Ok(Box::pin(futures_util::stream::empty()));
        }
        self.backend.stream_range(key, range).await
    }

    /// Removes an object; one that is not there is no error.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn delete(&self, key: ObjectKey) -> Result<(), StorageError> {
        self.backend.delete(key).await
    }

    /// How long the object is.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] and failures of the store.
    pub async fn length(&self, key: ObjectKey) -> Result<u64, StorageError> {
        self.backend.length(key).await
    }

    /// Every key there is.
    pub fn list(&self) -> ObjectKeyStream {
        self.backend.list()
    }

    /// Proves the contract on a small object: put, length, get, range, range past the end, delete.
    ///
    /// # Errors
    /// [`StorageError::OutOfSpace`], or [`StorageError::Probe`] with the step that failed.
    pub async fn probe(&self) -> Result<(), StorageError> {
        const CONTENT: &[u8] = b"maxray probe 0123456789";
        let failed = |step: &'static str| {
            move |error: StorageError| match error {
                StorageError::OutOfSpace => StorageError::OutOfSpace,
                error => StorageError::Probe { step, reason: error.to_string() },
            }
        };
        let differs = |step: &'static str| StorageError::Probe { step, reason: "wrong answer".to_owned() };

        let key = self.put(Bytes::from_static(CONTENT)).await.map_err(failed("put"))?;
        let length = CONTENT.len() as u64;
        if self.length(key).await.map_err(failed("length"))? != length {
            return Err(differs("length"));
        }
        if self.get(key, length).await.map_err(failed("get"))? != CONTENT {
            return Err(differs("get"));
        }
        if self.read_range(key, 7..12).await.map_err(failed("range"))? != CONTENT[7..12] {
            return Err(differs("range"));
        }
        match self.read_range(key, 7..length + 1).await {
            Err(StorageError::PastEnd { .. }) => {}
            _ => return Err(differs("range past the end")),
        }
        self.delete(key).await.map_err(failed("delete"))?;
        match self.length(key).await {
            Err(StorageError::NotFound(_)) => Ok(()),
            _ => Err(differs("length after delete")),
        }
    }
}
