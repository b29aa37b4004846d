//! Frames that were made anew and pictures that were rendered, the last ones asked for, in memory. Who asks for what is
//! being made for somebody else waits for that: a study that several people open is decoded once.
//!
//! What it holds is named by the content it was made of, so nothing in it is ever wrong; whether somebody may see it is
//! decided by the row, before it is looked up. It is never written anywhere.

use std::{fmt::Debug, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use database::StoredInstance;
use moka::future::Cache;

/// So long what nobody asks for is kept.
const IDLE: Duration = Duration::from_mins(10);

/// A frame or a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Media type of a picture; empty for frames.
    pub media_type: &'static str,
    /// What is sent.
    pub bytes: Bytes,
}

/// What it was made of, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    data_set_sha256: [u8; 32],
    index: usize,
    wish: String,
}

impl Key {
    /// Frame `index` of an instance, made as `wish` says.
    pub fn new(instance: &StoredInstance, index: usize, wish: &impl Debug) -> Self {
        Self { data_set_sha256: instance.data_set_sha256, index, wish: format!("{wish:?}") }
    }
}

/// The cache; without one every frame is made when it is asked for.
pub struct FrameCache(Option<Cache<Key, Made>>);

impl FrameCache {
    /// At most so many bytes; none at 0.
    pub fn new(max_bytes: u64) -> Self {
        if max_bytes == 0 {
            return Self(None);
        }
        let weight = |key: &Key, made: &Made| {
            u32::try_from(made.bytes.len() + key.wish.len() + size_of::<(Key, Made)>()).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().max_capacity(max_bytes).weigher(weight).time_to_idle(IDLE);
        Self(Some(cache.build()))
    }

    /// Takes it out of the cache, or waits for whoever makes it, or makes it. A failure is told to everybody who waits
    /// and is not kept.
    ///
    /// # Errors
    /// Those of `make`.
    pub async fn get<E: Send + Sync + 'static>(
        &self,
        key: Key,
        make: impl Future<Output = Result<Made, E>>,
    ) -> Result<Made, Arc<E>> {
        let Some(cache) = &self.0 else { return make.await.map_err(Arc::new) };
        if let Some(known) = cache.get(&key).await {
            metrics::counter!("maxray_frame_cache_hits_total").increment(1);
            return Ok(known);
        }
        metrics::counter!("maxray_frame_cache_misses_total").increment(1);
        cache.try_get_with(key, make).await
    }
}

#[cfg(test)]
mod tests;
