//! PS3.18 10.4.1.1.6, Frame Pixel Data Resources: one ranged read a frame.

use std::sync::Arc;

use archive::{ByteStream, ReadError};
use axum::{extract::State, http::HeaderMap, response::Response};
use bytes::{Bytes, BytesMut};
use database::{HeaderRecord, StoredInstance};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use rendering::Target;
use service::http::{bearer::Authenticated, problem::Problem};

use super::{
    find_one,
    frame_payload::{Offer, media_type, offers, swap, swap_bytes},
    guard, header as header_of, kept_frame, made, read_problem, stream,
    transcode::{self, TranscodeError},
};
use crate::{
    acceptable::Acceptable,
    conditional,
    media_type::{Form, Representation},
    multipart::{Boundary, Fingerprint, MultipartWriter, Part},
    problems,
    resource::Resource,
    state::App,
};

/// Most frames in one request.
pub(crate) const FRAMES_MAX: usize = 4096;
/// Longest frame that is put together in memory because it is not kept as it is sent; a longer one has no ranges.
const WHOLE_LENGTH_MAX_BYTES: u64 = 64 << 20;
/// Up to this it is always put together: memory of this length is there already, and of more has to be had page by page.
const PASSED_ON_FROM_BYTES: u64 = 1 << 20;

/// `GET .../frames/{frames}`.
pub(crate) async fn retrieve_frames(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let indexes = parse_frames(&resource.rest)?;
    let instance = find_one(&app, &who, &resource).await?;
    let header = header_of(&app, &instance).await?;
    let mut offers = offers(&instance, &conversion::possible(&instance, &header));
    if indexes.len() != 1 {
        offers.retain(|offer| offer.representation.form == Form::Multipart);
    }
    let Offer { representation: sent, target } = choose(&acceptable, &offers)?;
    if indexes.iter().any(|index| *index >= header.frame_table.len()) {
        return Err(Problem::not_found());
    }
    let guard = guard(&app, &who, &resource)?;
    let frames = Frames { app, instance, header, indexes, sent, target };
    if target.is_none() {
        return Ok(guard.cover(frames.respond(&headers).await?));
    }
    let response = match Box::pin(made::respond(frames.clone(), &headers)).await {
        Ok(response) => response,
        // The first frame says that no other form can be had: then only what is kept is left to choose from.
        Err(TranscodeError::NotPossible(reason)) => {
            tracing::warn!(reason, "frames cannot be converted");
            offers.retain(|offer| offer.target.is_none());
            let Offer { representation: sent, target } = choose(&acceptable, &offers)?;
            Frames { sent, target, ..frames }.respond(&headers).await?
        }
        Err(error) => return Err(transcode::problem(error)),
    };
    Ok(guard.cover(response))
}

/// Frame numbers, counted from 1, as indexes.
pub(crate) fn parse_frames(list: &str) -> Result<Vec<usize>, Problem> {
    let wrong = |message: String| Problem::bad_request("the frame list is wrong").field("frames", message);
    let mut indexes: Vec<usize> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for number in list.split(',').map(str::trim) {
        let index = number.parse::<u32>().ok().and_then(|number| number.checked_sub(1));
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let index = index.filter(|_| digits).ok_or_else(|| {
            wrong("frame numbers are whole numbers from 1, with commas between them".to_owned())
        })?;
        if indexes.len() == FRAMES_MAX {
            return Err(wrong(format!("at most {FRAMES_MAX} frames may be asked for at once")));
        }
        if !seen.insert(index) {
            return Err(wrong("a frame is asked for twice".to_owned()));
        }
        indexes.push(index as usize);
    }
    Ok(indexes)
}

fn choose(acceptable: &Acceptable, offers: &[Offer]) -> Result<Offer, Problem> {
    let representations: Vec<Representation> =
        offers.iter().map(|offer| offer.representation.clone()).collect();
    let chosen = acceptable.choose_index(&representations)?;
    offers.get(chosen).cloned().ok_or_else(|| problems::not_acceptable(&representations))
}

/// Frames of one instance, about to be sent.
#[derive(Clone)]
pub(super) struct Frames {
    pub app: App,
    pub instance: StoredInstance,
    pub header: HeaderRecord,
    pub indexes: Vec<usize>,
    pub sent: Representation,
    /// How they are made anew.
    pub target: Option<Target>,
}

impl Frames {
    pub async fn respond(self, headers: &HeaderMap) -> Result<Response, Problem> {
        let lengths =
            self.indexes.iter().map(|index| conversion::frame_length(&self.header.frame_table, *index));
        let lengths = lengths.collect::<Option<Vec<u64>>>().ok_or_else(Problem::not_found)?;
        let boundary = self.fingerprint();
        let entity_tag = boundary.entity_tag();
        if conditional::is_known(headers, &entity_tag) {
            return Ok(conditional::not_modified(&entity_tag));
        }
        let total: u64 = lengths.iter().sum();
        let writer = MultipartWriter::new(boundary, self.part().media_type);
        match (self.indexes.as_slice(), self.sent.form) {
            ([index], form) if self.is_put_together(total) => {
                let frame = self.frame(*index).await.map_err(|error| read_problem(&error))?;
                let (content_type, body) = match form {
                    Form::SinglePart => (self.part().content_type(), frame),
                    Form::Multipart => (writer.content_type(), wrap(&writer, self.part(), &frame)),
                };
                Ok(conditional::ranged(headers, &entity_tag, &content_type, body))
            }
            ([index], _) if kept_frame::lies_as_sent(&self) => {
                kept_frame::respond(&self, (*index, total), &writer, &entity_tag, headers).await
            }
            (_, Form::SinglePart) => {
                let content_type = self.part().content_type();
                let body = self.bare().await?;
                Ok(stream::respond(&content_type, &entity_tag, Some(total), body))
            }
            (_, Form::Multipart) => {
                let delimiters = self.indexes.iter().enumerate();
                let delimiters = delimiters.map(|(n, _)| writer.part_start(n == 0, self.part()).len() as u64);
                let length = total + delimiters.sum::<u64>() + writer.end().len() as u64;
                let content_type = writer.content_type();
                let body = self.parts(writer).await?;
                Ok(stream::respond(&content_type, &entity_tag, Some(length), body))
            }
        }
    }

    /// Whether one frame is made whole before it is sent: when it is short, or kept in another way.
    fn is_put_together(&self, length: u64) -> bool {
        length <= PASSED_ON_FROM_BYTES || length <= WHOLE_LENGTH_MAX_BYTES && !kept_frame::lies_as_sent(self)
    }

    /// Bytes whose order is turned round.
    pub(super) fn word(&self) -> usize {
        swap_bytes(&self.instance, &self.header, &self.sent)
    }

    pub(super) fn fingerprint(&self) -> Boundary {
        let mut fingerprint = Fingerprint::new("frames");
        fingerprint.add(&self.instance.data_set_sha256);
        fingerprint.add(self.sent.to_string().as_bytes());
        if self.target.is_some() {
            fingerprint.add(env!("CARGO_PKG_VERSION").as_bytes());
        }
        for index in &self.indexes {
            fingerprint.add(&(*index as u64).to_be_bytes());
        }
        fingerprint.finish()
    }

    /// A compressed frame says what it is, also to those who asked for an octet stream.
    pub(super) fn part(&self) -> Part<'_> {
        let own = self.instance.transfer_syntax_uid.frame_media_type();
        let encapsulated = self.instance.transfer_syntax_uid.is_encapsulated();
        let media_type = match self.target {
            Some(target) => media_type(target),
            None if encapsulated => own,
            None => self.sent.media_type.as_str(),
        };
        Part { media_type, transfer_syntax: &self.sent.transfer_syntax }
    }

    async fn frame(&self, index: usize) -> Result<Bytes, ReadError> {
        let frame = self.app.archive.read_frame(&self.instance, &self.header, index).await?;
        Ok(swap(frame, self.word()))
    }

    /// One frame as it is read, without swapping: one that is too long for memory is not in big endian.
    async fn bare(self) -> Result<impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static, Problem> {
        let index = self.indexes.first().copied().unwrap_or_default();
        if self.word() > 1 {
            let length_max_bytes = WHOLE_LENGTH_MAX_BYTES;
            return Err(read_problem(&ReadError::TooLong { length_bytes: u64::MAX, length_max_bytes }));
        }
        let opened = self.open(index).await.map_err(|error| read_problem(&error))?;
        Ok(opened.map_err(stream::broken))
    }

    /// The beginning of the first is there before the answer begins: one that cannot be read is refused and not cut.
    async fn parts(
        self,
        writer: MultipartWriter,
    ) -> Result<impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static, Problem> {
        let frames = Arc::new(self);
        let mut ahead = match frames.indexes.first() {
            Some(index) => Some(frames.open(*index).await.map_err(|error| read_problem(&error))?),
            None => None,
        };
        Ok(async_stream::try_stream! {
            for (position, index) in frames.indexes.iter().enumerate() {
                yield writer.part_start(position == 0, frames.part());
                let mut opened = match ahead.take() {
                    Some(opened) => opened,
                    None => frames.open(*index).await.map_err(stream::broken)?,
                };
                while let Some(bytes) = stream::next(&mut opened).await {
                    yield bytes?;
                }
            }
            yield writer.end();
        })
    }

    /// One frame with its beginning read.
    pub(super) async fn open(&self, index: usize) -> Result<ByteStream, ReadError> {
        if self.word() > 1 {
            let frame = self.frame(index).await?;
            return Ok(futures_util::stream::once(async { Ok(frame) }).boxed());
        }
        kept_frame::begun(self.app.archive.stream_frame(&self.instance, &self.header, index).await?).await
    }
}

pub(super) fn wrap(writer: &MultipartWriter, part: Part<'_>, frame: &[u8]) -> Bytes {
    let (start, end) = (writer.part_start(true, part), writer.end());
    let mut body = BytesMut::with_capacity(start.len() + frame.len() + end.len());
    body.extend_from_slice(&start);
    body.extend_from_slice(frame);
    body.extend_from_slice(&end);
    body.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_lists() {
        assert_eq!(parse_frames("1").expect("valid"), [0]);
        assert_eq!(parse_frames("3, 1,2").expect("valid"), [2, 0, 1]);
        let flood = (1..=FRAMES_MAX + 1).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        for list in ["", "0", "-1", "+1", "1,,2", "1,1", "x", "1.5", "99999999999", &flood] {
            assert_eq!(parse_frames(list).expect_err(list).status, 400, "{list}");
        }
    }
}
