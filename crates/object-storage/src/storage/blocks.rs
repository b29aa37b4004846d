//! Reading through the cache, block by block. Each is opened by itself, so that one that was damaged on this machine's
//! disk can be had from the bucket.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    ObjectStream, altered,
    read::{Reading, length_is_altered},
};
use crate::{
    cache::{Block, Cache, Source},
    error::StorageError,
    seal::{ObjectAltered, Opener},
};

/// Blocks of a stream that are on their way at once, and that a slow reader has in memory: the one that is waited for, and
/// the two after it.
const AT_ONCE: usize = 3;

/// What is read, and the cache that it is read through.
pub(super) struct Blocks {
    cache: Arc<Cache>,
    reading: Reading,
}

impl Blocks {
    pub(super) fn new(cache: &Arc<Cache>, reading: Reading) -> Self {
        Self { cache: Arc::clone(cache), reading }
    }

    /// All that is read.
    pub(super) async fn at_once(self) -> Result<Bytes, StorageError> {
        let range = self.reading.range();
        let numbers = Block::numbers(&range);
        if numbers.len() == 1 {
            return self.open(numbers.start).await;
        }
        let mut whole = BytesMut::with_capacity((range.end - range.start) as usize);
        let mut pieces = self.stream().await?;
        while let Some(piece) = pieces.try_next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// The same as a stream. Its first piece is here, so that whoever asks for what cannot be had hears it at once.
    pub(super) async fn stream(self) -> Result<ObjectStream, StorageError> {
        let numbers = Block::numbers(&self.reading.range());
        let blocks = Arc::new(self);
        let opened = stream::iter(numbers).map(move |number| {
            let blocks = Arc::clone(&blocks);
            async move { blocks.open(number).await }
        });
        let mut opened: ObjectStream = Box::pin(opened.buffered(AT_ONCE));
        let first = opened.try_next().await?;
        // Nothing comes after an error.
        let rest = stream::try_unfold(opened, |mut opened| async move {
            let next: Result<Option<Bytes>, StorageError> = opened.try_next().await;
            next.map(|piece| piece.map(|piece| (piece, opened)))
        });
        Ok(Box::pin(stream::iter(first.map(Ok)).chain(rest)))
    }

    /// What is read of one block.
    async fn open(&self, number: u32) -> Result<Bytes, StorageError> {
        let key = self.reading.key();
        let block = Block::new(key, number);
        let range = block.part_of(&self.reading.range());
        let opener = self.reading.opener(&range);
        let (part, whole) = (opener.stored_range(), self.reading.whole());
        let read = self.cache.read(block, part.clone(), whole).await;
        let (sealed, source) = read.map_err(length_is_altered)?;
        let opened = match open(opener, sealed) {
            Err(_) if source == Source::Disk => {
                let sealed = self.cache.read_anew(block, part, whole).await.map_err(length_is_altered)?;
                open(self.reading.opener(&range), sealed)
            }
            opened => opened,
        };
        if opened.is_err() {
            // The bucket's own: it stays nowhere else.
            self.cache.remove(block).await;
        }
        opened.map_err(|ObjectAltered(what)| altered(key, what))
    }
}

fn open(mut opener: Opener, sealed: Bytes) -> Result<Bytes, ObjectAltered> {
    let plain = opener.push(sealed)?;
    if opener.is_done() { Ok(plain) } else { Err(ObjectAltered("it ends early")) }
}
