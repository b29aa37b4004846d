//! How long the bucket may keep us waiting in a long read: so many bytes in each window of waiting, or it is over. Time in
//! which nobody waits for the bucket, as while a viewer takes what came, does not count.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream::BoxStream};
use tokio::time::Instant;

/// A read brought less than it has to.
#[derive(Debug)]
pub(super) struct TooSlow;

/// Keeps the time of one read.
#[derive(Debug)]
pub(super) struct Pace {
    window: Duration,
    window_bytes_min: u64,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    pub(super) fn new(window: Duration, bytes_per_second_min: u64) -> Self {
        let milliseconds = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        let window_bytes_min = bytes_per_second_min.saturating_mul(milliseconds) / 1000;
        Self { window, window_bytes_min, waited: Duration::ZERO, bytes: 0 }
    }

    /// The next of what comes.
    pub(super) async fn next(
        &mut self,
        chunks: &mut BoxStream<'static, object_store::Result<Bytes>>,
    ) -> Result<Option<object_store::Result<Bytes>>, TooSlow> {
        loop {
            let began = Instant::now();
            let patience = self.window.saturating_sub(self.waited);
            let next = tokio::time::timeout(patience, chunks.next()).await;
            self.waited += began.elapsed();
            if let Ok(Some(Ok(bytes))) = &next {
                self.bytes += bytes.len() as u64;
            }
            if self.waited >= self.window && !matches!(next, Ok(None)) {
                if self.bytes < self.window_bytes_min {
                    return Err(TooSlow);
                }
                (self.waited, self.bytes) = (Duration::ZERO, 0);
            }
            if let Ok(next) = next {
                return Ok(next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(30);

    /// So many chunks, each after a pause.
    fn chunks(
        count: usize,
        bytes: usize,
        pause: Duration,
    ) -> BoxStream<'static, object_store::Result<Bytes>> {
        Box::pin(stream::iter(0..count).then(move |_| async move {
            tokio::time::sleep(pause).await;
            Ok(Bytes::from(vec![0; bytes]))
        }))
    }

    /// What came until the end, or until it was too slow.
    async fn read(
        mut chunks: BoxStream<'static, object_store::Result<Bytes>>,
        thinking: Duration,
    ) -> Result<usize, usize> {
        let (mut pace, mut count) = (Pace::new(WINDOW, 1_000), 0);
        loop {
            match pace.next(&mut chunks).await {
                Ok(Some(chunk)) => count += chunk.expect("a chunk").len(),
                Ok(None) => return Ok(count),
                Err(TooSlow) => return Err(count),
            }
            tokio::time::sleep(thinking).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_given_up_after_a_window_and_a_slow_line_is_not() {
        let began = Instant::now();
        let trickle = read(chunks(usize::MAX, 1, Duration::from_secs(9)), Duration::ZERO).await;
        assert_eq!(trickle, Err(3));
        assert!(began.elapsed() <= WINDOW + Duration::from_secs(1), "{:?}", began.elapsed());
        // Twice the rate, in lumps that come when a window is nearly over.
        let slow = read(chunks(20, 50_000, Duration::from_secs(25)), Duration::ZERO).await;
        assert_eq!(slow, Ok(1_000_000));
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_is_not_the_bucket() {
        let read = read(chunks(10, 100, Duration::from_millis(1)), Duration::from_mins(1)).await;
        assert_eq!(read, Ok(1_000));
    }
}
