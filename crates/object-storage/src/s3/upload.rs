//! Uploads that the bucket is known to have kept as they were sent.
//!
//! It is known from what the bucket says that it kept (`x-amz-checksum-sha256`, or an ETag that is the MD5), or because
//! the bucket refuses what was altered on its way (`probe`). Else what was uploaded is read
//! back.

use std::{fmt::Write as _, ops::Range};

use aws_lc_rs::digest::{Context, Digest, SHA256};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use md5::{Digest as _, Md5};
use object_store::{
    MultipartId, ObjectStoreExt as _,
    multipart::{MultipartStore as _, PartId},
    path::Path,
};

use super::{S3, probe::Echo, transport::Echoed};
use crate::{error::StorageError, key::ObjectKey};

/// What the client's name for a part contains when the bucket named the checksum that was sent; another one is an error of
/// the upload.
const ECHOED_PART: &str = "<checksum_sha256>";

/// A part that has arrived.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) id: PartId,
    /// Nothing of it has to be read back.
    pub(super) is_proved: bool,
}

impl S3 {
    /// One PUT.
    pub(super) async fn put_proved(
        &self,
        operation: &'static str,
        path: &Path,
        content: &Bytes,
    ) -> Result<(), StorageError> {
        let put = self.store.put(path, content.clone().into()).await;
        let put = put.map_err(StorageError::s3_write(operation))?;
        let echoed = put.extensions.get::<Echoed>().is_some();
        if self.is_proved(echoed, put.e_tag.unwrap_or_default(), content).await {
            return Ok(());
        }
        let kept = self.store.get(path).await.map_err(StorageError::s3_write(operation))?;
        let kept = self.to_its_end(kept.bytes().await).map_err(StorageError::s3_write(operation))?;
        if kept == *content { Ok(()) } else { Err(kept_other(operation)) }
    }

    /// One part of an upload, counted from 0.
    pub(super) async fn put_part(
        &self,
        path: &Path,
        upload: &MultipartId,
        number: usize,
        part: &Bytes,
    ) -> Result<Part, StorageError> {
        let id = self.store.put_part(path, upload, number, part.clone().into()).await;
        let id = id.map_err(StorageError::s3_write("upload a part"))?;
        let echoed = id.content_id.contains(ECHOED_PART);
        let is_proved = self.is_proved(echoed, id.content_id.clone(), part).await;
        Ok(Part { id, is_proved })
    }

    /// Whether a part may have to be read back, so that all of them have to be hashed on their way.
    pub(super) fn may_read_back(&self) -> bool {
        let known = self.known();
        known.echo == Echo::Md5 || known.echo == Echo::Nothing && !known.refuses_altered
    }

    /// Reads a whole object that was sent in parts.
    pub(super) async fn read_back(
        &self,
        key: ObjectKey,
        length: u64,
        sent: &Digest,
    ) -> Result<(), StorageError> {
        let whole: Range<u64> = 0..length;
        let mut chunks = self.stream_range(key, whole, length).await?;
        let mut hash = Context::new(&SHA256);
        while let Some(bytes) = chunks.try_next().await? {
            hash.update(&bytes);
        }
        let (kept, sent): (Digest, &[u8]) = (hash.finish(), sent.as_ref());
        if kept.as_ref() == sent { Ok(()) } else { Err(kept_other("read an upload back")) }
    }

    /// `answer` holds the ETag. One that is not the MD5 proves nothing: with encryption on the server it is something else.
    async fn is_proved(&self, echoed: bool, answer: String, content: &Bytes) -> bool {
        let known = self.known();
        if echoed || known.refuses_altered && known.echo != Echo::Md5 {
            return true;
        }
        let content = content.clone();
        let named = tokio::task::spawn_blocking(move || names_md5_of(&answer, &content));
        named.await.unwrap_or(false)
    }
}

/// Whether the ETag in `answer` is the MD5 of `content`.
pub(super) fn names_md5_of(answer: &str, content: &[u8]) -> bool {
    let mut md5 = String::with_capacity(32);
    for byte in Md5::digest(content) {
        let _infallible = write!(md5, "{byte:02x}");
    }
    answer.contains(&md5)
}

/// Counts it, too.
pub(super) fn kept_other(operation: &'static str) -> StorageError {
    metrics::counter!("maxray_s3_uploads_altered_total").increment(1);
    StorageError::KeptOther { operation }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1321 A.5.
    #[test]
    fn an_etag_is_compared_with_the_md5_of_what_was_sent() {
        let etag = "\"f96b697d7cb7938d525a2f31aaf161d0\"";
        assert!(names_md5_of(etag, b"message digest"));
        assert!(!names_md5_of(etag, b"message digesu"));
        assert!(!names_md5_of("", b"message digest"));
    }
}
