//! Which blocks are on the disk, how much room they take, and which of them was not used for the longest time.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
    time::{SystemTime, UNIX_EPOCH},
};

use super::Block;
use crate::key::ObjectKey;

/// Blocks at most, whatever they hold: each takes some hundred bytes of memory.
const BLOCKS_MAX: usize = 1 << 19;

/// In memory alone: a start makes it anew of what lies there.
pub(super) struct Index {
    bytes_max: u64,
    bytes: u64,
    blocks: BTreeMap<Block, Entry>,
    /// By when they were used last.
    by_use: BTreeSet<(u64, Block)>,
    last_use: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    bytes: u64,
    used: u64,
}

impl Index {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            bytes: 0,
            blocks: BTreeMap::new(),
            by_use: BTreeSet::new(),
            last_use: nanoseconds(SystemTime::now()),
        }
    }

    pub(super) fn contains(&self, block: Block) -> bool {
        self.blocks.contains_key(&block)
    }

    /// Notes that it is used now; false when it is not there.
    pub(super) fn touch(&mut self, block: Block) -> bool {
        let used = self.now();
        let Some(entry) = self.blocks.get_mut(&block) else { return false };
        self.by_use.remove(&(entry.used, block));
        entry.used = used;
        self.by_use.insert((used, block));
        true
    }

    /// Adds what is used now; gives the blocks that have to go for it.
    pub(super) fn insert(&mut self, block: Block, bytes: u64) -> Vec<Block> {
        self.remove(block);
        let used = self.now();
        self.add(block, Entry { bytes, used });
        self.take_surplus()
    }

    /// The same for what an earlier process has left, which was written then.
    pub(super) fn insert_found(&mut self, block: Block, bytes: u64, at: SystemTime) -> Vec<Block> {
        if self.contains(block) {
            return Vec::new();
        }
        let used = nanoseconds(at).min(self.last_use);
        self.add(block, Entry { bytes, used });
        self.take_surplus()
    }

    /// False when it was not there.
    pub(super) fn remove(&mut self, block: Block) -> bool {
        let Some(entry) = self.blocks.remove(&block) else { return false };
        self.by_use.remove(&(entry.used, block));
        self.bytes -= entry.bytes;
        self.tell();
        true
    }

    /// Removes the blocks of an object, and says which there were.
    pub(super) fn remove_object(&mut self, key: ObjectKey) -> Vec<Block> {
        let all = Block::new(key, 0)..=Block::new(key, u32::MAX);
        let blocks: Vec<Block> = self.blocks.range(all).map(|(block, _)| *block).collect();
        for block in &blocks {
            self.remove(*block);
        }
        blocks
    }

    /// Takes out so many of those that were not used for the longest time.
    pub(super) fn take(&mut self, count: usize) -> Vec<Block> {
        (0..count).map_while(|_| self.take_oldest()).collect()
    }

    fn take_surplus(&mut self) -> Vec<Block> {
        iter::from_fn(|| {
            let is_surplus = self.bytes > self.bytes_max || self.blocks.len() > BLOCKS_MAX;
            if is_surplus { self.take_oldest() } else { None }
        })
        .collect()
    }

    fn take_oldest(&mut self) -> Option<Block> {
        let (_, block) = *self.by_use.first()?;
        self.remove(block);
        metrics::counter!("maxray_object_cache_evictions_total").increment(1);
        Some(block)
    }

    fn add(&mut self, block: Block, entry: Entry) {
        self.blocks.insert(block, entry);
        self.by_use.insert((entry.used, block));
        self.bytes += entry.bytes;
        self.tell();
    }

    fn tell(&self) {
        metrics::gauge!("maxray_object_cache_bytes").set(self.bytes as f64);
    }

    /// Later than all that was, whatever the clock says.
    fn now(&mut self) -> u64 {
        self.last_use = nanoseconds(SystemTime::now()).max(self.last_use + 1);
        self.last_use
    }
}

fn nanoseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn blocks(count: u32) -> Vec<Block> {
        let key = ObjectKey::generate();
        (0..count).map(|number| Block::new(key, number)).collect()
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_goes_at_the_limit() {
        let mut index = Index::new(30);
        let all = blocks(5);
        for block in &all[..3] {
            assert_eq!(index.insert(*block, 10), []);
        }
        assert!(index.touch(all[0]));
        assert_eq!(index.insert(all[3], 10), [all[1]]);
        assert_eq!(index.insert(all[4], 15), [all[2], all[0]]);
        assert!(!index.touch(all[0]));
        // The same once more takes no more room.
        assert_eq!(index.insert(all[4], 15), []);
        assert_eq!(index.bytes, 25);
        assert_eq!(index.take(9), [all[3], all[4]]);
        assert_eq!((index.bytes, index.by_use.len()), (0, 0));
    }

    #[test]
    fn what_an_earlier_process_left_goes_by_its_age() {
        let mut index = Index::new(30);
        let all = blocks(4);
        let now = SystemTime::now();
        let ago = |seconds| now - Duration::from_secs(seconds);
        assert_eq!(index.insert_found(all[0], 10, ago(30)), []);
        // A clock that was ahead.
        assert_eq!(index.insert_found(all[1], 10, now + Duration::from_hours(1)), []);
        assert_eq!(index.insert_found(all[2], 10, ago(50)), []);
        assert_eq!(index.insert_found(all[3], 10, ago(40)), [all[2]]);
        assert_eq!(index.insert_found(all[3], 10, now), [], "it is known");
        assert!(index.touch(all[0]));
        assert_eq!(index.take(1), [all[3]]);
        assert_eq!(index.remove_object(all[0].key()), [all[0], all[1]]);
        assert_eq!(index.bytes, 0);
    }
}
