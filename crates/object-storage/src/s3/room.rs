//! Memory for uploads, of all senders together. Who finds none waits, and the sender with it.
//!
//! An object begins in a small place, and waits for one of a whole part when it grows beyond it. A place of a part is
//! given back when the part has arrived, or failed to, which nothing but the bucket delays; so places come free whoever
//! waits for one, and those who wait cannot wait for each other.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::StorageError;

/// Size of a part, and the longest object that goes in one PUT.
pub(super) const PART_BYTES: usize = 8 << 20;
/// What an object takes at first.
pub(super) const BEGINNING_BYTES: usize = 1 << 20;
/// Not counted, for a writer needs as much to seal: probes and pictures wait for nobody.
pub(super) const FREE_BYTES: usize = 64 << 10;

/// What there is.
#[derive(Debug)]
pub(super) struct Room {
    beginnings: Arc<Semaphore>,
    parts: Arc<Semaphore>,
}

/// A place in memory, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    /// How long what is in it may be.
    pub(super) bytes: usize,
    _permit: OwnedSemaphorePermit,
}

impl Room {
    /// A quarter is for beginnings.
    pub(super) fn new(bytes_max: u64) -> Self {
        let places = |bytes: u64, each: usize| {
            let places = usize::try_from(bytes / each as u64).unwrap_or(usize::MAX);
            places.clamp(1, Semaphore::MAX_PERMITS)
        };
        let beginnings = places(bytes_max / 4, BEGINNING_BYTES);
        let parts = places(bytes_max - bytes_max / 4, PART_BYTES);
        Self { beginnings: Arc::new(Semaphore::new(beginnings)), parts: Arc::new(Semaphore::new(parts)) }
    }

    /// A place for a buffer of so many bytes, at most a part. Who has the place of a part does not come for another
    /// before that part travels.
    pub(super) async fn place(&self, bytes: usize) -> Result<Place, StorageError> {
        let (places, bytes) = if bytes > BEGINNING_BYTES {
            (&self.parts, PART_BYTES)
        } else {
            (&self.beginnings, BEGINNING_BYTES)
        };
        if let Ok(permit) = Arc::clone(places).try_acquire_owned() {
            return Ok(Place { bytes, _permit: permit });
        }
        metrics::counter!("maxray_s3_upload_waits_total").increment(1);
        let permit = Arc::clone(places).acquire_owned().await.map_err(|_| StorageError::Stopping)?;
        Ok(Place { bytes, _permit: permit })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_waits_until_a_part_has_arrived() {
        // Four beginnings and one part.
        let room = Arc::new(Room::new(16 << 20));
        let mut writers = Vec::new();
        for _ in 0..20 {
            let room = Arc::clone(&room);
            writers.push(tokio::spawn(async move {
                let beginning = room.place(1).await.expect("a beginning");
                let mut part = room.place(PART_BYTES).await.expect("a part");
                assert_eq!((part.bytes, room.parts.available_permits()), (PART_BYTES, 0));
                drop(beginning);
                for _ in 0..2 {
                    let travelling = part;
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        drop(travelling);
                    });
                    part = room.place(PART_BYTES).await.expect("the next part");
                }
                drop(part);
            }));
        }
        for writer in writers {
            let done = tokio::time::timeout(Duration::from_mins(1), writer).await;
            done.expect("nobody waits for ever").expect("a writer does not panic");
        }
        assert_eq!((room.beginnings.available_permits(), room.parts.available_permits()), (4, 1));
    }
}
