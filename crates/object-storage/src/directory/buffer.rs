//! Buffers that the disk can be written from without passing through the page cache.

use std::sync::{Mutex, PoisonError};

/// Bytes gathered before one trip to the disk; also what one writer keeps of small objects.
pub(super) const BUFFER_BYTES: usize = 1 << 20;
/// What `O_DIRECT` asks of addresses, offsets and lengths; a multiple of every common sector size.
const ALIGNMENT_BYTES: usize = 4096;
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
        assert_eq!(buffer.fill(b"x"), 0);
    }
}
