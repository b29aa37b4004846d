//! Reading a part of a block: from the disk, or with all others who wait for it from the bucket.

use std::{io, ops::Range, sync::Arc};

use bytes::Bytes;

use super::{
    Block, Cache,
    flight::{Arrival, arrived},
};
use crate::error::StorageError;

/// Where the bytes of a block came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Disk,
    Bucket,
}

/// Where a block is.
enum Place {
    Disk,
    Coming(Arrival),
}

impl Cache {
    /// A part of a block, given as the store counts, of an object of which it keeps `whole` bytes. Nobody has proved it.
    pub(crate) async fn read(
        self: &Arc<Self>,
        block: Block,
        part: Range<u64>,
        whole: u64,
    ) -> Result<(Bytes, Source), StorageError> {
        let arrival = match self.find(block, whole) {
            Place::Coming(arrival) => arrival,
            Place::Disk => match self.read_file(block, &part, whole).await {
                Ok(bytes) => {
                    metrics::counter!("maxray_object_cache_hits_total").increment(1);
                    return Ok((bytes, Source::Disk));
                }
                Err(error) => {
                    self.not_read(block, &error).await;
                    self.coming(self.state(), block, whole)
                }
            },
        };
        metrics::counter!("maxray_object_cache_misses_total").increment(1);
        arrived(arrival, block, part, whole).await.map(|bytes| (bytes, Source::Bucket))
    }

    /// The same of the bucket, because what was on the disk does not open.
    pub(crate) async fn read_anew(
        self: &Arc<Self>,
        block: Block,
        part: Range<u64>,
        whole: u64,
    ) -> Result<Bytes, StorageError> {
        self.damaged(block).await;
        let arrival = self.coming(self.state(), block, whole);
        arrived(arrival, block, part, whole).await
    }

    fn find(self: &Arc<Self>, block: Block, whole: u64) -> Place {
        let mut state = self.state();
        if !state.flights.contains_key(&block) && state.index.touch(block) {
            return Place::Disk;
        }
        Place::Coming(self.coming(state, block, whole))
    }

    async fn read_file(&self, block: Block, part: &Range<u64>, whole: u64) -> io::Result<Bytes> {
        let stored = block.stored(whole);
        let part = part.start - stored.start..part.end - stored.start;
        self.on_disk(move |files| files.read(block, stored.end - stored.start, part)).await
    }

    async fn not_read(&self, block: Block, error: &io::Error) {
        match error.kind() {
            // Somebody has tidied up.
            io::ErrorKind::NotFound => {
                self.state().index.remove(block);
            }
            io::ErrorKind::UnexpectedEof => self.damaged(block).await,
            _ => self.fail("read", error),
        }
    }

    async fn damaged(&self, block: Block) {
        metrics::counter!("maxray_object_cache_damaged_total").increment(1);
        let (key, number) = (block.key(), block.number());
        tracing::warn!(%key, number, "a cached part of an object is damaged: it is read from the bucket");
        self.remove(block).await;
    }
}
