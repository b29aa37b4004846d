//! Buffers that the disk can be written from without passing through the page cache.

use std::sync::{Mutex, PoisonError};

/// Bytes gathered before one trip to the disk; also what one writer keeps of small objects.
pub(super) const BUFFER_BYTES: usize = 1 << 20;
/// What `O_DIRECT` asks of addresses, offsets and lengths; a multiple of every common sector size.
const ALIGNMENT_BYTES: usize = 4096;
/// From this on the end of an object goes past the page cache too: measured with objects of 0.5 MB and four writers, half the processor's
/// time and half as many again in a second; below it the page cache wins.
const DIRECT_FROM_BYTES: usize = 128 << 10;
/// Buffers kept for the next writer.
const IDLE_BUFFERS_MAX: usize = 16;

/// Room for [`BUFFER_BYTES`], starting at an aligned address.
pub(super) struct Buffer {
    storage: Vec<u8>,
    start: usize,
    filled: usize,
}

impl Buffer {
    fn new() -> Self {
        let storage = vec![0; BUFFER_BYTES + ALIGNMENT_BYTES];
        // `align_offset` may say that it cannot tell; then writing falls back to the page cache.
        let offset = storage.as_ptr().align_offset(ALIGNMENT_BYTES);
        Self { start: if offset <= ALIGNMENT_BYTES { offset } else { 0 }, storage, filled: 0 }
    }

    /// Takes as much as there is room for and says how much that was.
    pub(super) fn fill(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(BUFFER_BYTES - self.filled);
        let at = self.start + self.filled;
        self.storage[at..at + taken].copy_from_slice(&bytes[..taken]);
        self.filled += taken;
        taken
    }

    pub(super) fn is_full(&self) -> bool {
        self.filled == BUFFER_BYTES
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.storage[self.start..self.start + self.filled]
    }

    /// The part of what was gathered that the disk takes directly: whole sectors, or nothing when they are not worth it.
    pub(super) fn sectors(&self) -> &[u8] {
        let bytes = self.bytes();
        if bytes.len() < DIRECT_FROM_BYTES {
            return &[];
        }
        &bytes[..bytes.len() - bytes.len() % ALIGNMENT_BYTES]
    }

    pub(super) fn clear(&mut self) {
        self.filled = 0;
    }
}

/// Buffers between two uses.
#[derive(Default)]
pub(super) struct BufferPool(Mutex<Vec<Buffer>>);

impl BufferPool {
    pub(super) fn take(&self) -> Buffer {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(Buffer::new)
    }

    pub(super) fn give_back(&self, mut buffer: Buffer) {
        buffer.clear();
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_BUFFERS_MAX {
            idle.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_aligned_and_takes_no_more_than_it_holds() {
        let mut buffer = BufferPool::default().take();
        assert_eq!(buffer.bytes().as_ptr().align_offset(ALIGNMENT_BYTES), 0);
        assert_eq!(buffer.fill(b"abc"), 3);
        assert_eq!(buffer.fill(&vec![1; BUFFER_BYTES]), BUFFER_BYTES - 3);
        assert!(buffer.is_full());
        assert_eq!(&buffer.bytes()[..4], b"abc\x01");
        assert_eq!(buffer.sectors(), buffer.bytes());
        assert_eq!(buffer.fill(b"x"), 0);
    }
    #[test]
    fn whole_sectors_of_a_long_end_go_past_the_page_cache() {
        let mut buffer = BufferPool::default().take();
        buffer.fill(&vec![1; DIRECT_FROM_BYTES - 1]);
        assert_eq!(buffer.sectors(), b"", "it is short");
        buffer.fill(b"22");
        assert_eq!(
            buffer.sectors(),
            &vec![1; DIRECT_FROM_BYTES - 1].into_iter().chain([b'2']).collect::<Vec<u8>>()
        );
        buffer.fill(&vec![3; ALIGNMENT_BYTES - 1]);
        assert_eq!(buffer.sectors().len(), DIRECT_FROM_BYTES + ALIGNMENT_BYTES);
    }
}
