//! Blocks on their way from the bucket: whoever asks for one that is waits for the same answer.

use std::{
    ops::Range,
    sync::{Arc, MutexGuard},
};

use bytes::Bytes;
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio::sync::oneshot;

use super::{Block, Cache, State};
use crate::error::StorageError;

type Answer = Result<Bytes, Arc<StorageError>>;

/// What all who wait for a block will hear.
pub(super) type Arrival = Shared<BoxFuture<'static, Answer>>;

impl Cache {
    /// The block as the bucket will send it, which is asked for it when nobody has asked yet.
    pub(super) fn coming(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        block: Block,
        whole: u64,
    ) -> Arrival {
        if let Some(arrival) = state.flights.get(&block) {
            return arrival.clone();
        }
        let (tell, told) = oneshot::channel::<Answer>();
        let arrival = told.map(|told| told.unwrap_or_else(|_| Err(Arc::new(StorageError::Stopping))));
        let arrival = arrival.boxed().shared();
        state.flights.insert(block, arrival.clone());
        drop(state);
        let flight = Flight { cache: Arc::clone(self), block };
        tokio::spawn(flight.fly(tell, whole));
        arrival
    }
}

/// A part of a block, once it is here.
pub(super) async fn arrived(
    arrival: Arrival,
    block: Block,
    part: Range<u64>,
    whole: u64,
) -> Result<Bytes, StorageError> {
    let bytes = arrival.await.map_err(|error| repeated(&error))?;
    let start = block.stored(whole).start;
    Ok(bytes.slice((part.start - start) as usize..(part.end - start) as usize))
}

/// A request for one block. It comes to its end whoever waits, and who asks until the block is on the disk is served from
/// memory.
struct Flight {
    cache: Arc<Cache>,
    block: Block,
}

impl Flight {
    async fn fly(self, tell: oneshot::Sender<Answer>, whole: u64) {
        let block = self.block;
        match self.cache.backend.read_range(block.key(), block.stored(whole), whole).await {
            Ok(bytes) => {
                // They do not wait for the disk. That nobody waits any more is no error.
                drop(tell.send(Ok(bytes.clone())));
                self.cache.keep(block, bytes).await;
            }
            Err(error) => drop(tell.send(Err(Arc::new(error)))),
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.cache.state().flights.remove(&self.block);
    }
}

/// The same error for each of those who waited.
fn repeated(error: &Arc<StorageError>) -> StorageError {
    match **error {
        StorageError::NotFound(key) => StorageError::NotFound(key),
        StorageError::PastEnd { key, end, length_bytes } => StorageError::PastEnd { key, end, length_bytes },
        StorageError::LengthDiffers { key, written_bytes, stored_bytes } => {
            StorageError::LengthDiffers { key, written_bytes, stored_bytes }
        }
        StorageError::TooSlow { operation } => StorageError::TooSlow { operation },
        StorageError::Stopping => StorageError::Stopping,
        _ => {
            let source = Box::new(Arc::clone(error));
            let source = object_store::Error::Generic { store: "S3", source };
            StorageError::S3 { operation: "read a block", source: Box::new(source) }
        }
    }
}
