//! Uploading one object: one PUT when it is small, else parts, one travelling while the next one fills.

use std::{mem, sync::Arc};

use bytes::{Bytes, BytesMut};
use fail_point::Point;
use object_store::{MultipartUpload, ObjectStoreExt as _};
use tokio::task::JoinHandle;

use super::S3;
use crate::{error::StorageError, key::ObjectKey};

/// Size of a part, and the longest object that goes in one PUT. A writer keeps at most two of them.
const PART_BYTES: usize = 8 << 20;

/// An object on its way to the bucket.
pub(crate) struct S3Writer {
    s3: Arc<S3>,
    key: ObjectKey,
    buffer: BytesMut,
    length: u64,
    upload: Option<Box<dyn MultipartUpload>>,
    travelling: Option<JoinHandle<object_store::Result<()>>>,
    /// Something may be at the server that nobody will ask for: remove it when dropped.
    started: bool,
    failed: bool,
}

impl S3Writer {
    pub(crate) fn new(s3: &Arc<S3>, key: ObjectKey) -> Self {
        Self {
            s3: Arc::clone(s3),
            key,
            buffer: BytesMut::new(),
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
            let taken = bytes.len().min(PART_BYTES - self.buffer.len());
            self.buffer.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    async fn send_part(&mut self) -> Result<(), StorageError> {
        // Set back on success: an error or a call cut off in between leaves a writer that takes no more.
        self.failed = true;
        self.await_part().await?;
        let part: Bytes = mem::take(&mut self.buffer).freeze();
        if self.upload.is_none() {
            self.started = true;
            let upload = self.s3.store.put_multipart(&self.s3.path(self.key)).await;
            self.upload = Some(upload.map_err(StorageError::s3_write("begin an upload"))?);
            fail_point::pass(Point::K22UploadBegun);
        }
        let upload = self.upload.as_mut().ok_or(StorageError::GivenUp)?;
        self.travelling = Some(tokio::spawn(upload.put_part(part.into())));
        self.failed = false;
        Ok(())
    }

    async fn await_part(&mut self) -> Result<(), StorageError> {
        match self.travelling.take() {
            None => Ok(()),
            Some(task) => match task.await {
                Ok(result) => {
                    fail_point::pass(Point::K23PartUploaded);
                    result.map_err(StorageError::s3_write("upload a part"))
                }
                Err(_) => Err(StorageError::Stopping),
            },
        }
    }

    pub(crate) async fn finish(mut self) -> Result<(), StorageError> {
        if self.failed {
            return Err(StorageError::GivenUp);
        }
        if self.upload.is_some() {
            self.send_part().await?;
            self.await_part().await?;
            fail_point::pass(Point::K24PartsUploaded);
            let upload = self.upload.as_mut().ok_or(StorageError::GivenUp)?;
            upload.complete().await.map_err(StorageError::s3_write("complete an upload"))?;
            self.upload = None;
        } else {
            self.started = true;
            let content = mem::take(&mut self.buffer).freeze();
            let put = self.s3.store.put(&self.s3.path(self.key), content.into()).await;
            put.map_err(StorageError::s3_write("put object"))?;
        }
        fail_point::pass(Point::K25UploadCompleted);
        let stored_bytes = self.s3.length(self.key).await?;
        if stored_bytes != self.length {
            return Err(StorageError::LengthDiffers {
                key: self.key,
                written_bytes: self.length,
                stored_bytes,
            });
        }
        self.started = false;
        fail_point::pass(Point::K26LengthCompared);
        Ok(())
    }

    pub(crate) async fn abort(mut self) {
        if mem::take(&mut self.started) {
            remove(Arc::clone(&self.s3), self.key, self.upload.take(), self.travelling.take()).await;
        }
    }
}

impl Drop for S3Writer {
    fn drop(&mut self) {
        if self.started
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (upload, travelling) = (self.upload.take(), self.travelling.take());
            runtime.spawn(remove(Arc::clone(&self.s3), self.key, upload, travelling));
        }
    }
}

/// Removes what an unfinished upload left. The key is known to nobody, so the object can go even when the answer
/// to its PUT was lost.
async fn remove(
    s3: Arc<S3>,
    key: ObjectKey,
    upload: Option<Box<dyn MultipartUpload>>,
    travelling: Option<JoinHandle<object_store::Result<()>>>,
) {
    if let Some(task) = travelling {
        // A part that arrives after the abort would stay.
        drop(task.await);
    }
    if let Some(mut upload) = upload
        && let Err(error) = upload.abort().await
    {
        tracing::warn!(%error, %key, "could not abort an upload");
    }
    if let Err(error) = s3.delete(key).await {
        tracing::warn!(%error, %key, "could not remove what is left of an object");
    }
}
