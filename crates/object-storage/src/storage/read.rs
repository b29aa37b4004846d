//! Reading: a plain range becomes the range of the chunks that cover it, and every chunk is proved.

use std::{ops::Range, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt as _, stream};

use super::{ObjectStorage, ObjectStream, SealedObject, altered, blocks::Blocks};
use crate::{
    cache::Cache,
    error::StorageError,
    key::ObjectKey,
    keys::PatientKey,
    seal::{
        HEADER_BYTES, Header, ObjectAltered, ObjectKind, Opener, SEAL_BYTES, Seal, Secret, stored_length,
    },
};

/// Stored bytes that are read in one trip; longer ranges are opened as they come.
const ONE_READ_MAX_BYTES: u64 = 2 << 20;

impl ObjectStorage {
    /// The whole object as a stream, past the cache: for those who go through everything, and want what the store has.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] and failures of the store, here or in the stream.
    pub async fn read(&self, object: &SealedObject) -> Result<ObjectStream, StorageError> {
        let past_cache = Self { cache: None, ..self.clone() };
        past_cache.stream_range(object, 0..object.seal.length_bytes()).await
    }

    /// The whole object at once, when it is at most `length_max_bytes` long.
    ///
    /// # Errors
    /// [`StorageError::NotFound`], [`StorageError::TooLong`] and failures of the store.
    pub async fn get(&self, object: &SealedObject, length_max_bytes: u64) -> Result<Bytes, StorageError> {
        let (key, length_bytes) = (object.key, object.seal.length_bytes());
        if length_bytes > length_max_bytes {
            return Err(StorageError::TooLong { key, length_bytes, length_max_bytes });
        }
        self.read_range(object, 0..length_bytes).await
    }

    /// Exactly the bytes of `range` at once. The caller bounds the range.
    ///
    /// # Errors
    /// [`StorageError::NotFound`], [`StorageError::PastEnd`], [`StorageError::Altered`],
    /// [`StorageError::KeyMissing`] and failures of the store.
    pub async fn read_range(&self, object: &SealedObject, range: Range<u64>) -> Result<Bytes, StorageError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let patient_key = self.keys.patient_key(object.seal.patient_key_id()).await?;
        self.read_with(object, range, &patient_key).await
    }

    pub(super) async fn read_with(
        &self,
        object: &SealedObject,
        range: Range<u64>,
        patient_key: &PatientKey,
    ) -> Result<Bytes, StorageError> {
        let key = object.key;
        let reading = Reading::new(object, range.clone(), patient_key)?;
        if let Some(cache) = self.cache_for(object, &range) {
            return Blocks::new(cache, reading).at_once().await;
        }
        let mut opener = reading.opener(&range);
        let stored = opener.stored_range();
        if stored.end - stored.start > ONE_READ_MAX_BYTES {
            let mut whole = BytesMut::with_capacity((range.end - range.start) as usize);
            let mut pieces = self.open_stream(&reading).await?;
            while let Some(piece) = pieces.try_next().await? {
                whole.extend_from_slice(&piece);
            }
            return Ok(whole.freeze());
        }
        let sealed = self.backend.read_range(key, stored, reading.whole()).await;
        let plain = opener.push(sealed.map_err(length_is_altered)?);
        let plain = plain.map_err(|ObjectAltered(what)| altered(key, what))?;
        if opener.is_done() { Ok(plain) } else { Err(altered(key, "it ends early")) }
    }

    /// Exactly the bytes of `range` as a stream, a few pieces ahead of the reader.
    ///
    /// # Errors
    /// As [`Self::read_range`]; later failures come in the stream.
    pub async fn stream_range(
        &self,
        object: &SealedObject,
        range: Range<u64>,
    ) -> Result<ObjectStream, StorageError> {
        if range.is_empty() {
            return Ok(Box::pin(stream::empty()));
        }
        let patient_key = self.keys.patient_key(object.seal.patient_key_id()).await?;
        let reading = Reading::new(object, range, &patient_key)?;
        match self.cache_for(object, &reading.range) {
            Some(cache) => Blocks::new(cache, reading).stream().await,
            None => self.open_stream(&reading).await,
        }
    }

    /// The cache, while it works, for a range that it takes. What the store is tried with does not go through it.
    fn cache_for(&self, object: &SealedObject, range: &Range<u64>) -> Option<&Arc<Cache>> {
        let length = range.end - range.start;
        self.cache.as_ref().filter(|cache| object.seal.kind() != ObjectKind::Probe && cache.takes(length))
    }

    async fn open_stream(&self, reading: &Reading) -> Result<ObjectStream, StorageError> {
        let (key, opener) = (reading.key, reading.opener(&reading.range));
        let sealed = self.backend.stream_range(key, opener.stored_range(), reading.whole()).await;
        let state = (sealed.map_err(length_is_altered)?, opener);
        Ok(Box::pin(stream::try_unfold(state, move |(mut sealed, mut opener)| async move {
            while let Some(piece) = sealed.try_next().await.map_err(length_is_altered)? {
                let plain = opener.push(piece).map_err(|ObjectAltered(what)| altered(key, what))?;
                if !plain.is_empty() {
                    return Ok(Some((plain, (sealed, opener))));
                }
            }
            if opener.is_done() { Ok(None) } else { Err(altered(key, "it ends early")) }
        })))
    }

    /// An object from what the store alone knows: its header and its seal agree with each other and with its length.
    ///
    /// # Errors
    /// [`StorageError::NotFound`], [`StorageError::Altered`] and failures of the store.
    pub async fn find(&self, key: ObjectKey) -> Result<SealedObject, StorageError> {
        let whole = self.backend.length(key).await?;
        let (head, tail) = (HEADER_BYTES as u64, SEAL_BYTES as u64);
        if whole < stored_length(0) {
            return Err(altered(key, "it is shorter than an empty one"));
        }
        let header = self.backend.read_range(key, 0..head, whole).await.map_err(length_is_altered)?;
        let seal =
            self.backend.read_range(key, whole - tail..whole, whole).await.map_err(length_is_altered)?;
        let seal = Seal::parse(&seal).ok_or_else(|| altered(key, "its seal is damaged"))?;
        if Header::parse(&header) != Some(seal.header(key)) || stored_length(seal.length_bytes()) != whole {
            return Err(altered(key, "its header, seal and length do not belong together"));
        }
        Ok(SealedObject { key, seal })
    }

    /// The same content as a new object under another patient key. The old one stays.
    ///
    /// # Errors
    /// As [`Self::read`], [`Self::create`] and [`ObjectWriter::finish`](crate::ObjectWriter::finish).
    pub async fn reseal(
        &self,
        object: &SealedObject,
        patient_key: &Arc<PatientKey>,
    ) -> Result<SealedObject, StorageError> {
        let mut content = self.read(object).await?;
        let mut writer = self.create(object.seal.kind()).await?;
        while let Some(bytes) = content.try_next().await? {
            writer.write(bytes).await?;
        }
        Ok(writer.finish(patient_key).await?.into())
    }
}

/// What is read of an object, and what opens it.
pub(super) struct Reading {
    key: ObjectKey,
    seal: Seal,
    header: Header,
    data_key: Secret,
    range: Range<u64>,
}

impl Reading {
    fn new(object: &SealedObject, range: Range<u64>, patient_key: &PatientKey) -> Result<Self, StorageError> {
        let SealedObject { key, seal } = object.clone();
        let length_bytes = seal.length_bytes();
        if range.end > length_bytes {
            return Err(StorageError::PastEnd { key, end: range.end, length_bytes });
        }
        let header = seal.header(key);
        let data_key = seal.open(&header, patient_key.wrap_key());
        let data_key = data_key.map_err(|ObjectAltered(what)| altered(key, what))?;
        Ok(Self { key, seal, header, data_key, range })
    }

    pub(super) fn key(&self) -> ObjectKey {
        self.key
    }

    pub(super) fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Bytes that the store keeps of the object.
    pub(super) fn whole(&self) -> u64 {
        stored_length(self.seal.length_bytes())
    }

    /// What opens a part of the object.
    pub(super) fn opener(&self, range: &Range<u64>) -> Opener {
        Opener::new(&self.header, &self.seal, &self.data_key, range)
    }
}

/// An object that is shorter or longer than it was written was altered.
pub(super) fn length_is_altered(error: StorageError) -> StorageError {
    match error {
        StorageError::LengthDiffers { key, .. } | StorageError::PastEnd { key, .. } => {
            altered(key, "its length differs")
        }
        error => error,
    }
}
