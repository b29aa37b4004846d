//! PS3.18 10.4.1.1.2, Metadata Resources: the stored headers, from the database alone.

use std::{collections::VecDeque, mem};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use database::{DatabaseError, PackedHeader, StoredInstance};
use futures_util::Stream;
use model::access::Action;
use service::http::{bearer::Authenticated, problem::Problem};
use uuid::Uuid;

use super::{find, guard};
use crate::{
    acceptable::Acceptable,
    conditional,
    dicom_json::{Annotations, annotate, json_to_native_xml},
    media_type::{self, DICOM_JSON, DICOM_XML, Representation},
    multipart::{Fingerprint, MultipartWriter, Part},
    problems,
    resource::Resource,
    state::App,
    urls::Urls,
};

/// Headers asked for at once.
const HEADERS_AT_ONCE: usize = 64;
/// What is made of them before it is sent.
const PIECE_BYTES: usize = 256 << 10;

/// `GET .../metadata` of a study, a series or an instance.
pub(crate) async fn retrieve_metadata(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    urls: Urls,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let scope = who.authorize(Action::ReadStudy)?;
    let form = Form::of(&acceptable, &resource)?;
    let instances = find(&app, &scope, &resource).await?;
    let mut fingerprint = Fingerprint::new(form.name());
    fingerprint.add(urls.base().as_bytes());
    for instance in &instances {
        fingerprint.add(instance.id.as_bytes()).add(&instance.data_set_sha256);
    }
    let boundary = fingerprint.finish();
    let entity_tag = boundary.entity_tag();
    if conditional::is_known(&headers, &entity_tag) {
        return Ok(conditional::not_modified(&entity_tag));
    }
    let writer = MultipartWriter::new(boundary, DICOM_XML);
    let (content_type, around) = match form {
        Form::Json => (DICOM_JSON.to_owned(), Around::json()),
        Form::XmlParts => (writer.content_type(), Around::xml(&writer)),
        Form::Xml => (DICOM_XML.to_owned(), Around::default()),
    };
    let guard = guard(&app, &who, &resource)?;
    let mut documents = Documents::new(app, urls, form, around.between.clone(), instances);
    // The first piece comes before the answer begins: a database that is busy is then a clean error.
    let first = documents.next().await.map_err(|error| problems::database(&error))?;
    let body = if documents.is_over() {
        Body::from(around.whole(&first))
    } else {
        Body::from_stream(stream(around, first, documents))
    };
    let mut response = Response::new(body);
    if let Ok(content_type) = HeaderValue::from_str(&content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    conditional::tag(&mut response, &entity_tag);
    Ok(guard.cover(response))
}

/// What the headers are sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One array (PS3.18 F.2).
    Json,
    /// A part for each (PS3.18 8.7.3.2).
    XmlParts,
    /// The only one, by itself (PS3.18 10.4.4).
    Xml,
}

impl Form {
    fn of(acceptable: &Acceptable, resource: &Resource) -> Result<Self, Problem> {
        let json = Representation::plain(DICOM_JSON);
        let parts = Representation::new(media_type::Form::Multipart, DICOM_XML, "");
        let one = Representation::plain(DICOM_XML);
        match acceptable.choose_index(&[json, parts, one]) {
            Ok(0) => Ok(Self::Json),
            Ok(2) if resource.instance.is_some() => Ok(Self::Xml),
            // Of several that ask for one without parts, the parts: better than none.
            Ok(_) => Ok(Self::XmlParts),
            // Some viewers ask for metadata with the Accept of frames; JSON is what they read then.
            Err(problem) => acceptable.json().map(|()| Self::Json).map_err(|_| problem),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Json => "metadata",
            Self::XmlParts => "metadata/xml",
            Self::Xml => "metadata/xml/one",
        }
    }
}

/// What stands before, between and after the headers.
#[derive(Default)]
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

/// The headers, one after the other. Strangers have sent them: each is unpacked when it is needed, and what is made of them leaves in
/// pieces.
struct Documents {
    app: App,
    urls: Urls,
    form: Form,
    /// What stands between two.
    between: Bytes,
    instances: Vec<StoredInstance>,
    /// How many of them are in `packed`, or were.
    read: usize,
    packed: VecDeque<(usize, PackedHeader)>,
    /// One was made.
    began: bool,
}

impl Documents {
    fn new(app: App, urls: Urls, form: Form, between: Bytes, instances: Vec<StoredInstance>) -> Self {
        Self { app, urls, form, between, instances, read: 0, packed: VecDeque::new(), began: false }
    }

    fn is_over(&self) -> bool {
        self.packed.is_empty() && self.read == self.instances.len()
    }

    /// The next piece of them; empty when there are none any more.
    async fn next(&mut self) -> Result<Vec<u8>, DatabaseError> {
        let mut piece = Vec::new();
        while piece.len() < PIECE_BYTES {
            match self.packed.pop_front() {
                Some((index, packed)) => self.append(&mut piece, index, &packed)?,
                None if self.is_over() => break,
                None => self.read_more().await?,
            }
        }
        Ok(piece)
    }

    async fn read_more(&mut self) -> Result<(), DatabaseError> {
        let rest = &self.instances[self.read..];
        let ids: Vec<Uuid> = rest.iter().take(HEADERS_AT_ONCE).map(|instance| instance.id).collect();
        let (found, covered) = self.app.database().first_headers(&ids).await?;
        let mut indexes = ids.iter().zip(self.read..);
        for packed in found {
            // Both are in the same order; an instance that has gone meanwhile has no header.
            let Some((_, index)) = indexes.find(|(id, _)| **id == packed.instance_id()) else { break };
            self.packed.push_back((index, packed));
        }
        self.read += covered;
        Ok(())
    }

    fn append(
        &mut self,
        piece: &mut Vec<u8>,
        index: usize,
        packed: &PackedHeader,
    ) -> Result<(), DatabaseError> {
        let instance = &self.instances[index];
        let header = packed.json()?;
        if mem::replace(&mut self.began, true) {
            piece.extend_from_slice(&self.between);
        }
        let url = self.urls.instance(
            &instance.study_instance_uid,
            &instance.series_instance_uid,
            &instance.sop_instance_uid,
        );
        let annotations =
            Annotations { instance_url: &url, transfer_syntax: instance.transfer_syntax_uid.as_str() };
        match self.form {
            Form::Json => annotate(&header, annotations, piece),
            Form::Xml | Form::XmlParts => {
                let mut json = Vec::with_capacity(header.len() + 512);
                annotate(&header, annotations, &mut json);
                let unreadable = || DatabaseError::Corrupt(format!("header of instance {}", instance.id));
                let json = std::str::from_utf8(&json).map_err(|_| unreadable())?;
                let xml = json_to_native_xml(json).map_err(|_| unreadable())?;
                piece.extend_from_slice(xml.as_bytes());
            }
        }
        Ok(())
    }
}

fn stream(
    around: Around,
    first: Vec<u8>,
    mut rest: Documents,
) -> impl Stream<Item = Result<Bytes, DatabaseError>> + Send + 'static {
    async_stream::try_stream! {
        yield around.start.clone();
        yield Bytes::from(first);
        while !rest.is_over() {
            let next = rest.next().await.inspect_err(|error| {
                tracing::error!(%error, "a body was cut: headers could not be read");
            })?;
            yield Bytes::from(next);
        }
        yield around.end.clone();
    }
}
