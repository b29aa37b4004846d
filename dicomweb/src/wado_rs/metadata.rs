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
    dicom_json::{Annotations, annotate, json_to_native_xml},
    media_type::{self, DICOM_JSON, DICOM_XML, Representation},
    multipart::{Fingerprint, MultipartWriter, Part},
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
    let form = Form::of(&acceptable)?;
    let instances = find(&app, &scope, &resource).await?;
    let mut fingerprint = Fingerprint::new(form.name());
    fingerprint.add(app.urls.base().as_bytes());
    for instance in &instances {
        fingerprint.add(instance.id.as_bytes()).add(&instance.data_set_sha256);
    }
    let boundary = fingerprint.finish();
    let entity_tag = boundary.entity_tag();
    if conditional::is_known(&headers, &entity_tag) {
        return Ok(conditional::not_modified(&entity_tag));
    }
    // The first batch comes before the answer begins: a database that is busy is then a clean error.
    let (first, rest) = instances.split_at(instances.len().min(HEADERS_AT_ONCE));
    let writer = MultipartWriter::new(boundary, DICOM_XML);
    let (content_type, around) = match form {
        Form::Json => (DICOM_JSON.to_owned(), Around::json()),
        Form::Xml => (writer.content_type(), Around::xml(&writer)),
    };
    let first =
        batch(&app, first, form, &around.between).await.map_err(|error| problems::database(&error))?;
    let body = if rest.is_empty() {
        Body::from(around.whole(&first))
    } else {
        Body::from_stream(stream(app.clone(), around, first, rest.to_vec(), form))
    };
    let mut response = Response::new(body);
    if let Ok(content_type) = HeaderValue::from_str(&content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    conditional::tag(&mut response, &entity_tag);
    Ok(response)
}

/// What the headers are sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One array (PS3.18 F.2).
    Json,
    /// A part for each (PS3.18 8.7.3.2).
    Xml,
}

impl Form {
    fn of(acceptable: &Acceptable) -> Result<Self, Problem> {
        let json = Representation::plain(DICOM_JSON);
        let xml = Representation::new(media_type::Form::Multipart, DICOM_XML, "");
        match acceptable.choose_index(&[json, xml]) {
            Ok(0) => Ok(Self::Json),
            Ok(_) => Ok(Self::Xml),
            // Some viewers ask for metadata with the Accept of frames; JSON is what they read then.
            Err(problem) => acceptable.json().map(|()| Self::Json).map_err(|_| problem),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Json => "metadata",
            Self::Xml => "metadata/xml",
        }
    }
}

/// What stands before, between and after the headers.
struct Around {
    start: Bytes,
    between: Bytes,
    end: Bytes,
}

impl Around {
    fn json() -> Self {
        let [start, between, end] = [&b"["[..], b",", b"]"].map(Bytes::from_static);
        Self { start, between, end }
    }

    fn xml(writer: &MultipartWriter) -> Self {
        let part = Part { media_type: DICOM_XML, transfer_syntax: "" };
        Self {
            start: writer.part_start(true, part),
            between: writer.part_start(false, part),
            end: writer.end(),
        }
    }

    fn whole(&self, headers: &[u8]) -> Vec<u8> {
        [&self.start[..], headers, &self.end].concat()
    }
}

fn stream(
    app: App,
    around: Around,
    first: Vec<u8>,
    rest: Vec<StoredInstance>,
    form: Form,
) -> impl Stream<Item = Result<Bytes, DatabaseError>> + Send + 'static {
    async_stream::try_stream! {
        yield around.start.clone();
        yield Bytes::from(first);
        for instances in rest.chunks(HEADERS_AT_ONCE) {
            let next = batch(&app, instances, form, &around.between).await.inspect_err(|error| {
                tracing::error!(%error, "a body was cut: headers could not be read");
            })?;
            if !next.is_empty() {
                yield around.between.clone();
                yield Bytes::from(next);
            }
        }
        yield around.end.clone();
    }
}

/// Documents with `between` between them.
async fn batch(
    app: &App,
    instances: &[StoredInstance],
    form: Form,
    between: &[u8],
) -> Result<Vec<u8>, DatabaseError> {
    let by_id: HashMap<Uuid, &StoredInstance> =
        instances.iter().map(|instance| (instance.id, instance)).collect();
    let ids: Vec<Uuid> = instances.iter().map(|instance| instance.id).collect();
    let headers = app.database().headers(&ids).await?;
    let mut documents = Vec::with_capacity(headers.iter().map(|header| header.json.len() + 512).sum());
    for header in headers {
        let Some(instance) = by_id.get(&header.instance_id) else { continue };
        if !documents.is_empty() {
            documents.extend_from_slice(between);
        }
        let url = app.urls.instance(
            &instance.study_instance_uid,
            &instance.series_instance_uid,
            &instance.sop_instance_uid,
        );
        let annotations =
            Annotations { instance_url: &url, transfer_syntax: instance.transfer_syntax_uid.as_str() };
        match form {
            Form::Json => annotate(&header.json, annotations, &mut documents),
            Form::Xml => {
                let mut json = Vec::with_capacity(header.json.len() + 512);
                annotate(&header.json, annotations, &mut json);
                let unreadable = || DatabaseError::Corrupt(format!("header of instance {}", instance.id));
                let json = std::str::from_utf8(&json).map_err(|_| unreadable())?;
                let xml = json_to_native_xml(json).map_err(|_| unreadable())?;
                documents.extend_from_slice(xml.as_bytes());
            }
        }
    }
    Ok(documents)
}
