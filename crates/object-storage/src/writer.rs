//! Writing one object.

use bytes::Bytes;

use crate::{backend::Sink, error::StorageError, key::ObjectKey};

/// An object that is being written. Dropped or aborted, it leaves nothing behind.
pub struct ObjectWriter {
    key: ObjectKey,
    sink: Sink,
    length_bytes: u64,
}

/// An object that survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredObject {
    /// Its name.
    pub key: ObjectKey,
    /// Bytes written.
    pub length_bytes: u64,
}

impl ObjectWriter {
    pub(crate) fn new(key: ObjectKey, sink: Sink) -> Self {
        Self { key, sink, length_bytes: 0 }
    }

    /// The name that the object will have.
    pub fn key(&self) -> ObjectKey {
        self.key
    }

    /// Bytes taken so far.
    pub fn length_bytes(&self) -> u64 {
        self.length_bytes
    }

    /// Appends. Waits when the store is slower than the caller: memory stays bounded.
    ///
    /// # Errors
    /// After an error the writer takes no more, and what was written is removed.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.length_bytes += bytes.len() as u64;
        self.sink.write(bytes).await
    }

    /// Makes the object durable. A future dropped before it is ready leaves no object.
    ///
    /// # Errors
    /// The object is not stored, and what was written is removed. Nothing is tried twice: after a failed fsync
    /// the kernel may report the next one as good while the data is lost.
    pub async fn finish(self) -> Result<StoredObject, StorageError> {
        self.sink.finish().await?;
        Ok(StoredObject { key: self.key, length_bytes: self.length_bytes })
    }

    /// Removes what was written.
    pub async fn abort(self) {
        self.sink.abort().await;
    }
}
