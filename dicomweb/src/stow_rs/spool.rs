//! Bulk data on their way into a data set: short ones in memory, longer ones in a file without a name, which is gone with
//! the process. What lies there is encrypted under a key that is in memory alone: it is a patient's picture.

use std::{
    fs::File,
    io::{self, BufRead, Read, Seek, SeekFrom},
    ops::Range,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    sync::Arc,
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand,
};
use bytes::{Bytes, BytesMut};
use tokio::task::spawn_blocking;

/// Bytes that are sealed, written and read at once.
pub(super) const CHUNK_LENGTH_BYTES: usize = 256 << 10;
/// Ends of bulk data, and short ones, that one request keeps in memory; beyond that they go to the file as well.
const MEMORY_MAX_BYTES: usize = 4 << 20;
/// AES-GCM's authentication tag behind each chunk.
const TAG_LENGTH_BYTES: usize = 16;

/// Where long bulk data lie for the time of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpoolConfig {
    /// A directory; nothing in it has a name. Empty: the system's directory for temporary files.
    pub directory: PathBuf,
    /// Bytes of its file system that stay free.
    pub reserve_bytes: u64,
    /// Caps `reserve_bytes` at this share of the file system; 100 for no cap.
    pub reserve_percent_max: u8,
}

impl SpoolConfig {
    fn create(&self) -> io::Result<File> {
        if self.directory.as_os_str().is_empty() {
            tempfile::tempfile()
        } else {
            tempfile::tempfile_in(&self.directory)
        }
    }

    /// Whether a chunk still leaves the reserve alone: the database beside it must be able to write.
    fn has_room(&self, file: &File) -> io::Result<bool> {
        let status = rustix::fs::fstatvfs(file)?;
        let free_bytes = status.f_bavail.saturating_mul(status.f_frsize);
        let total_bytes = status.f_blocks.saturating_mul(status.f_frsize);
        let share = total_bytes / 100 * u64::from(self.reserve_percent_max.min(100));
        let reserve_bytes =
            if self.reserve_percent_max >= 100 { self.reserve_bytes } else { self.reserve_bytes.min(share) };
        Ok(free_bytes > reserve_bytes.saturating_add(CHUNK_LENGTH_BYTES as u64))
    }
}

/// The bulk data of one request.
pub(super) struct Spool {
    config: Arc<SpoolConfig>,
    file: Option<Arc<SealedFile>>,
    /// Chunks written, and the first byte behind them.
    chunks: u64,
    end: u64,
    /// Bytes kept in memory.
    memory_bytes: usize,
}

/// Bulk data that are coming in.
#[derive(Debug, Default)]
pub(super) struct SpoolWriter {
    buffer: BytesMut,
    chunks: Vec<Chunk>,
    length: u64,
}

/// Bulk data that came whole.
#[derive(Debug, Clone)]
pub(super) struct Spooled {
    /// All but the last are full.
    chunks: Arc<[Chunk]>,
    /// What is behind the chunks.
    tail: Bytes,
    file: Option<Arc<SealedFile>>,
    length: u64,
}

/// Where a chunk lies.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    number: u64,
    place: u64,
    length: usize,
}

struct SealedFile {
    file: File,
    key: LessSafeKey,
}

impl std::fmt::Debug for SealedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealedFile")
    }
}

impl SealedFile {
    fn create(config: &SpoolConfig) -> io::Result<Self> {
        let mut key = [0; 32];
        rand::fill(&mut key).map_err(|_| io::Error::other("no random bytes"))?;
        let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| io::Error::other("no key"))?;
        Ok(Self { file: config.create()?, key: LessSafeKey::new(key) })
    }

    /// Each chunk has its own number, and the key this file alone.
    fn nonce(chunk: Chunk) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[..8].copy_from_slice(&chunk.number.to_le_bytes());
        Nonce::assume_unique_for_key(nonce)
    }

    fn write(&self, chunk: Chunk, mut bytes: Vec<u8>) -> io::Result<()> {
        self.key
            .seal_in_place_append_tag(Self::nonce(chunk), Aad::empty(), &mut bytes)
            .map_err(|_| io::Error::other("a chunk was not sealed"))?;
        self.file.write_all_at(&bytes, chunk.place)
    }

    fn read(&self, chunk: Chunk) -> io::Result<Bytes> {
        let mut bytes = vec![0; chunk.length + TAG_LENGTH_BYTES];
        self.file.read_exact_at(&mut bytes, chunk.place)?;
        let opened = self.key.open_in_place(Self::nonce(chunk), Aad::empty(), &mut bytes);
        let length = opened.map_err(|_| io::Error::other("a chunk is not what was written"))?.len();
        bytes.truncate(length);
        Ok(Bytes::from(bytes))
    }
}

impl Spool {
    pub(super) fn new(config: &Arc<SpoolConfig>) -> Self {
        Self { config: Arc::clone(config), file: None, chunks: 0, end: 0, memory_bytes: 0 }
    }

    async fn append(&mut self, bytes: Vec<u8>) -> io::Result<Chunk> {
        let chunk = Chunk { number: self.chunks, place: self.end, length: bytes.len() };
        // Counted before it is written: no number is used twice, also after a failure.
        self.chunks += 1;
        self.end += (bytes.len() + TAG_LENGTH_BYTES) as u64;
        let (config, file) = (Arc::clone(&self.config), self.file.clone());
        let written = spawn_blocking(move || {
            let file = match file {
                Some(file) => file,
                None => Arc::new(SealedFile::create(&config)?),
            };
            if !config.has_room(&file.file)? {
                return Err(io::ErrorKind::StorageFull.into());
            }
            file.write(chunk, bytes).map(|()| file)
        });
        self.file = Some(written.await.map_err(io::Error::other)??);
        Ok(chunk)
    }
}

impl SpoolWriter {
    /// Bytes taken so far.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) async fn write(&mut self, spool: &mut Spool, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        self.length += bytes.len() as u64;
        // What fits into one chunk need not see the disk.
        while self.buffer.len() > CHUNK_LENGTH_BYTES {
            let chunk = self.buffer.split_to(CHUNK_LENGTH_BYTES).to_vec();
            self.chunks.push(spool.append(chunk).await?);
        }
        Ok(())
    }

    pub(super) async fn finish(mut self, spool: &mut Spool) -> io::Result<Spooled> {
        let mut tail = Bytes::new();
        if spool.memory_bytes + self.buffer.len() > MEMORY_MAX_BYTES {
            self.chunks.push(spool.append(self.buffer.to_vec()).await?);
        } else {
            spool.memory_bytes += self.buffer.len();
            // Of its own length: a buffer has room for more.
            tail = Bytes::copy_from_slice(&self.buffer);
        }
        Ok(Spooled { chunks: self.chunks.into(), tail, file: spool.file.clone(), length: self.length })
    }
}

impl Spooled {
    /// Bytes altogether.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The chunk that begins at a multiple of [`CHUNK_LENGTH_BYTES`]. Blocks, unless it is in memory.
    fn chunk(&self, number: u64) -> io::Result<Bytes> {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        match (self.chunks.get(index), &self.file) {
            (Some(chunk), Some(file)) => file.read(*chunk),
            _ if index == self.chunks.len() => Ok(self.tail.clone()),
            _ => Ok(Bytes::new()),
        }
    }

    /// What begins at `offset`, up to the end of its chunk; empty at the end.
    pub(super) async fn read(&self, offset: u64) -> io::Result<Bytes> {
        let number = offset / CHUNK_LENGTH_BYTES as u64;
        let within = (offset % CHUNK_LENGTH_BYTES as u64) as usize;
        let chunk = if number < self.chunks.len() as u64 {
            let spooled = self.clone();
            spawn_blocking(move || spooled.chunk(number)).await.map_err(io::Error::other)??
        } else {
            self.chunk(number)?
        };
        Ok(if within < chunk.len() { chunk.slice(within..) } else { Bytes::new() })
    }

    /// The first bytes, as many as there are but not more than `length_max_bytes`.
    pub(super) async fn head(&self, length_max_bytes: usize) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        while head.len() < length_max_bytes {
            let next = self.read(head.len() as u64).await?;
            if next.is_empty() {
                break;
            }
            head.extend_from_slice(&next[..next.len().min(length_max_bytes - head.len())]);
        }
        Ok(head)
    }

    /// A blocking reader of a part of it.
    pub(super) fn reader(&self, range: Range<u64>) -> SpoolReader {
        let end = range.end.min(self.length());
        let start = range.start.min(end);
        SpoolReader { spooled: self.clone(), start, position: start, end, chunk: (u64::MAX, Bytes::new()) }
    }
}

/// Reads what was spooled, for decoders that block.
pub(super) struct SpoolReader {
    spooled: Spooled,
    start: u64,
    position: u64,
    end: u64,
    /// The chunk in hand.
    chunk: (u64, Bytes),
}

impl BufRead for SpoolReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position >= self.end {
            return Ok(&[]);
        }
        let number = self.position / CHUNK_LENGTH_BYTES as u64;
        if self.chunk.0 != number {
            self.chunk = (number, self.spooled.chunk(number)?);
        }
        let within = (self.position % CHUNK_LENGTH_BYTES as u64) as usize;
        let rest = self.chunk.1.get(within..).unwrap_or_default();
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        Ok(&rest[..rest.len().min(left)])
    }

    fn consume(&mut self, amount: usize) {
        self.position = (self.position + amount as u64).min(self.end);
    }
}

impl Read for SpoolReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(buffer.len());
        buffer[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl Seek for SpoolReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => self.start.checked_add(offset),
            SeekFrom::End(offset) => self.end.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        let target = target.filter(|target| *target >= self.start).ok_or(io::ErrorKind::InvalidInput)?;
        self.position = target.min(self.end);
        Ok(self.position - self.start)
    }
}

#[cfg(test)]
mod tests;
