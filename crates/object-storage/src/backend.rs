//! The two stores behind one set of calls. Lengths and offsets here are those of the sealed bytes. Reads
//! are told how long the `whole` object must be, so that one that was cut or lengthened is found by any read.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;

use crate::{
    directory::{Directory, DirectoryWriter, Durability},
    error::StorageError,
    key::{KeyName, ObjectKey},
    s3::{S3, S3Writer},
    storage::{ObjectKeyStream, ObjectStream},
};

/// Where objects are kept.
#[derive(Clone)]
pub(crate) enum Backend {
    Directory(Arc<Directory>),
    S3(Arc<S3>),
}

impl Backend {
    /// Finds out at the start what a store can do that is not ours, and says so in the log.
    pub(crate) async fn learn(&self) {
        if let Self::S3(s3) = self {
            s3.learn().await;
        }
    }

    pub(crate) fn create(&self, key: ObjectKey) -> Result<Sink, StorageError> {
        match self {
            Self::Directory(directory) => {
                DirectoryWriter::new(directory, key, Durability::Synced).map(Sink::Directory)
            }
            Self::S3(s3) => Ok(Sink::S3(S3Writer::new(s3, key))),
        }
    }

    /// An object that can be made again: S3 knows no difference.
    pub(crate) fn create_derived(&self, key: ObjectKey) -> Result<Sink, StorageError> {
        match self {
            Self::Directory(directory) => {
                DirectoryWriter::new(directory, key, Durability::Derived).map(Sink::Directory)
            }
            Self::S3(_) => self.create(key),
        }
    }

    pub(crate) async fn read_range(
        &self,
        key: ObjectKey,
        range: Range<u64>,
        whole: u64,
    ) -> Result<Bytes, StorageError> {
        match self {
            Self::Directory(directory) => directory.read_range(key, range, whole).await,
            Self::S3(s3) => s3.read_range(key, range, whole).await,
        }
    }

    pub(crate) async fn stream_range(
        &self,
        key: ObjectKey,
        range: Range<u64>,
        whole: u64,
    ) -> Result<ObjectStream, StorageError> {
        match self {
            Self::Directory(directory) => directory.stream_range(key, range, whole).await,
            Self::S3(s3) => s3.stream_range(key, range, whole).await,
        }
    }

    pub(crate) async fn length(&self, key: ObjectKey) -> Result<u64, StorageError> {
        match self {
            Self::Directory(directory) => directory.length(key).await,
            Self::S3(s3) => s3.length(key).await,
        }
    }

    pub(crate) async fn delete(&self, key: ObjectKey) -> Result<(), StorageError> {
        match self {
            Self::Directory(directory) => directory.delete(key).await,
            Self::S3(s3) => s3.delete(key).await,
        }
    }

    /// Writes or replaces a key object, in one step and durably.
    pub(crate) async fn put_key(&self, name: &KeyName, bytes: Bytes) -> Result<(), StorageError> {
        self.put_keys(vec![(name.clone(), bytes)]).await
    }

    /// The same for several, which may share a sync. After an error some may be there.
    pub(crate) async fn put_keys(&self, keys: Vec<(KeyName, Bytes)>) -> Result<(), StorageError> {
        match self {
            Self::Directory(directory) => directory.put_keys(keys).await,
            Self::S3(s3) => s3.put_keys(keys).await,
        }
    }

    pub(crate) async fn get_key(&self, name: &KeyName) -> Result<Option<Bytes>, StorageError> {
        match self {
            Self::Directory(directory) => directory.get_key(name).await,
            Self::S3(s3) => s3.get_key(name).await,
        }
    }

    /// Removes a key object for good: a power cut does not bring it back.
    pub(crate) async fn delete_key(&self, name: &KeyName) -> Result<(), StorageError> {
        match self {
            Self::Directory(directory) => directory.delete_key(name).await,
            Self::S3(s3) => s3.delete_key(name).await,
        }
    }

    /// Every key object, in no order.
    pub(crate) async fn list_keys(&self) -> Result<Vec<KeyName>, StorageError> {
        match self {
            Self::Directory(directory) => directory.list_keys().await,
            Self::S3(s3) => s3.list_keys().await,
        }
    }

    pub(crate) fn list(&self) -> ObjectKeyStream {
        match self {
            Self::Directory(directory) => directory.list(),
            Self::S3(s3) => s3.list(),
        }
    }
}

/// Where the bytes of one new object go. Dropped before `finish` has returned, it leaves nothing.
pub(crate) enum Sink {
    Directory(DirectoryWriter),
    S3(S3Writer),
}

impl Sink {
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        match self {
            Self::Directory(writer) => writer.write(bytes).await,
            Self::S3(writer) => writer.write(bytes).await,
        }
    }

    pub(crate) async fn finish(self) -> Result<(), StorageError> {
        match self {
            Self::Directory(writer) => writer.finish().await,
            Self::S3(writer) => writer.finish().await,
        }
    }

    pub(crate) async fn abort(self) {
        match self {
            Self::Directory(writer) => writer.abort().await,
            Self::S3(writer) => writer.abort().await,
        }
    }
}
