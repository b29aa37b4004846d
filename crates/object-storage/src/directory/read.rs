//! Reading: whole small ranges in one trip, longer ones in pieces with one piece read ahead.

use std::{fs::File, io, ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::stream;
use rustix::{buffer::spare_capacity, fs::Advice};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Directory, blocking, joined, not_found_or};
use crate::{
    error::StorageError,
    key::ObjectKey,
    seal::{HEADER_BYTES, SEALED_CHUNK_BYTES},
    storage::ObjectStream,
};

/// Ranges up to this are read in one trip.
const ONE_READ_MAX_BYTES: u64 = 1 << 20;
/// Longer ones are read in pieces of this, which end where a sealed chunk does: none has to be put together from two pieces. A
/// slow reader holds two of them and no thread.
const PIECE_BYTES: u64 = 8 * SEALED_CHUNK_BYTES as u64;

impl Directory {
    pub(crate) async fn read_range(
        &self,
        key: ObjectKey,
        range: Range<u64>,
        whole: u64,
    ) -> Result<Bytes, StorageError> {
        let path = self.object_path(key);
        blocking(move || {
            let file = File::open(path).map_err(|error| not_found_or("open object", key, error))?;
            check_length(&file, key, whole)?;
            read_exactly(&file, key, range)
        })
        .await
    }

    pub(crate) async fn stream_range(
        &self,
        key: ObjectKey,
        range: Range<u64>,
        whole: u64,
    ) -> Result<ObjectStream, StorageError> {
        let first = range.start..end_of_first(&range);
        let rest = first.end..range.end;
        let path = self.object_path(key);
        let (file, bytes) = blocking(move || {
            let file = File::open(path).map_err(|error| not_found_or("open object", key, error))?;
            check_length(&file, key, whole)?;
            if first.end < range.end {
                // Only a hint: a file system that does not take it reads as it likes.
                let _ = rustix::fs::fadvise(&file, range.start, None, Advice::Sequential);
            }
            let bytes = read_exactly(&file, key, first)?;
            Ok((file, bytes))
        })
        .await?;
        if rest.is_empty() {
            return Ok(Box::pin(stream::once(async { Ok(bytes) })));
        }
        let mut chunks = Chunks { file: Arc::new(file), key, rest, next: None };
        chunks.read_ahead();
        Ok(Box::pin(stream::try_unfold((Some(bytes), chunks), |(first, mut chunks)| async move {
            if let Some(bytes) = first {
                return Ok(Some((bytes, (None, chunks))));
            }
            let Some(task) = chunks.next.take() else { return Ok(None) };
            let bytes = joined(task).await?;
            chunks.read_ahead();
            Ok(Some((bytes, (None, chunks))))
        })))
    }
}

/// The part of a stream that is still to come.
struct Chunks {
    file: Arc<File>,
    key: ObjectKey,
    rest: Range<u64>,
    next: Option<JoinHandle<Result<Bytes, StorageError>>>,
}

impl Chunks {
    fn read_ahead(&mut self) {
        if self.rest.is_empty() {
            return;
        }
        let end = self.rest.end.min(end_of_piece(self.rest.start));
        let chunk = self.rest.start..end;
        self.rest.start = end;
        let (file, key) = (Arc::clone(&self.file), self.key);
        self.next = Some(spawn_blocking(move || read_exactly(&file, key, chunk)));
    }
}

fn end_of_first(range: &Range<u64>) -> u64 {
    if range.end - range.start <= ONE_READ_MAX_BYTES { range.end } else { end_of_piece(range.start) }
}

/// Where the piece ends that begins at `start`.
fn end_of_piece(start: u64) -> u64 {
    let header = HEADER_BYTES as u64;
    header + (start.saturating_sub(header) / PIECE_BYTES + 1) * PIECE_BYTES
}

fn check_length(file: &File, key: ObjectKey, whole: u64) -> Result<(), StorageError> {
    let stored_bytes = file.metadata().map_err(StorageError::io("stat object"))?.len();
    if stored_bytes != whole {
        return Err(StorageError::LengthDiffers { key, written_bytes: whole, stored_bytes });
    }
    Ok(())
}

/// Reads the range, which lies in the file when it was opened: memory is taken only for bytes that are there.
fn read_exactly(file: &File, key: ObjectKey, range: Range<u64>) -> Result<Bytes, StorageError> {
    let length = usize::try_from(range.end - range.start)
        .map_err(|_| StorageError::io("read object")(io::Error::from(io::ErrorKind::OutOfMemory)))?;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let offset = range.start + bytes.len() as u64;
        let read = match rustix::io::pread(file, spare_capacity(&mut bytes), offset) {
            Err(rustix::io::Errno::INTR) => continue,
            result => result.map_err(StorageError::io("read object"))?,
        };
        if read == 0 {
            return Err(StorageError::PastEnd { key, end: range.end, length_bytes: offset });
        }
    }
    // The allocator may have given more room than was asked for.
    bytes.truncate(length);
    Ok(Bytes::from(bytes))
}
