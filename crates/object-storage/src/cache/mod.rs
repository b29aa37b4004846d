//! What was read of a bucket stays on this machine's disk for a while: who reads it again asks the bucket nothing, and
//! reads on while the bucket is away.
//!
//! - Kept are blocks of 16 chunks as they lie in the bucket, sealed. What opens them is not here, so they are as safe from
//!   a thief as the bucket, and with the key of a patient that is destroyed they go as well.
//! - Whoever reads proves every chunk again (`storage::blocks`). A file that was damaged, cut or exchanged is removed, and
//!   its block is asked of the bucket.
//! - A name stands for the same bytes for ever, so nothing here is ever out of date. What this process deletes goes at
//!   once. What another node deletes is asked for by nobody any more, and goes when its turn comes.
//! - A read that is longer than a quarter of the limit goes past it: it would push out what others read, and be gone itself
//!   before it is read again.
//! - A file gets its name when it is whole, and none is synced: what a power cut takes or damages is asked for again.
//! - When the disk fails or is full it is left alone for a while, and reads go to the bucket as they do without a cache.

mod block;
mod files;
mod flight;
mod index;
mod keep;
mod read;

use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use self::{
    files::{Files, taken_bytes},
    flight::Arrival,
    index::Index,
};
use crate::{
    backend::Backend,
    config::{BackendKind, ObjectStorageConfig},
};

pub(crate) use {block::Block, read::Source};

/// The limit divided by this is the longest read that goes through the cache.
const READ_DIVISOR: u64 = 4;
/// How long a disk that failed is left alone.
const OFF_FOR: Duration = Duration::from_mins(1);
/// Longest wait for the disk.
const PATIENCE: Duration = Duration::from_secs(10);

/// The cache.
pub(crate) struct Cache {
    backend: Backend,
    files: Arc<Files>,
    read_max_bytes: u64,
    state: Mutex<State>,
}

struct State {
    index: Index,
    /// Blocks on their way from the bucket, until they are on the disk.
    flights: HashMap<Block, Arrival>,
    /// What an earlier process left is in the index. Nothing is added before, for the limit would not hold.
    is_listed: bool,
    /// The disk failed and is left alone until then.
    off_until: Option<Instant>,
}

impl Cache {
    /// What the settings ask for: `None` without a bucket, and when the disk does not take it. The caller holds the lock
    /// of the data directory.
    pub(crate) async fn open(
        config: &ObjectStorageConfig,
        data_directory: &Path,
        backend: &Backend,
    ) -> Option<Arc<Self>> {
        if config.backend != BackendKind::S3 {
            return None;
        }
        let root = data_directory.join("cache").join("objects");
        let files = Files::new(root, config.reserve_bytes, config.reserve_percent_max);
        let bytes_max = config.s3.cache_max_bytes;
        let opened = tokio::task::spawn_blocking(move || {
            if bytes_max == 0 {
                // It was turned off since.
                return files.clear().map(|()| None);
            }
            files.prepare().map(|is_empty| Some((files, is_empty)))
        });
        let (files, is_empty) = match opened.await.unwrap_or_else(|ended| Err(io::Error::other(ended))) {
            Ok(opened) => opened?,
            Err(error) => {
                tracing::warn!(%error, "objects are not cached: their directory cannot be used");
                return None;
            }
        };
        let state = State {
            index: Index::new(bytes_max),
            flights: HashMap::new(),
            is_listed: is_empty,
            off_until: None,
        };
        metrics::gauge!("maxray_object_cache_off").set(0.0);
        let cache = Arc::new(Self {
            backend: backend.clone(),
            files: Arc::new(files),
            read_max_bytes: bytes_max / READ_DIVISOR,
            state: Mutex::new(state),
        });
        if !is_empty {
            cache.list_in_background();
        }
        Some(cache)
    }

    /// Finds what an earlier process left. Ends early when nobody reads any more.
    fn list_in_background(self: &Arc<Self>) {
        let (cache, files) = (Arc::downgrade(self), Arc::clone(&self.files));
        tokio::task::spawn_blocking(move || {
            let listed = files.list(|block, length, at| {
                cache.upgrade().is_some_and(|cache| cache.found(block, length, at))
            });
            match (listed, cache.upgrade()) {
                (Ok(()), Some(cache)) => {
                    cache.state().is_listed = true;
                }
                (Ok(()), None) => {}
                (Err(error), _) => {
                    tracing::warn!(%error, "the cache of objects cannot be listed: it takes nothing new");
                }
            }
        });
    }

    fn found(&self, block: Block, length: u64, at: SystemTime) -> bool {
        let evicted = self.state().index.insert_found(block, taken_bytes(length), at);
        // The next start finds what stays.
        drop(self.files.remove(&evicted));
        true
    }

    /// Whether a read of so many bytes goes through it.
    pub(crate) fn takes(&self, length: u64) -> bool {
        length <= self.read_max_bytes && self.is_on()
    }

    /// False while the disk is left alone.
    fn is_on(&self) -> bool {
        let mut state = self.state();
        let off_until = state.off_until;
        match off_until {
            None => return true,
            Some(until) if Instant::now() < until => return false,
            Some(_) => state.off_until = None,
        }
        drop(state);
        metrics::gauge!("maxray_object_cache_off").set(0.0);
        tracing::info!("the cache of objects is tried again");
        true
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let files = Arc::clone(&self.files);
        let work = tokio::task::spawn_blocking(move || work(&files));
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(done) => done.unwrap_or_else(|ended| Err(io::Error::other(ended))),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn fail(&self, operation: &'static str, error: &io::Error) {
        let before = self.state().off_until.replace(Instant::now() + OFF_FOR);
        if before.is_some() {
            return;
        }
        metrics::gauge!("maxray_object_cache_off").set(1.0);
        metrics::counter!("maxray_object_cache_failures_total").increment(1);
        let seconds = OFF_FOR.as_secs();
        tracing::warn!(
            %error,
            operation,
            seconds,
            "the disk of the cache of objects fails: all is read from the bucket for a while"
        );
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
