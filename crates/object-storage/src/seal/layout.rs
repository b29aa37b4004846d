//! Where the chunks of an object lie, and which of them cover a range of plain bytes.

use std::ops::Range;

use super::{CHUNK_BYTES, HEADER_BYTES, SEAL_BYTES, SEALED_CHUNK_BYTES, TAG_BYTES};

/// Chunks of an object with so many plain bytes; an empty object has one empty chunk.
pub(crate) fn chunk_count(length_bytes: u64) -> u64 {
    length_bytes.div_ceil(CHUNK_BYTES as u64).max(1)
}

/// Bytes that the store keeps for so many plain bytes.
pub(crate) fn stored_length(length_bytes: u64) -> u64 {
    let tags = chunk_count(length_bytes) * TAG_BYTES as u64;
    length_bytes.saturating_add(tags + (HEADER_BYTES + SEAL_BYTES) as u64)
}

/// One ranged read: the chunks that cover a range, with the header when the first chunk is among them and the seal
/// when the last one is, so that whole objects are checked to the last byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// What to read of the store.
    pub(crate) stored: Range<u64>,
    /// Chunks in it.
    pub(crate) chunks: Range<u64>,
    /// Plain bytes of these chunks.
    pub(crate) plain: Range<u64>,
}

impl Span {
    /// `range` is not empty and ends within `length_bytes`.
    pub(crate) fn covering(range: &Range<u64>, length_bytes: u64) -> Self {
        let chunk = CHUNK_BYTES as u64;
        let (first, end) = (range.start / chunk, range.end.div_ceil(chunk));
        let is_last = end == chunk_count(length_bytes);
        let at = |index: u64| HEADER_BYTES as u64 + index * SEALED_CHUNK_BYTES as u64;
        let start = if first == 0 { 0 } else { at(first) };
        let stop = if is_last { stored_length(length_bytes) } else { at(end) };
        let plain_end = if is_last { length_bytes } else { end * chunk };
        Self { stored: start..stop, chunks: first..end, plain: first * chunk..plain_end }
    }
}
