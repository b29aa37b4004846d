//! PS3.18 10.4.1.1.4, Thumbnail Resources: a small picture of a study, series, instance or frame.
//!
//! Some viewers give up on thumbnails of the whole server after one error. So what is there and cannot be shown is a
//! plain picture of its own, never a 500.

use axum::{extract::State, http::HeaderMap, response::Response};
use bytes::Bytes;
use database::{PreviewObjects, PreviewState, StoredInstance};
use http::StatusCode;
use model::access::Action;
use rendering::{ImageFormat, Output, RenderError, RenderOptions, RenderedImage};
use service::http::{bearer::Authenticated, problem::Problem};
use uuid::Uuid;

use super::{
    find, find_one,
    frame_cache::{Key, Made},
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

/// `GET .../thumbnail` of a study, a series or an instance.
pub(crate) async fn retrieve_thumbnail(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wish = Wish::read(&acceptable)?;
    let scope = who.authorize(Action::ReadStudy)?;
    let instances = find(&app, &scope, &resource).await?;
    let instance = middle(&instances).ok_or_else(Problem::not_found)?;
    let state = app.database().preview(instance.id).await.map_err(|error| problems::database(&error))?;
    if let PreviewState::Made(made) = state
        && let Some(response) = stored(&app, &headers, instance, &made, &wish).await
    {
        return Ok(response);
    }
    let header = header(&app, instance).await?;
    let index = representative(&header);
    let rendered = Box::pin(respond(&app, &headers, instance, &header, index, wish.output.clone())).await;
    or_placeholder(rendered, &wish.output)
}

/// `GET .../frames/{frames}/thumbnail`, for one frame.
pub(crate) async fn retrieve_frame_thumbnail(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Wish { output, .. } = Wish::read(&acceptable)?;
    let indexes = parse_frames(&resource.rest)?;
    let [index] = indexes[..] else {
        return Err(Problem::bad_request("a thumbnail shows one frame").field("frames", "one frame number"));
    };
    let instance = find_one(&app, &who, &resource).await?;
    let header = header(&app, &instance).await?;
    let rendered = Box::pin(respond(&app, &headers, &instance, &header, index, output.clone())).await;
    // A frame that is not there has no picture, not even a grey one.
    if rendered.as_ref().is_err_and(|problem| problem.status == StatusCode::NOT_FOUND.as_u16()) {
        return rendered;
    }
    or_placeholder(rendered, &output)
}

/// What is asked for.
struct Wish {
    /// The viewport, when there is one.
    viewport: Option<(u32, u32)>,
    /// How to render when nothing fits that was made before.
    output: Output,
}

impl Wish {
    fn read(acceptable: &Acceptable) -> Result<Self, Problem> {
        let viewport = render::viewport(acceptable)?;
        if viewport.is_some_and(|(_, region)| region.is_some()) {
            let whole = "width,height: a thumbnail shows the whole image";
            return Err(Problem::bad_request("a query parameter cannot be understood; see errors")
                .field("viewport", whole));
        }
        let viewport = viewport.map(|(size, _)| size);
        let size = viewport.unwrap_or((THUMBNAIL_SIDE_PIXELS, THUMBNAIL_SIDE_PIXELS));
        let offers = FORMATS.map(Representation::plain);
        let format = render::format_of(&acceptable.choose(&offers)?.media_type, JPEG_QUALITY);
        let enlarge = viewport.is_some();
        let options = RenderOptions { size_max: Some(size), enlarge, ..RenderOptions::default() };
        Ok(Self { viewport, output: Output { options, format } })
    }

    /// Width and height of the picture: as large as possible within the viewport (PS3.18 8.3.5.1.3).
    fn size(&self, instance: &StoredInstance, made: &PreviewObjects) -> (u32, u32) {
        let side = |pixels: Option<i32>| {
            pixels.and_then(|pixels| u32::try_from(pixels).ok()).filter(|pixels| *pixels > 0)
        };
        let image = side(instance.columns).zip(side(instance.rows));
        let (columns, rows) = image.unwrap_or((made.width, made.height));
        self.output.options.target(columns, rows)
    }
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

/// Object and seal of a picture that was made beforehand.
type Kept<'a> = (Uuid, &'a [u8]);

/// The small picture made beforehand, as it is; for a viewport the smallest that is large enough, fitted into it. None
/// when there is none in the format asked for.
async fn stored(
    app: &App,
    headers: &HeaderMap,
    instance: &StoredInstance,
    made: &PreviewObjects,
    wish: &Wish,
) -> Option<Response> {
    let format = wish.output.format;
    let small = (made.thumbnail_key, made.thumbnail_seal.as_slice());
    let large = (made.preview_key, made.preview_seal.as_slice());
    if wish.viewport.is_none() {
        let mut fingerprint = Fingerprint::new("thumbnail");
        fingerprint.add(small.0.as_bytes()).add(format.media_type().as_bytes());
        let entity_tag = fingerprint.finish().entity_tag();
        // Who knows the tag was sent the picture in this format: it is not read for that.
        if conditional::is_known(headers, &entity_tag) {
            return Some(conditional::not_modified(&entity_tag));
        }
        let picture = read(app, instance.id, small, format).await?;
        return Some(conditional::ranged(headers, &entity_tag, format.media_type(), picture));
    }
    let size = wish.size(instance, made);
    if size.0.max(size.1) <= THUMBNAIL_SIDE_PIXELS
        && let Some(response) = fitted(app, headers, instance, small, size, format).await
    {
        return Some(response);
    }
    if size.0 > made.width || size.1 > made.height {
        return None;
    }
    fitted(app, headers, instance, large, size, format).await
}

/// A picture made beforehand in exactly this size; None when it is smaller or has another format.
async fn fitted(
    app: &App,
    headers: &HeaderMap,
    instance: &StoredInstance,
    kept: Kept<'_>,
    size: (u32, u32),
    format: ImageFormat,
) -> Option<Response> {
    let mut fingerprint = Fingerprint::new("thumbnail/fitted");
    fingerprint.add(env!("CARGO_PKG_VERSION").as_bytes()).add(kept.0.as_bytes());
    fingerprint.add(format.media_type().as_bytes()).add(format!("{size:?}").as_bytes());
    let entity_tag = fingerprint.finish().entity_tag();
    if conditional::is_known(headers, &entity_tag) {
        return Some(conditional::not_modified(&entity_tag));
    }
    let key = Key::new(instance, 0, &("thumbnail", kept.0, size, format));
    // Nothing is read for a picture that was made lately. An error that is none: there is no picture that fits.
    let make = Box::pin(async move {
        let picture = read(app, instance.id, kept, format).await.ok_or(None::<RenderError>)?;
        let (width, height) = rendering::picture_size(&picture).ok_or(None::<RenderError>)?;
        if width < size.0 || height < size.1 {
            return Err(None);
        }
        let bytes = if (width, height) == size {
            picture
        } else {
            let work = move || rendering::shrink_picture(&picture, size, format);
            Bytes::from(tokio::task::spawn_blocking(work).await.unwrap_or(Err(RenderError::Panicked))?)
        };
        Ok::<Made, Option<RenderError>>(Made { media_type: format.media_type(), bytes })
    });
    match app.frame_cache.get(key, make).await {
        Ok(made) => Some(conditional::ranged(headers, &entity_tag, made.media_type, made.bytes)),
        Err(error) => {
            if let Some(error) = &*error {
                tracing::warn!(%error, "a picture made beforehand could not be made smaller and is rendered");
            }
            None
        }
    }
}

/// A picture made beforehand, when it is there and in this format.
async fn read(app: &App, instance_id: Uuid, (key, seal): Kept<'_>, format: ImageFormat) -> Option<Bytes> {
    match app.archive.preview_picture(instance_id, key, seal).await {
        Ok(picture) => picture.filter(|bytes| sniff(bytes) == Some(format.media_type())),
        Err(error) => {
            tracing::warn!(%error, "a thumbnail could not be read and is made anew");
            None
        }
    }
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
fn or_placeholder(rendered: Result<Response, Problem>, output: &Output) -> Result<Response, Problem> {
    let status = rendered.as_ref().map_or_else(|problem| problem.status, |_| StatusCode::OK.as_u16());
    let passes = [StatusCode::OK, StatusCode::BAD_REQUEST, StatusCode::SERVICE_UNAVAILABLE];
    if passes.iter().any(|known| known.as_u16() == status) {
        return rendered;
    }
    let most = THUMBNAIL_SIDE_PIXELS;
    let (width, height) = output.options.size_max.unwrap_or((most, most));
    let (width, height) = (width.min(most), height.min(most));
    let samples = vec![0x40; (width * height) as usize];
    let picture = RenderedImage { width, height, channels: 1, samples };
    let bytes = rendering::encode(&picture, output.format).map_err(|error| Problem::internal(&error))?;
    let media_type = output.format.media_type();
    let mut fingerprint = Fingerprint::new("placeholder");
    fingerprint.add(media_type.as_bytes()).add(format!("{width},{height}").as_bytes());
    let entity_tag = fingerprint.finish().entity_tag();
    Ok(conditional::ranged(&HeaderMap::new(), &entity_tag, media_type, Bytes::from(bytes)))
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
        let output = Output { options: RenderOptions::fit(64), format: ImageFormat::Png };
        for problem in [render::not_renderable("x"), Problem::not_found()] {
            let response = or_placeholder(Err(problem), &output).expect("picture");
            assert_eq!(response.headers()[http::header::CONTENT_TYPE], "image/png");
        }
        let busy = or_placeholder(Err(Problem::unavailable("busy")), &output);
        assert_eq!(busy.expect_err("busy").status, 503);
    }
}
