//! The parts of a request body, one chunk at a time: nothing is buffered beyond the chunk in hand.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::{Decoder, Event, MultipartError, PartHeader};

/// Bytes after the closing delimiter that are read and dropped.
const EPILOGUE_LENGTH_MAX_BYTES: usize = 64 * 1024;

/// Limits on one request body.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Most bytes of the whole body.
    pub length_max_bytes: u64,
    /// Longest wait for the next bytes.
    pub idle_timeout_ms: u64,
}

/// A body with its limits applied, as raw chunks.
pub struct LimitedBody<S> {
    stream: S,
    limits: BodyLimits,
    received_bytes: u64,
}

impl<S, E> LimitedBody<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    /// Wraps a body.
    pub fn new(stream: S, limits: BodyLimits) -> Self {
        Self { stream, limits, received_bytes: 0 }
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, MultipartError> {
        let idle = Duration::from_millis(self.limits.idle_timeout_ms);
        let next = tokio::time::timeout(idle, self.stream.next())
            .await
            .map_err(|_| MultipartError::Idle(self.limits.idle_timeout_ms))?;
        match next {
            None => Ok(None),
            Some(Err(_)) => Err(MultipartError::Transport),
            Some(Ok(bytes)) => {
                self.received_bytes = self.received_bytes.saturating_add(bytes.len() as u64);
                if self.received_bytes > self.limits.length_max_bytes {
                    return Err(MultipartError::TooLarge(self.limits.length_max_bytes));
                }
                Ok(Some(bytes))
            }
        }
    }

    /// Reads and drops some of what is left.
    async fn drain(&mut self) {
        let work = async {
            let mut left = DRAIN_LENGTH_MAX_BYTES;
            while let Some(Ok(bytes)) = self.stream.next().await {
                left = left.saturating_sub(bytes.len() as u64);
                if left == 0 {
                    return;
                }
            }
        };
        // Whether it came to its end or not makes no difference.
        let _ended = tokio::time::timeout(DRAIN_TIMEOUT, work).await;
    }
}

/// What is still read of a body after it was refused, so that a sender who writes first and reads then gets to see the
/// answer and not a broken connection.
const DRAIN_LENGTH_MAX_BYTES: u64 = 8 << 20;
/// Longest time for that.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Reads one part after the other.
pub struct MultipartReader<S> {
    body: LimitedBody<S>,
    decoder: Decoder,
    /// Inside a part whose end has not been read.
    in_part: bool,
}

impl<S, E> MultipartReader<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    /// Starts to read; `boundary` is the parameter of the Content-Type.
    pub fn new(body: LimitedBody<S>, boundary: &str, parts_max: usize) -> Result<Self, MultipartError> {
        Ok(Self { body, decoder: Decoder::new(boundary, parts_max)?, in_part: false })
    }

    /// The next part, skipping what was not read of the one before; `None` after the closing delimiter.
    pub async fn next_part(&mut self) -> Result<Option<PartHeader>, MultipartError> {
        while self.next_chunk().await?.is_some() {}
        loop {
            match self.decoder.poll()? {
                Event::Part(header) => {
                    self.in_part = true;
                    return Ok(Some(header));
                }
                Event::NeedMore => self.fill().await?,
                Event::Data(_) | Event::PartEnd => {}
                Event::End => {
                    self.skip_epilogue().await;
                    return Ok(None);
                }
            }
        }
    }

    /// The next bytes of the part; `None` at its end.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, MultipartError> {
        while self.in_part {
            match self.decoder.poll()? {
                Event::Data(data) if data.is_empty() => {}
                Event::Data(data) => return Ok(Some(data)),
                Event::NeedMore => self.fill().await?,
                Event::PartEnd | Event::End => self.in_part = false,
                Event::Part(_) => return Err(MultipartError::PartHeaderMalformed),
            }
        }
        Ok(None)
    }

    /// After an error: lets the sender finish, within limits.
    pub async fn drain(&mut self) {
        self.body.drain().await;
    }

    /// Reads what little may follow, so that the connection can be used again.
    async fn skip_epilogue(&mut self) {
        let mut skipped = 0;
        while skipped < EPILOGUE_LENGTH_MAX_BYTES {
            match self.body.next().await {
                Ok(Some(bytes)) => skipped += bytes.len(),
                Ok(None) | Err(_) => return,
            }
        }
    }

    async fn fill(&mut self) -> Result<(), MultipartError> {
        match self.body.next().await? {
            Some(bytes) => {
                self.decoder.feed(&bytes);
                Ok(())
            }
            None => Err(MultipartError::Truncated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(
        chunks: &[&'static [u8]],
        length_max_bytes: u64,
    ) -> MultipartReader<impl Stream<Item = Result<Bytes, ()>> + Unpin + use<>> {
        let chunks: Vec<Result<Bytes, ()>> = chunks.iter().map(|c| Ok(Bytes::from_static(c))).collect();
        let limits = BodyLimits { length_max_bytes, idle_timeout_ms: 1000 };
        let body = LimitedBody::new(futures_util::stream::iter(chunks), limits);
        MultipartReader::new(body, "b", 10).expect("boundary")
    }

    #[tokio::test]
    async fn skips_what_was_not_read() {
        let mut reader = reader(
            &[b"--b\r\nContent-Type: application/dicom\r\n\r\nAB", b"C\r\n--b\r\n\r\nD\r\n--b", b"--"],
            1000,
        );
        assert!(reader.next_part().await.expect("valid").expect("first").content_type.is_some());
        assert!(reader.next_part().await.expect("valid").expect("second").content_type.is_none());
        assert_eq!(reader.next_chunk().await.expect("valid").expect("data"), "D");
        assert_eq!(reader.next_chunk().await.expect("valid"), None);
        assert_eq!(reader.next_part().await.expect("valid"), None);
    }

    #[tokio::test]
    async fn limits_hold() {
        let mut large = reader(&[b"--b\r\n\r\n", b"0123456789"], 10);
        large.next_part().await.expect("valid").expect("first");
        assert!(matches!(large.next_chunk().await, Err(MultipartError::TooLarge(10))));
        let mut truncated = reader(&[b"--b\r\n\r\nABC"], 1000);
        truncated.next_part().await.expect("valid").expect("first");
        while let Ok(Some(_)) = truncated.next_chunk().await {}
        assert!(matches!(truncated.next_chunk().await, Err(MultipartError::Truncated)));
    }
}
