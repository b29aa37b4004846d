//! What is written to the disk, and what goes from it.

use bytes::Bytes;

use super::{Block, Cache, files::taken_bytes};
use crate::key::ObjectKey;

/// Blocks that go for each one that the reserve of the disk keeps out.
const GIVEN_UP: usize = 2;

impl Cache {
    /// Writes a block that has come, and makes room for it.
    pub(super) async fn keep(&self, block: Block, bytes: Bytes) {
        let Some(evicted) = self.admit(block, bytes.len() as u64) else { return };
        let written = self.on_disk(move |files| {
            files.remove(&evicted)?;
            files.write(block, &bytes)
        });
        let written = written.await;
        let is_wanted = self.state().index.contains(block);
        match written {
            Ok(true) if is_wanted => {}
            // Removed while it was written.
            Ok(true) => self.remove_files(vec![block]).await,
            Ok(false) => self.give_way(block).await,
            Err(error) => {
                self.state().index.remove(block);
                self.fail("write", &error);
            }
        }
    }

    /// Takes it into the index, so that files and index together never take more than they may. Gives what has to go.
    fn admit(&self, block: Block, length: u64) -> Option<Vec<Block>> {
        let mut state = self.state();
        let takes = state.is_listed && state.off_until.is_none();
        takes.then(|| state.index.insert(block, taken_bytes(length)))
    }

    /// The disk has no room for it beyond the reserve: others may need what the cache has.
    async fn give_way(&self, block: Block) {
        metrics::counter!("maxray_object_cache_no_room_total").increment(1);
        let given_up = {
            let mut state = self.state();
            state.index.remove(block);
            state.index.take(GIVEN_UP)
        };
        self.remove_files(given_up).await;
    }

    /// Removes one block, as one that cannot be opened.
    pub(crate) async fn remove(&self, block: Block) {
        let was_there = self.state().index.remove(block);
        if was_there {
            self.remove_files(vec![block]).await;
        }
    }

    /// Removes what there is of an object that is deleted.
    pub(crate) async fn forget(&self, key: ObjectKey) {
        let blocks = self.state().index.remove_object(key);
        self.remove_files(blocks).await;
    }

    async fn remove_files(&self, blocks: Vec<Block>) {
        if blocks.is_empty() {
            return;
        }
        if let Err(error) = self.on_disk(move |files| files.remove(&blocks)).await {
            self.fail("remove", &error);
        }
    }
}
