//! The bytes of one file three times over: as programs see them, as they are on the platter, and what was written
//! since the last sync of this file.

use super::Loss;
use crate::random::Random;

/// What a disk writes whole or not at all. SQLite and PostgreSQL both rely on it and on no more.
const SECTOR_BYTES: usize = 512;

/// One file's bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Resize(usize),
    Zero { at: usize, length: usize },
}

impl Content {
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        Self { durable: bytes.clone(), seen: bytes, unsynced: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    pub(super) fn read(&self, at: usize, length: usize) -> &[u8] {
        let from = at.min(self.seen.len());
        &self.seen[from..from.saturating_add(length).min(self.seen.len())]
    }

    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        self.change(Change::Write { at, bytes: bytes.to_vec() });
    }

    pub(super) fn resize(&mut self, length: usize) {
        self.change(Change::Resize(length));
    }

    /// Zeroes what is there of a range; the length stays.
    pub(super) fn zero(&mut self, at: usize, length: usize) {
        self.change(Change::Zero { at, length });
    }

    /// fsync or fdatasync: everything so far is on the platter.
    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    pub(super) fn has_unsynced(&self) -> bool {
        !self.unsynced.is_empty()
    }

    /// What is on the platter after a cut. Between two syncs a disk may write in any order and stop anywhere, so
    /// that [`Loss::Torn`] keeps any sectors, a later one without an earlier one too.
    pub(super) fn cut(mut self, loss: Loss, random: &mut Random) -> Self {
        if loss == Loss::Torn {
            let kept_of_256 = [0, 64, 192, 252][random.below(4)];
            for change in self.unsynced.drain(..) {
                change.tear(&mut self.durable, &mut || random.below(256) < kept_of_256);
            }
        }
        Self::of(self.durable)
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.unsynced.push(change);
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes: written } => put(bytes, *at, written),
            Self::Resize(length) => bytes.resize(*length, 0),
            Self::Zero { at, length } => {
                let end = at.saturating_add(*length).min(bytes.len());
                bytes[(*at).min(end)..end].fill(0);
            }
        }
    }

    fn tear(&self, bytes: &mut Vec<u8>, kept: &mut dyn FnMut() -> bool) {
        let Self::Write { at, bytes: written } = self else {
            if kept() {
                self.apply(bytes);
            }
            return;
        };
        let mut from = 0;
        while from < written.len() {
            let to = (from + SECTOR_BYTES - (at + from) % SECTOR_BYTES).min(written.len());
            if kept() {
                put(bytes, at + from, &written[from..to]);
            }
            from = to;
        }
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, written: &[u8]) {
    let end = at + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[at..end].copy_from_slice(written);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_cut(content: &Content, loss: Loss, seed: u64) -> Vec<u8> {
        content.clone().cut(loss, &mut Random::new(seed)).seen
    }

    #[test]
    fn what_was_not_synced_is_lost_and_length_with_it() {
        let mut content = Content::default();
        content.write(0, b"abc");
        content.sync();
        content.write(1, b"XYZ");
        content.resize(100);
        assert_eq!((content.read(0, 9), content.len()), (&b"aXYZ\0\0\0\0\0"[..], 100));
        assert_eq!(after_cut(&content, Loss::Unsynced, 1), b"abc");
        content.sync();
        assert!(!content.has_unsynced());
        assert_eq!(after_cut(&content, Loss::Unsynced, 1).len(), 100);
    }

    #[test]
    fn a_torn_write_breaks_at_sectors_only() {
        let mut content = Content::of(vec![0; 4096]);
        content.write(100, &[1; 3000]);
        let mut torn = 0;
        for seed in 0..64 {
            let bytes = after_cut(&content, Loss::Torn, seed);
            assert_eq!(bytes.len(), 4096);
            for sector in bytes.chunks(SECTOR_BYTES) {
                let written = sector.iter().map(|byte| usize::from(*byte)).sum::<usize>();
                assert!([0, 412, 512, 3100 - 6 * 512].contains(&written), "{written} bytes of one sector");
            }
            let written = bytes.iter().map(|byte| usize::from(*byte)).sum::<usize>();
            torn += usize::from(written != 0 && written != 3000);
        }
        assert!(torn > 10, "{torn} of 64 were torn");
    }

    #[test]
    fn zeroing_stays_within_the_length() {
        let mut content = Content::of(b"abcdef".to_vec());
        content.zero(4, 100);
        content.zero(50, 2);
        assert_eq!(content.read(0, 100), b"abcd\0\0");
    }
}
