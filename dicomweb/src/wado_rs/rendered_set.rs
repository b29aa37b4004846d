//! PS3.18 10.4.1.1.3, Rendered Study and Series: a picture of each image instance, in parts.

use archive::ReadError;
use axum::{extract::State, http::HeaderMap, response::Response};
use bytes::Bytes;
use database::StoredInstance;
use futures_util::Stream;
use model::access::Action;
use rendering::{EncodedImage, Output};
use service::http::{bearer::Authenticated, guard::StreamGuard, problem::Problem};

use super::{document, find, header, render, rendered::representative, stream, transcode::Patience};
use crate::{
    acceptable::Acceptable,
    conditional,
    media_type::Form,
    multipart::{Fingerprint, MultipartWriter, Part},
    resource::Resource,
    state::App,
};

/// `GET .../rendered` of a study or a series: of each instance with several frames the representative one, else the
/// first. Instances that have no picture are left out; without any the answer is 406.
pub(crate) async fn retrieve_rendered_set(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let scope = who.authorize(Action::ReadStudy)?;
    let warning = render::annotation(&acceptable)?;
    let output = render::output(&acceptable, Form::Multipart)?;
    let instances = find(&app, &scope, &resource).await?;
    let is_image = |instance: &StoredInstance| {
        instance.rows.is_some() && instance.columns.is_some() && document::media_type(instance).is_none()
    };
    let mut images = instances.into_iter().filter(is_image).collect::<Vec<_>>().into_iter();
    let mut fingerprint = Fingerprint::new("rendered/set");
    fingerprint.add(env!("CARGO_PKG_VERSION").as_bytes()).add(format!("{output:?}").as_bytes());
    for instance in images.as_slice() {
        fingerprint.add(&instance.data_set_sha256);
    }
    let boundary = fingerprint.finish();
    let entity_tag = boundary.entity_tag();
    if conditional::is_known(&headers, &entity_tag) {
        return Ok(render::warned(conditional::not_modified(&entity_tag), warning));
    }
    let mut first = Err(render::not_renderable("there is no image"));
    for instance in images.by_ref() {
        first = picture(&app, &instance, &output, Patience::Limited).await;
        // Overload is said, not passed over.
        if first.as_ref().map_or_else(|problem| problem.status != 406, |_| true) {
            break;
        }
    }
    let first = first?;
    let writer = MultipartWriter::new(boundary, output.format.media_type());
    let content_type = writer.content_type();
    let guard = StreamGuard::new(app.database(), &who, &scope, resource.study()?);
    let body = parts(app, output, first, images.collect(), writer);
    let response = guard.cover(stream::respond(&content_type, &entity_tag, None, body));
    Ok(render::warned(response, warning))
}

async fn picture(
    app: &App,
    instance: &StoredInstance,
    output: &Output,
    patience: Patience,
) -> Result<EncodedImage, Problem> {
    let header = header(app, instance).await?;
    let index = representative(&header);
    render::render(app, instance, &header, index, output.clone(), patience).await
}

fn parts(
    app: App,
    output: Output,
    first: EncodedImage,
    rest: Vec<StoredInstance>,
    writer: MultipartWriter,
) -> impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static {
    async_stream::try_stream! {
        let part = Part { media_type: output.format.media_type(), transfer_syntax: "" };
        yield writer.part_start(true, part);
        yield Bytes::from(first.bytes);
        for instance in rest {
            match picture(&app, &instance, &output, Patience::Unlimited).await {
                Ok(picture) => {
                    yield writer.part_start(false, part);
                    yield Bytes::from(picture.bytes);
                }
                Err(problem) => {
                    tracing::warn!(instance = %instance.sop_instance_uid, problem.status, "no picture of an instance");
                }
            }
        }
        yield writer.end();
    }
}
