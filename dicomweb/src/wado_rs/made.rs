//! PS3.18 10.4.1.1.6: frames in a form that they are not kept in, made one after the other while they are sent.

use std::sync::Arc;

use archive::ReadError;
use axum::{http::HeaderMap, response::Response};
use bytes::Bytes;
use futures_util::Stream;
use rendering::Target;

use super::{
    frame_cache::{Key, Made},
    frames::{Frames, wrap},
    read_problem, stream,
    transcode::{Patience, TranscodeError},
};
use crate::{conditional, media_type::Form, multipart::MultipartWriter};

/// The answer. One frame is made before it begins and can be asked for in ranges; of several the first one is.
pub async fn respond(frames: Frames, headers: &HeaderMap) -> Result<Response, TranscodeError> {
    let boundary = frames.fingerprint();
    let entity_tag = boundary.entity_tag();
    if conditional::is_known(headers, &entity_tag) {
        return Ok(conditional::not_modified(&entity_tag));
    }
    let (Some(target), Some(first)) = (frames.target, frames.indexes.first().copied()) else {
        return Err(TranscodeError::NotPossible("no frames".to_owned()));
    };
    let made = make(&frames, first, target, Patience::Limited).await?;
    let writer = MultipartWriter::new(boundary, frames.part().media_type);
    if frames.indexes.len() == 1 {
        let (content_type, body) = match frames.sent.form {
            Form::SinglePart => (frames.part().content_type(), made),
            Form::Multipart => (writer.content_type(), wrap(&writer, frames.part(), &made)),
        };
        return Ok(conditional::ranged(headers, &entity_tag, &content_type, body));
    }
    let content_type = writer.content_type();
    Ok(stream::respond(&content_type, &entity_tag, None, parts(frames, target, made, writer)))
}

async fn make(
    frames: &Frames,
    index: usize,
    target: Target,
    patience: Patience,
) -> Result<Bytes, TranscodeError> {
    let Frames { app, instance, header, .. } = frames;
    let make = async {
        let made = app.converter.frame(instance, header, index, target, patience).await?;
        Ok(Made { media_type: "", bytes: Bytes::from(made.bytes) })
    };
    // In the middle of an answer nobody else is kept waiting.
    if patience == Patience::Unlimited {
        return make.await.map(|made| made.bytes);
    }
    let made = app.frame_cache.get(Key::new(instance, index, &target), make).await;
    made.map(|made| made.bytes).map_err(told)
}

/// What one of several that waited for the same frame is told.
fn told(error: Arc<TranscodeError>) -> TranscodeError {
    match Arc::try_unwrap(error) {
        Ok(own) => own,
        Err(shared) => match &*shared {
            TranscodeError::NotPossible(detail) => TranscodeError::NotPossible(detail.clone()),
            TranscodeError::Busy(problem) => TranscodeError::Busy(problem.clone()),
            TranscodeError::Read(error) => TranscodeError::Busy(read_problem(error)),
        },
    }
}

fn parts(
    frames: Frames,
    target: Target,
    first: Bytes,
    writer: MultipartWriter,
) -> impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static {
    async_stream::try_stream! {
        let mut first = Some(first);
        for (position, index) in frames.indexes.iter().enumerate() {
            let frame = if let Some(first) = first.take() {
                first
            } else {
                let made = make(&frames, *index, target, Patience::Unlimited).await;
                made.map_err(|error| stream::broken(error.broken()))?
            };
            yield writer.part_start(position == 0, frames.part());
            yield frame;
        }
        yield writer.end();
    }
}
