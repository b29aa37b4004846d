//! Writing one object: sealed chunk by chunk on its way to the backend.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::{
    backend::Sink,
    error::StorageError,
    key::ObjectKey,
    keys::PatientKey,
    seal::{CHUNK_BYTES, ContentCipher, DataKey, SEALED_CHUNK_BYTES, Seal, TAG_BYTES},
};

/// An object that is being written. Dropped or aborted, it leaves nothing behind.
pub struct ObjectWriter {
    sink: Sink,
    data_key: DataKey,
    cipher: ContentCipher,
    /// Plain bytes of the chunk that is not full yet, or full while nobody knows whether it is the last.
    chunk: BytesMut,
    /// Room for a sealed chunk.
    sealed: Vec<u8>,
    index: u32,
    length_bytes: u64,
}

/// An object that survives a power cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its name.
    pub key: ObjectKey,
    /// Bytes written.
    pub length_bytes: u64,
    /// What is needed to read it: to be kept with its name.
    pub seal: Seal,
}

impl ObjectWriter {
    pub(crate) fn new(data_key: DataKey, sink: Sink) -> Self {
        Self {
            cipher: ContentCipher::new(&data_key.secret, &data_key.header),
            sink,
            data_key,
            chunk: BytesMut::new(),
            sealed: Vec::new(),
            index: 0,
            length_bytes: 0,
        }
    }

    /// The name that the object will have.
    pub fn key(&self) -> ObjectKey {
        self.data_key.header.object
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
        let mut bytes = &bytes[..];
        self.length_bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            // A full chunk goes only when more comes: the last one is sealed as the last.
            if self.chunk.len() == CHUNK_BYTES {
                self.seal_chunk(false).await?;
            }
            // A whole chunk with more behind it is sealed where it lies.
            if self.chunk.is_empty() && bytes.len() > CHUNK_BYTES {
                let (whole, rest) = bytes.split_at(CHUNK_BYTES);
                self.seal(whole, false).await?;
                bytes = rest;
                continue;
            }
            let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
            self.chunk.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// Seals what was gathered.
    async fn seal_chunk(&mut self, last: bool) -> Result<(), StorageError> {
        let mut chunk = std::mem::take(&mut self.chunk);
        self.seal(&chunk, last).await?;
        chunk.clear();
        self.chunk = chunk;
        Ok(())
    }

    async fn seal(&mut self, plain: &[u8], last: bool) -> Result<(), StorageError> {
        if self.index == 0 {
            self.sink.write(&self.data_key.header.bytes()).await?;
        }
        self.sealed.resize(plain.len() + TAG_BYTES, 0);
        if !self.cipher.seal(self.index, last, plain, &mut self.sealed) {
            return Err(StorageError::GivenUp);
        }
        self.index = self.index.checked_add(1).ok_or(StorageError::GivenUp)?;
        debug_assert!(self.sealed.len() <= SEALED_CHUNK_BYTES, "a chunk is at most 64 KiB");
        self.sink.write(&self.sealed).await
    }

    /// Seals the object under its patient's key and makes it durable. A future dropped before it is ready leaves no
    /// object.
    ///
    /// # Errors
    /// The object is not stored, and what was written is removed. Nothing is tried twice: after a failed fsync
    /// the kernel may report the next one as good while the data is lost.
    pub async fn finish(mut self, patient_key: &Arc<PatientKey>) -> Result<StoredObject, StorageError> {
        self.seal_chunk(true).await?;
        let seal = self.data_key.seal(patient_key.id(), patient_key.wrap_key(), self.length_bytes)?;
        self.sink.write(&seal.to_bytes()).await?;
        let (key, length_bytes) = (self.key(), self.length_bytes);
        self.sink.finish().await?;
        Ok(StoredObject { key, length_bytes, seal })
    }

    /// Removes what was written.
    pub async fn abort(self) {
        self.sink.abort().await;
    }
}
