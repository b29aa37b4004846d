//! PS3.18 10.4.1.1.4, Thumbnail Resources: a small picture of a study, series, instance or frame.
//!
//! Some viewers give up on thumbnails of the whole server after one error. So what cannot be shown is a plain picture
//! of its own, never a 500.

use axum::{extract::State, http::HeaderMap, response::Response};
use bytes::Bytes;
use database::{PreviewObjects, PreviewState, StoredInstance};
use http::StatusCode;
use model::access::Action;
use rendering::{ImageFormat, Output, RenderOptions, RenderedImage};
use service::http::{bearer::Authenticated, problem::Problem};
use uuid::Uuid;

use super::{
    find, find_one,
    frames::parse_frames,
    header,
    render::{self, FORMATS},
    rendered::{representative, respond},
};
use crate::{
    acceptable::Acceptable, conditional, media_type::Representation, multipart::Fingerprint, problems,
    resource::Resource, state::App,
};

/// Longest side of a thumbnail that was made beforehand, in pixels; also of one that is made now.
const THUMBNAIL_SIDE_PIXELS: u32 = 128;
/// Quality of JPEG.
const JPEG_QUALITY: u8 = 85;
/// Longest side of a preview that was made beforehand, in pixels.
const PREVIEW_SIDE_PIXELS: u32 = 512;

/// `GET .../thumbnail` of a study, a series or an instance.
pub(crate) async fn retrieve_thumbnail(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (viewport, output) = wishes(&acceptable)?;
    let scope = who.authorize(Action::ReadStudy)?;
    let instances = find(&app, &scope, &resource).await?;
    let instance = middle(&instances).ok_or_else(Problem::not_found)?;
    let state = app.database().preview(instance.id).await.map_err(|error| problems::database(&error))?;
    if let PreviewState::Made(made) = state
        && let Some(response) = stored(&app, &headers, instance.id, &made, viewport, output.format).await
    {
        return Ok(response);
    }
    let header = header(&app, instance).await?;
    let index = representative(&header);
    or_placeholder(respond(&app, &headers, instance, &header, index, output.clone()).await, output.format)
}

/// `GET .../frames/{frames}/thumbnail`, for one frame.
pub(crate) async fn retrieve_frame_thumbnail(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (_, output) = wishes(&acceptable)?;
    let indexes = parse_frames(&resource.rest)?;
    let [index] = indexes[..] else {
        return Err(Problem::bad_request("a thumbnail shows one frame").field("frames", "one frame number"));
    };
    let instance = find_one(&app, &who, &resource).await?;
    let header = header(&app, &instance).await?;
    let format = output.format;
    or_placeholder(respond(&app, &headers, &instance, &header, index, output).await, format)
}

/// The viewport, and how to render when nothing fits that was made before.
fn wishes(acceptable: &Acceptable) -> Result<((u32, u32), Output), Problem> {
    let viewport = render::viewport(acceptable)?;
    if viewport.is_some_and(|(_, region)| region.is_some()) {
        let whole = "width,height: a thumbnail shows the whole image";
        return Err(Problem::bad_request("a query parameter cannot be understood; see errors")
            .field("viewport", whole));
    }
    let size = viewport.map_or((THUMBNAIL_SIDE_PIXELS, THUMBNAIL_SIDE_PIXELS), |(size, _)| size);
    let offers = FORMATS.map(Representation::plain);
    let format = render::format_of(&acceptable.choose(&offers)?.media_type, JPEG_QUALITY);
    let options = RenderOptions { size_max: Some(size), ..RenderOptions::default() };
    Ok((size, Output { options, format }))
}

/// The middle image of the first series that has images; without any, the first instance.
fn middle(instances: &[StoredInstance]) -> Option<&StoredInstance> {
    let is_image = |instance: &&StoredInstance| instance.rows.is_some() && instance.columns.is_some();
    let first = instances.iter().find(is_image).or(instances.first())?;
    let images: Vec<&StoredInstance> = instances
        .iter()
        .filter(is_image)
        .filter(|instance| instance.series_instance_uid == first.series_instance_uid)
        .collect();
    images.get(images.len() / 2).copied().or(Some(first))
}

/// The picture made beforehand that is large enough, when it is in the format asked for.
async fn stored(
    app: &App,
    headers: &HeaderMap,
    instance_id: Uuid,
    made: &PreviewObjects,
    (width, height): (u32, u32),
    format: ImageFormat,
) -> Option<Response> {
    let (key, seal) = match width.max(height) {
        0..=THUMBNAIL_SIDE_PIXELS => (made.thumbnail_key, &made.thumbnail_seal),
        side if side <= PREVIEW_SIDE_PIXELS => (made.preview_key, &made.preview_seal),
        _ => return None,
    };
    let mut fingerprint = Fingerprint::new("thumbnail");
    fingerprint.add(key.as_bytes());
    let entity_tag = fingerprint.finish().entity_tag();
    let bytes = match app.archive.preview_picture(instance_id, key, seal).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return None,
        Err(error) => {
            tracing::warn!(%error, "a thumbnail could not be read and is made anew");
            return None;
        }
    };
    let media_type = sniff(&bytes)?;
    if media_type != format.media_type() {
        return None;
    }
    if conditional::is_known(headers, &entity_tag) {
        return Some(conditional::not_modified(&entity_tag));
    }
    Some(conditional::ranged(headers, &entity_tag, media_type, bytes))
}

/// The media type of a picture by its first bytes.
fn sniff(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xd8, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// A grey picture in place of one that cannot be made.
fn or_placeholder(rendered: Result<Response, Problem>, format: ImageFormat) -> Result<Response, Problem> {
    let status = rendered.as_ref().map_or_else(|problem| problem.status, |_| StatusCode::OK.as_u16());
    let passes = [StatusCode::OK, StatusCode::BAD_REQUEST, StatusCode::SERVICE_UNAVAILABLE];
    if passes.iter().any(|known| known.as_u16() == status) {
        return rendered;
    }
    let side = THUMBNAIL_SIDE_PIXELS;
    let samples = vec![0x40; (side * side) as usize];
    let picture = RenderedImage { width: side, height: side, channels: 1, samples };
    let bytes = rendering::encode(&picture, format).map_err(|error| Problem::internal(&error))?;
    let mut fingerprint = Fingerprint::new("placeholder");
    fingerprint.add(format.media_type().as_bytes());
    let entity_tag = fingerprint.finish().entity_tag();
    Ok(conditional::ranged(&HeaderMap::new(), &entity_tag, format.media_type(), Bytes::from(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_first_bytes() {
        assert_eq!(sniff(&[0xff, 0xd8, 0xff]), Some("image/jpeg"));
        assert_eq!(sniff(b"\x89PNG\r\n"), Some("image/png"));
        assert_eq!(sniff(b"RIFF\0\0\0\0WEBPVP8L"), Some("image/webp"));
        assert_eq!(sniff(b"<html>"), None);
    }

    #[test]
    fn what_cannot_be_shown_is_grey() {
        for problem in [render::not_renderable("x"), Problem::not_found()] {
            let response = or_placeholder(Err(problem), ImageFormat::Png).expect("picture");
            assert_eq!(response.headers()[http::header::CONTENT_TYPE], "image/png");
        }
        let busy = or_placeholder(Err(Problem::unavailable("busy")), ImageFormat::Png);
        assert_eq!(busy.expect_err("busy").status, 503);
    }
}
