//! PS3.18 10.4.1.1.2, Metadata Resources: the stored headers, from the database alone.

use std::collections::HashMap;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use database::{DatabaseError, StoredInstance};
use futures_util::Stream;
use model::access::Action;
use service::http::{bearer::Authenticated, problem::Problem};
use uuid::Uuid;

use super::find;
use crate::{
    acceptable::Acceptable,
    conditional,
    dicom_json::{Annotations, annotate},
    media_type::DICOM_JSON,
    multipart::Fingerprint,
    problems,
    resource::Resource,
    state::App,
};

/// Headers unpacked at once: what bounds the memory of one answer.
const HEADERS_AT_ONCE: usize = 64;

/// `GET .../metadata` of a study, a series or an instance.
pub(crate) async fn retrieve_metadata(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let scope = who.authorize(Action::ReadStudy)?;
    acceptable.json()?;
    let instances = find(&app, &scope, &resource).await?;
    let mut fingerprint = Fingerprint::new("metadata");
    fingerprint.add(app.urls.base().as_bytes());
    for instance in &instances {
        fingerprint.add(instance.id.as_bytes()).add(&instance.data_set_sha256);
    }
    let entity_tag = fingerprint.finish().entity_tag();
    if conditional::is_known(&headers, &entity_tag) {
        return Ok(conditional::not_modified(&entity_tag));
    }
    // The first batch comes before the answer begins: a database that is busy is then a clean error.
    let (first, rest) = instances.split_at(instances.len().min(HEADERS_AT_ONCE));
    let first = batch(&app, first).await.map_err(|error| problems::database(&error))?;
    let body = if rest.is_empty() {
        Body::from([&b"["[..], &first, b"]"].concat())
    } else {
        Body::from_stream(stream(app.clone(), first, rest.to_vec()))
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(DICOM_JSON));
    conditional::tag(&mut response, &entity_tag);
    Ok(response)
}

fn stream(
    app: App,
    first: Vec<u8>,
    rest: Vec<StoredInstance>,
) -> impl Stream<Item = Result<Bytes, DatabaseError>> + Send + 'static {
    async_stream::try_stream! {
        yield Bytes::from_static(b"[");
        yield Bytes::from(first);
        for instances in rest.chunks(HEADERS_AT_ONCE) {
            let next = batch(&app, instances).await.inspect_err(|error| {
                tracing::error!(%error, "a body was cut: headers could not be read");
            })?;
            if !next.is_empty() {
                yield Bytes::from_static(b",");
                yield Bytes::from(next);
            }
        }
        yield Bytes::from_static(b"]");
    }
}

/// Headers with commas between them.
async fn batch(app: &App, instances: &[StoredInstance]) -> Result<Vec<u8>, DatabaseError> {
    let by_id: HashMap<Uuid, &StoredInstance> =
        instances.iter().map(|instance| (instance.id, instance)).collect();
    let ids: Vec<Uuid> = instances.iter().map(|instance| instance.id).collect();
    let headers = app.database().headers(&ids).await?;
    let mut json = Vec::with_capacity(headers.iter().map(|header| header.json.len() + 512).sum());
    for header in headers {
        let Some(instance) = by_id.get(&header.instance_id) else { continue };
        if !json.is_empty() {
            json.push(b',');
        }
        let url = app.urls.instance(
            &instance.study_instance_uid,
            &instance.series_instance_uid,
            &instance.sop_instance_uid,
        );
        let annotations =
            Annotations { instance_url: &url, transfer_syntax: instance.transfer_syntax_uid.as_str() };
        annotate(&header.json, annotations, &mut json);
    }
    Ok(json)
}
