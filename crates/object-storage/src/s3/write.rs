//! Uploading one object: one PUT when it is small, else parts, one travelling while the next one fills.

use std::{mem, sync::Arc, time::Duration};

use aws_lc_rs::digest::{Context, Digest, SHA256};
use bytes::{Bytes, BytesMut};
use fail_point::Point;
use object_store::{
    MultipartId,
    multipart::{MultipartStore as _, PartId},
};
use tokio::task::JoinHandle;

use super::{
    S3,
    room::{BEGINNING_BYTES, FREE_BYTES, PART_BYTES, Place},
    upload::{Part, kept_other},
};
use crate::{error::StorageError, key::ObjectKey};

/// Waits between tries to remove what is left of an upload.
const REMOVAL_PAUSES: [Duration; 3] =
    [Duration::from_secs(10), Duration::from_secs(30), Duration::from_secs(90)];
/// Longest wait of who aborts; the removal goes on.
const ABORT_PATIENCE: Duration = Duration::from_secs(5);

/// An object on its way to the bucket.
pub(crate) struct S3Writer {
    s3: Arc<S3>,
    key: ObjectKey,
    buffer: BytesMut,
    /// What `buffer` takes of the memory for uploads.
    place: Option<Place>,
    length: u64,
    upload: Option<Upload>,
    travelling: Option<JoinHandle<Result<Part, StorageError>>>,
    /// Something may be at the server that nobody will ask for: remove it when dropped.
    started: bool,
    failed: bool,
}

/// An object that goes in parts.
struct Upload {
    id: MultipartId,
    begun: usize,
    arrived: Vec<PartId>,
    is_proved: bool,
    /// Of all parts begun, when they may have to be read back.
    hash: Option<Context>,
}

impl S3Writer {
    pub(crate) fn new(s3: &Arc<S3>, key: ObjectKey) -> Self {
        Self {
            s3: Arc::clone(s3),
            key,
            buffer: BytesMut::new(),
            place: None,
            length: 0,
            upload: None,
            travelling: None,
            started: false,
            failed: false,
        }
    }

    pub(crate) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), StorageError> {
        if self.failed {
            return Err(StorageError::GivenUp);
        }
        self.length += bytes.len() as u64;
        while !bytes.is_empty() {
            // Sent only when more comes: an object of exactly one part is one PUT.
            if self.buffer.len() == PART_BYTES {
                self.send_part().await?;
            }
            let room = self.make_room(bytes.len()).await?;
            let taken = bytes.len().min(room);
            self.buffer.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// Waits for memory: how much of what comes there is now.
    async fn make_room(&mut self, more: usize) -> Result<usize, StorageError> {
        let wanted = match self.buffer.len() + more {
            length if self.upload.is_some() || length > BEGINNING_BYTES => PART_BYTES,
            length if length > FREE_BYTES => BEGINNING_BYTES,
            _ => FREE_BYTES,
        };
        if self.place.as_ref().map_or(FREE_BYTES, |place| place.bytes) < wanted {
            // As in `send_part`. The former place stays until there is the new one: something is in it.
            self.failed = true;
            self.place = Some(self.s3.room.place(wanted).await?);
            self.failed = false;
            if wanted == PART_BYTES {
                self.buffer.reserve(PART_BYTES - self.buffer.len());
            }
        }
        Ok(wanted - self.buffer.len())
    }

    async fn send_part(&mut self) -> Result<(), StorageError> {
        // Set back on success: an error or a call cut off in between leaves a writer that takes no more.
        self.failed = true;
        self.await_part().await?;
        let part: Bytes = mem::take(&mut self.buffer).freeze();
        let place = self.place.take();
        let path = self.s3.path(self.key);
        if self.upload.is_none() {
            self.started = true;
            let begin = async {
                let id = self.s3.store.create_multipart(&path).await;
                id.map_err(StorageError::s3_write("begin an upload"))
            };
            let id = self.s3.within("begin an upload", begin).await?;
            let hash = self.s3.may_read_back().then(|| Context::new(&SHA256));
            self.upload = Some(Upload { id, begun: 0, arrived: Vec::new(), is_proved: true, hash });
            fail_point::pass(Point::K22UploadBegun);
        }
        let upload = self.upload.as_mut().ok_or(StorageError::GivenUp)?;
        if let Some(hash) = &mut upload.hash {
            hash.update(&part);
        }
        let number = upload.begun;
        upload.begun += 1;
        let (s3, id) = (Arc::clone(&self.s3), upload.id.clone());
        self.travelling = Some(tokio::spawn(async move {
            let sent = s3.within("upload a part", s3.put_part(&path, &id, number, &part)).await;
            drop(place);
            sent
        }));
        self.failed = false;
        Ok(())
    }

    async fn await_part(&mut self) -> Result<(), StorageError> {
        let Some(task) = self.travelling.take() else { return Ok(()) };
        let sent = task.await.map_err(|_| StorageError::Stopping)?;
        fail_point::pass(Point::K23PartUploaded);
        let Part { id, is_proved } = sent?;
        let upload = self.upload.as_mut().ok_or(StorageError::GivenUp)?;
        upload.arrived.push(id);
        upload.is_proved &= is_proved;
        Ok(())
    }

    pub(crate) async fn finish(mut self) -> Result<(), StorageError> {
        if self.failed {
            return Err(StorageError::GivenUp);
        }
        if self.upload.is_some() {
            self.send_part().await?;
            self.await_part().await?;
            fail_point::pass(Point::K24PartsUploaded);
        }
        let s3 = Arc::clone(&self.s3);
        let unproved = s3.within("store an object", self.conclude()).await?;
        if let Some(sent) = unproved {
            s3.read_back(self.key, self.length, &sent).await?;
        }
        self.started = false;
        fail_point::pass(Point::K26LengthCompared);
        Ok(())
    }

    /// The last requests, which have one deadline together. When nobody vouches for a part: the hash of all of them.
    async fn conclude(&mut self) -> Result<Option<Digest>, StorageError> {
        let path = self.s3.path(self.key);
        let mut unproved = None;
        if let Some(upload) = &mut self.upload {
            let parts = mem::take(&mut upload.arrived);
            let completed = self.s3.store.complete_multipart(&path, &upload.id, parts).await;
            completed.map_err(StorageError::s3_write("complete an upload"))?;
            if !upload.is_proved {
                let hash = upload.hash.take().ok_or_else(|| kept_other("upload a part"))?;
                unproved = Some(hash.finish());
            }
            self.upload = None;
        } else {
            self.started = true;
            let content = mem::take(&mut self.buffer).freeze();
            self.s3.put_proved("put object", &path, &content).await?;
        }
        fail_point::pass(Point::K25UploadCompleted);
        let stored_bytes = self.s3.length(self.key).await?;
        if stored_bytes != self.length {
            metrics::counter!("maxray_s3_uploads_altered_total").increment(1);
            return Err(StorageError::LengthDiffers {
                key: self.key,
                written_bytes: self.length,
                stored_bytes,
            });
        }
        Ok(unproved)
    }

    pub(crate) async fn abort(mut self) {
        if let Some(rest) = self.rest() {
            drop(tokio::time::timeout(ABORT_PATIENCE, tokio::spawn(rest.remove())).await);
        }
    }

    fn rest(&mut self) -> Option<Rest> {
        mem::take(&mut self.started).then(|| Rest {
            s3: Arc::clone(&self.s3),
            key: self.key,
            upload: self.upload.take().map(|upload| upload.id),
            travelling: self.travelling.take(),
        })
    }
}

impl Drop for S3Writer {
    fn drop(&mut self) {
        if let Some(rest) = self.rest()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(rest.remove());
        }
    }
}

/// What an unfinished upload left. The key is known to nobody, so the object can go even when the answer to its PUT
/// was lost.
struct Rest {
    s3: Arc<S3>,
    key: ObjectKey,
    upload: Option<MultipartId>,
    travelling: Option<JoinHandle<Result<Part, StorageError>>>,
}

impl Rest {
    /// Tries once; a bucket that is away is asked later, and nobody waits for that.
    async fn remove(mut self) {
        if let Some(task) = self.travelling.take() {
            // A part that arrives after the abort would stay.
            drop(task.await);
        }
        if self.try_to_remove().await.is_err() {
            tokio::spawn(self.remove_later());
        }
    }

    async fn remove_later(self) {
        for pause in REMOVAL_PAUSES {
            tokio::time::sleep(pause).await;
            match self.try_to_remove().await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%error, key = %self.key, "could not remove what is left of an object");
                }
            }
        }
    }

    async fn try_to_remove(&self) -> Result<(), StorageError> {
        let path = self.s3.path(self.key);
        let aborted = match &self.upload {
            None => Ok(()),
            Some(upload) => {
                let abort = async {
                    match self.s3.store.abort_multipart(&path, upload).await {
                        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                        Err(error) => Err(StorageError::s3_write("abort an upload")(error)),
                    }
                };
                self.s3.within("abort an upload", abort).await
            }
        };
        self.s3.delete(self.key).await?;
        aborted
    }
}
