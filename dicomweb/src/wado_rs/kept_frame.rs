//! PS3.18 10.4.1.1.6: one long frame that is sent as it is kept. It is passed on while it is read, and of a range no more is
//! read than it holds.

use std::ops::Range;

use archive::{ByteStream, ReadError};
use axum::{http::HeaderMap, response::Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use model::frame::{ByteRange, FrameTable};
use service::http::problem::Problem;

use super::{
    bulkdata::{overlap, slice},
    frames::Frames,
    read_problem, stream,
};
use crate::{
    conditional::{self, Wanted},
    media_type::Form,
    multipart::MultipartWriter,
};

/// Whether the frame's bytes lie in the data set as they are sent: no words are turned round, and the frame does not begin
/// or end inside of a byte.
pub fn lies_as_sent(frames: &Frames) -> bool {
    let in_whole_bytes = match &frames.header.frame_table {
        FrameTable::Native { bits_per_frame, .. } => bits_per_frame.is_multiple_of(8),
        FrameTable::Encapsulated { .. } | FrameTable::None => true,
    };
    in_whole_bytes && frames.word() < 2
}

/// Frame `index`, of `length` bytes, or the range of the answer that is asked for.
pub async fn respond(
    frames: &Frames,
    (index, length): (usize, u64),
    writer: &MultipartWriter,
    entity_tag: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let part = frames.part();
    let (content_type, start, end) = match frames.sent.form {
        Form::SinglePart => (part.content_type(), Bytes::new(), Bytes::new()),
        Form::Multipart => (writer.content_type(), writer.part_start(true, part), writer.end()),
    };
    let frame_start = start.len() as u64;
    let total = length + (start.len() + end.len()) as u64;
    let wanted = conditional::wanted(headers, entity_tag, total);
    let sent = match wanted {
        Wanted::Whole => 0..total,
        Wanted::Range(first, last) => first..last + 1,
        Wanted::Unsatisfiable => return Ok(conditional::not_satisfiable(total)),
    };
    let of_frame = overlap(&sent, frame_start, length);
    let is_whole = of_frame == (0..length);
    let start = slice(&start, &sent, 0);
    let end = slice(&end, &sent, frame_start + length);
    let opened = if is_whole { frames.open(index).await } else { read(frames, index, of_frame).await };
    let mut opened = opened.map_err(|error| read_problem(&error))?;
    let body = async_stream::try_stream! {
        yield start;
        while let Some(bytes) = stream::next(&mut opened).await {
            yield bytes?;
        }
        yield end;
    };
    let response = stream::respond(&content_type, entity_tag, Some(sent.end - sent.start), body);
    Ok(conditional::partial(response, wanted, total))
}

/// A part of a frame.
async fn read(frames: &Frames, index: usize, part: Range<u64>) -> Result<ByteStream, ReadError> {
    if part.is_empty() {
        return Ok(futures_util::stream::empty().boxed());
    }
    let Frames { app, instance, header, .. } = frames;
    let location = header.frame_table.locate(index).ok_or(ReadError::NoSuchFrame { index })?;
    let opened = match location.ranges[..] {
        [ByteRange { offset, .. }] => {
            let end = offset.checked_add(part.end);
            let end = end.ok_or(ReadError::Damaged("a range ends after the data set"))?;
            app.archive.read_data_set_range(instance, offset + part.start..end).await?
        }
        // What comes before the range in a frame of several fragments is read and dropped.
        _ => cut(app.archive.stream_frame(instance, header, index).await?, part),
    };
    begun(opened).await
}

/// A stream whose first bytes are read: what cannot be read at all is refused, and not an answer that is cut.
pub async fn begun(mut opened: ByteStream) -> Result<ByteStream, ReadError> {
    let beginning = opened.next().await.transpose()?;
    Ok(futures_util::stream::iter(beginning.map(Ok)).chain(opened).boxed())
}

/// The part of a stream, counted from its beginning; what comes after it is not read.
fn cut(mut stream: ByteStream, part: Range<u64>) -> ByteStream {
    let cut = async_stream::try_stream! {
        let mut position = 0;
        while position < part.end {
            let Some(bytes) = stream.next().await else { break };
            let bytes: Bytes = bytes?;
            let kept = slice(&bytes, &part, position);
            position += bytes.len() as u64;
            if !kept.is_empty() {
                yield kept;
            }
        }
    };
    cut.boxed()
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn a_part_of_several_pieces() {
        let pieces = [&b"0123"[..], b"456", b"789"];
        let whole = pieces.concat();
        for first in 0..whole.len() {
            for last in first..whole.len() {
                let stream = futures_util::stream::iter(pieces.map(|piece| Ok(Bytes::from_static(piece))));
                let kept: Vec<Bytes> =
                    cut(stream.boxed(), first as u64..last as u64 + 1).try_collect().await.expect("bytes");
                assert_eq!(kept.concat(), whole[first..=last], "{first}-{last}");
            }
        }
    }
}
