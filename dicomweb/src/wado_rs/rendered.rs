//! PS3.18 10.4.1.1.3, Rendered Resources: an instance's frames as pictures, one alone or several in parts.

use std::sync::Arc;

use archive::ReadError;
use axum::{extract::State, http::HeaderMap, response::Response};
use bytes::Bytes;
use database::{HeaderRecord, StoredInstance};
use futures_util::Stream;
use rendering::{ImageFormat, Output};
use service::http::{bearer::Authenticated, problem::Problem};

use super::{
    animated, document, find_one,
    frame_cache::{Key, Made},
    frames::{parse_frames, wrap},
    guard, header, render, stream,
    transcode::Patience,
};
use crate::{
    acceptable::Acceptable,
    conditional,
    media_type::Form,
    multipart::{Fingerprint, MultipartWriter, Part},
    resource::Resource,
    state::App,
};

/// How one picture can be sent.
const ONE: [Form; 2] = [Form::SinglePart, Form::Multipart];
/// How several can be.
const SEVERAL: [Form; 1] = [Form::Multipart];

/// `GET .../instances/{instance}/rendered`: of several frames the representative one, else the first; as GIF all, unless
/// parts are asked for.
pub(crate) async fn retrieve_rendered_instance(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let warning = render::annotation(&acceptable)?;
    let instance = find_one(&app, &who, &resource).await?;
    let header = header(&app, &instance).await?;
    if let Some(media_type) = document::media_type(&instance) {
        let guard = guard(&app, &who, &resource)?;
        let sent = document::respond(&app, &acceptable, &headers, &instance, &header, media_type).await?;
        return Ok(render::warned(guard.cover(sent), warning));
    }
    let (output, form) = render::output_in(&acceptable, &ONE)?;
    let moves = matches!(output.format, ImageFormat::Gif { .. }) && header.frame_table.len() > 1;
    let response = if form == Form::Multipart {
        let indexes = vec![representative(&header)];
        Box::pin(respond_in_parts(Pictures { app, instance, header, indexes, output }, &headers)).await?
    } else if moves {
        let guard = guard(&app, &who, &resource)?;
        guard.cover(animated::respond(app, &headers, instance, header, output).await?)
    } else {
        let index = representative(&header);
        Box::pin(respond(&app, &headers, &instance, &header, index, output)).await?
    };
    Ok(render::warned(response, warning))
}

/// `GET .../frames/{frames}/rendered`: a part for each frame, in the order asked for; one frame also alone.
pub(crate) async fn retrieve_rendered_frame(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let warning = render::annotation(&acceptable)?;
    let indexes = parse_frames(&resource.rest)?;
    let forms: &[Form] = if indexes.len() == 1 { &ONE } else { &SEVERAL };
    let (output, form) = render::output_in(&acceptable, forms)?;
    let instance = find_one(&app, &who, &resource).await?;
    let header = header(&app, &instance).await?;
    if indexes.iter().any(|index| *index >= header.frame_table.len()) {
        return Err(Problem::not_found());
    }
    let response = if let ([index], Form::SinglePart) = (indexes.as_slice(), form) {
        Box::pin(respond(&app, &headers, &instance, &header, *index, output)).await?
    } else {
        let guard = guard(&app, &who, &resource)?;
        let pictures = Pictures { app, instance, header, indexes, output };
        guard.cover(Box::pin(respond_in_parts(pictures, &headers)).await?)
    };
    Ok(render::warned(response, warning))
}

/// Index of the frame that stands for the instance (PS3.3 C.7.6.6.1.1).
pub(crate) fn representative(header: &HeaderRecord) -> usize {
    let number = header.pixel_module.as_ref().and_then(|module| module.representative_frame_number);
    let index = number.and_then(|number| number.checked_sub(1)).unwrap_or(0) as usize;
    if index < header.frame_table.len() { index } else { 0 }
}

/// Renders, unless the client has the same picture.
pub(crate) async fn respond(
    app: &App,
    headers: &HeaderMap,
    instance: &StoredInstance,
    header: &HeaderRecord,
    index: usize,
    output: Output,
) -> Result<Response, Problem> {
    let mut fingerprint = Fingerprint::new("rendered");
    fingerprint.add(env!("CARGO_PKG_VERSION").as_bytes()).add(&instance.data_set_sha256);
    fingerprint.add(&(index as u64).to_be_bytes()).add(format!("{output:?}").as_bytes());
    let entity_tag = fingerprint.finish().entity_tag();
    if conditional::is_known(headers, &entity_tag) {
        return Ok(conditional::not_modified(&entity_tag));
    }
    let made = made(app, instance, header, index, output).await?;
    Ok(conditional::ranged(headers, &entity_tag, made.media_type, made.bytes))
}

/// A picture that was made lately, else one that is made now.
async fn made(
    app: &App,
    instance: &StoredInstance,
    header: &HeaderRecord,
    index: usize,
    output: Output,
) -> Result<Made, Problem> {
    let key = Key::new(instance, index, &output);
    let make = async {
        let picture = render::render(app, instance, header, index, output, Patience::Limited).await?;
        Ok(Made { media_type: picture.media_type, bytes: Bytes::from(picture.bytes) })
    };
    app.frame_cache.get(key, make).await.map_err(|problem: Arc<Problem>| (*problem).clone())
}

/// Frames of one instance that are there, about to be sent as pictures in parts.
struct Pictures {
    app: App,
    instance: StoredInstance,
    header: HeaderRecord,
    indexes: Vec<usize>,
    output: Output,
}

impl Pictures {
    fn part(&self) -> Part<'static> {
        Part { media_type: self.output.format.media_type(), transfer_syntax: "" }
    }
}

/// The answer, its first picture made before it begins. Of one picture it can be asked for in ranges.
async fn respond_in_parts(pictures: Pictures, headers: &HeaderMap) -> Result<Response, Problem> {
    let Pictures { app, instance, header, indexes, output } = &pictures;
    let mut fingerprint = Fingerprint::new("rendered/frames");
    fingerprint.add(env!("CARGO_PKG_VERSION").as_bytes()).add(&instance.data_set_sha256);
    fingerprint.add(format!("{output:?}").as_bytes());
    for index in indexes {
        fingerprint.add(&(*index as u64).to_be_bytes());
    }
    let boundary = fingerprint.finish();
    let entity_tag = boundary.entity_tag();
    if conditional::is_known(headers, &entity_tag) {
        return Ok(conditional::not_modified(&entity_tag));
    }
    let index = indexes.first().copied().ok_or_else(Problem::not_found)?;
    let first = made(app, instance, header, index, output.clone()).await?.bytes;
    let part = pictures.part();
    let writer = MultipartWriter::new(boundary, part.media_type);
    let content_type = writer.content_type();
    if indexes.len() == 1 {
        let body = wrap(&writer, part, &first);
        return Ok(conditional::ranged(headers, &entity_tag, &content_type, body));
    }
    Ok(stream::respond(&content_type, &entity_tag, None, parts(pictures, first, writer)))
}

/// A frame that cannot be shown cuts the answer: without it the parts after it would be taken for other frames.
fn parts(
    pictures: Pictures,
    first: Bytes,
    writer: MultipartWriter,
) -> impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static {
    async_stream::try_stream! {
        let part = pictures.part();
        yield writer.part_start(true, part);
        yield first;
        let Pictures { app, instance, header, indexes, output } = &pictures;
        for index in indexes.iter().skip(1).copied() {
            let made = render::render(app, instance, header, index, output.clone(), Patience::Unlimited).await;
            let picture = made.map_err(|problem| {
                tracing::warn!(index, problem.status, "one of several frames has no picture");
                stream::broken(ReadError::Damaged("a frame has no picture"))
            })?;
            yield writer.part_start(false, part);
            yield Bytes::from(picture.bytes);
        }
        yield writer.end();
    }
}
