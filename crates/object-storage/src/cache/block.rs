//! A block: so many chunks of an object as they are sealed, with the header before its first and the seal after its last.

use std::ops::Range;

use crate::{
    key::ObjectKey,
    seal::{CHUNK_BYTES, HEADER_BYTES, SEAL_BYTES, SEALED_CHUNK_BYTES},
};

/// Chunks of every block but the last.
const CHUNKS: u64 = 16;
/// Plain bytes of them, 1 MiB, and what they are sealed.
const PLAIN_BYTES: u64 = CHUNKS * CHUNK_BYTES as u64;
const SEALED_BYTES: u64 = CHUNKS * SEALED_CHUNK_BYTES as u64;

/// Which block of which object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Block {
    key: ObjectKey,
    number: u32,
}

impl Block {
    pub(crate) fn new(key: ObjectKey, number: u32) -> Self {
        Self { key, number }
    }

    /// The blocks of an object that hold these plain bytes.
    pub(crate) fn numbers(plain: &Range<u64>) -> Range<u32> {
        let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        number(plain.start / PLAIN_BYTES)..number(plain.end.div_ceil(PLAIN_BYTES))
    }

    pub(crate) fn key(self) -> ObjectKey {
        self.key
    }

    pub(crate) fn number(self) -> u32 {
        self.number
    }

    /// What of these plain bytes is in it.
    pub(crate) fn part_of(self, plain: &Range<u64>) -> Range<u64> {
        let start = u64::from(self.number) * PLAIN_BYTES;
        plain.start.max(start)..plain.end.min(start + PLAIN_BYTES)
    }

    /// Where it lies in an object of which the store keeps `whole` bytes.
    pub(crate) fn stored(self, whole: u64) -> Range<u64> {
        let at = |number: u64| HEADER_BYTES as u64 + number * SEALED_BYTES;
        let number = u64::from(self.number);
        let start = if number == 0 { 0 } else { at(number) };
        let end = at(number + 1);
        // Nothing but the seal comes after the last one.
        let is_last = end + SEAL_BYTES as u64 >= whole;
        start..if is_last { whole } else { end }
    }

    /// The folder of its file.
    pub(super) fn shard(self) -> String {
        format!("{:02x}", self.key.shard())
    }

    pub(super) fn file_name(self) -> String {
        format!("{}.{}", self.key, self.number)
    }

    /// Reads [`Self::file_name`]; `None` for what this crate never writes.
    pub(super) fn from_file_name(name: &str) -> Option<Self> {
        let (key, number) = name.split_once('.')?;
        let block = Self { key: ObjectKey::from_file_name(key)?, number: number.parse().ok()? };
        (block.file_name() == name).then_some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::{Span, stored_length};

    /// Whatever is read of a block lies in it, and the blocks follow each other from the first byte to the last.
    #[test]
    fn blocks_cover_an_object_and_every_read_of_them() {
        let key = ObjectKey::generate();
        let (chunk, block) = (CHUNK_BYTES as u64, PLAIN_BYTES);
        for length in [1, chunk, block - 1, block, block + 1, 2 * block, 3 * block + chunk, 3 * block + 7] {
            let whole = stored_length(length);
            let mut end = 0;
            for number in Block::numbers(&(0..length)) {
                let one = Block::new(key, number);
                let (stored, plain) = (one.stored(whole), one.part_of(&(0..length)));
                assert_eq!(stored.start, end, "{length}, block {number}");
                assert_eq!(Span::covering(&plain, length).stored, stored, "{length}, block {number}");
                for part in [plain.start..plain.start + 1, plain.end - 1..plain.end] {
                    let read = Span::covering(&part, length).stored;
                    assert!(stored.start <= read.start && read.end <= stored.end, "{length}, {part:?}");
                }
                end = stored.end;
            }
            assert_eq!(end, whole, "{length}");
        }
        assert_eq!(Block::numbers(&(block - 1..block + 1)), 0..2);
        assert_eq!(Block::numbers(&(block..block + 1)), 1..2);
    }

    #[test]
    fn a_file_name_is_read_back_and_nothing_else_is() {
        let block = Block::new(ObjectKey::generate(), 17);
        assert_eq!(Block::from_file_name(&block.file_name()), Some(block));
        let key = block.key().to_string();
        for name in [key.clone(), format!("{key}.+1"), format!("{key}.01"), ".new-1".to_owned()] {
            assert_eq!(Block::from_file_name(&name), None, "{name}");
        }
    }
}
