//! PS3.18 10.4.1.1.3, Rendered Resources: an instance's frame as a picture.

use std::sync::Arc;

use axum::{extract::State, http::HeaderMap, response::Response};
use bytes::Bytes;
use database::{HeaderRecord, StoredInstance};
use rendering::{ImageFormat, Output};
use service::http::{bearer::Authenticated, problem::Problem};

use super::{
    animated, document, find_one,
    frame_cache::{Key, Made},
    frames::parse_frames,
    guard, header, render,
    transcode::Patience,
};
use crate::{
    acceptable::Acceptable, conditional, media_type::Form, multipart::Fingerprint, resource::Resource,
    state::App,
};

/// `GET .../instances/{instance}/rendered`: of several frames the representative one, else the first; as GIF all.
pub(crate) async fn retrieve_rendered_instance(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let instance = find_one(&app, &who, &resource).await?;
    let header = header(&app, &instance).await?;
    if let Some(media_type) = document::media_type(&instance) {
        let guard = guard(&app, &who, &resource)?;
        let sent = document::respond(&app, &acceptable, &headers, &instance, &header, media_type).await?;
        return Ok(guard.cover(sent));
    }
    let output = render::output(&acceptable, Form::SinglePart)?;
    if matches!(output.format, ImageFormat::Gif { .. }) && header.frame_table.len() > 1 {
        let guard = guard(&app, &who, &resource)?;
        return Ok(guard.cover(animated::respond(app, &headers, instance, header, output).await?));
    }
    let index = representative(&header);
    respond(&app, &headers, &instance, &header, index, output).await
}

/// `GET .../frames/{frames}/rendered`, for one frame.
pub(crate) async fn retrieve_rendered_frame(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let output = render::output(&acceptable, Form::SinglePart)?;
    let indexes = parse_frames(&resource.rest)?;
    let [index] = indexes[..] else {
        return Err(Problem::bad_request("a picture shows one frame").field("frames", "one frame number"));
    };
    let instance = find_one(&app, &who, &resource).await?;
    let header = header(&app, &instance).await?;
    respond(&app, &headers, &instance, &header, index, output).await
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
    let key = Key::new(instance, index, &output);
    let make = async {
        let picture = render::render(app, instance, header, index, output, Patience::Limited).await?;
        Ok(Made { media_type: picture.media_type, bytes: Bytes::from(picture.bytes) })
    };
    let made = app.frame_cache.get(key, make).await.map_err(|problem: Arc<Problem>| (*problem).clone())?;
    Ok(conditional::ranged(headers, &entity_tag, made.media_type, made.bytes))
}
