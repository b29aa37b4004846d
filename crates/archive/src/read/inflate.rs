//! Deflated Explicit VR Little Endian (PS3.5 A.5): a range of the inflated data set, in bounded memory.
//!
//! There is no way to begin in the middle of a deflate stream, so what comes before the range is inflated and
//! dropped; what comes after it is not read.

use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};
use flate2::{Decompress, FlushDecompress, Status};
use futures_util::{Stream, TryStreamExt as _, stream};

use super::{ByteStream, ReadError};

/// Inflated at a time: whatever the ratio, memory and time of one step stay small.
const STEP_BYTES: usize = 64 << 10;

struct Inflating {
    deflated: ByteStream,
    input: Bytes,
    input_ended: bool,
    decompress: Decompress,
    /// Inflated so far.
    position: u64,
    range: Range<u64>,
    /// The stream's end may come before that of the range.
    to_end: bool,
    ended: bool,
}

/// From the start of `range` to the end, wherever that is before the range's.
pub(super) fn inflate_to_end(
    deflated: ByteStream,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static {
    run(deflated, range, true)
}

pub(super) fn inflate(
    deflated: ByteStream,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static {
    run(deflated, range, false)
}

fn run(
    deflated: ByteStream,
    range: Range<u64>,
    to_end: bool,
) -> impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static {
    let state = Inflating {
        deflated,
        input: Bytes::new(),
        input_ended: false,
        decompress: Decompress::new(false),
        position: 0,
        range,
        to_end,
        ended: false,
    };
    stream::try_unfold(state, |mut state| async move {
        while state.position < state.range.end && !state.ended {
            let start = state.position;
            let output = state.step().await?;
            let kept = state.range.start.max(start)..state.range.end.min(state.position);
            if kept.start < kept.end {
                let kept = (kept.start - start) as usize..(kept.end - start) as usize;
                return Ok(Some((output.slice(kept), state)));
            }
            tokio::task::consume_budget().await;
        }
        Ok(None)
    })
}

impl Inflating {
    /// Inflates the next piece, at most [`STEP_BYTES`].
    async fn step(&mut self) -> Result<Bytes, ReadError> {
        if self.input.is_empty() && !self.input_ended {
            match self.deflated.try_next().await? {
                Some(bytes) => self.input = bytes,
                None => self.input_ended = true,
            }
        }
        let mut output = BytesMut::zeroed(STEP_BYTES);
        let (in_before, out_before) = (self.decompress.total_in(), self.decompress.total_out());
        let status = self
            .decompress
            .decompress(&self.input, &mut output, FlushDecompress::None)
            .map_err(|_| ReadError::Damaged("the deflated data set does not inflate"))?;
        let consumed = self.decompress.total_in() - in_before;
        let produced = self.decompress.total_out() - out_before;
        self.input.advance(consumed as usize);
        self.position += produced;
        self.ended = matches!(status, Status::StreamEnd);
        let ended = self.ended && self.position < self.range.end && !self.to_end;
        let stuck =
            !self.ended && consumed == 0 && produced == 0 && (self.input_ended || !self.input.is_empty());
        if ended || stuck {
            return Err(ReadError::Damaged("the inflated data set ends before the range"));
        }
        output.truncate(produced as usize);
        Ok(output.freeze())
    }
}
