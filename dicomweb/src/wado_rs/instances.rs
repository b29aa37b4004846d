//! PS3.18 10.4.1.1.1, Study, Series and Instance Resources: whole instances in the form in which they are kept.
//!
//! Where the request names no transfer syntax, the stored one is sent. The Standard's default would be Explicit VR
//! Little Endian; instances are not converted.

use archive::{ByteStream, ReadError};
use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use database::StoredInstance;
use futures_util::Stream;
use model::access::Action;
use service::http::{bearer::Authenticated, guard::StreamGuard, problem::Problem};

use super::{find, read_problem, stream};
use crate::{
    acceptable::Acceptable,
    conditional,
    media_type::{DICOM, Form, Representation},
    multipart::{Fingerprint, MultipartWriter, Part},
    resource::Resource,
    state::App,
};

/// `GET` of a study, a series or an instance.
pub(crate) async fn retrieve_instances(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let scope = who.authorize(Action::ReadStudy)?;
    let instances = find(&app, &scope, &resource).await?;
    let form = negotiate(&acceptable, &instances, resource.instance.is_some())?;
    let mut fingerprint = Fingerprint::new(match form {
        Form::Multipart => "instances/multipart",
        Form::SinglePart => "instances/single",
    });
    for instance in &instances {
        fingerprint.add(instance.sop_instance_uid.as_str().as_bytes()).add(&instance.data_set_sha256);
        fingerprint.add(instance.transfer_syntax_uid.as_str().as_bytes());
        fingerprint.add(&instance.object_length_bytes.to_be_bytes());
    }
    let boundary = fingerprint.finish();
    let entity_tag = boundary.entity_tag();
    if conditional::is_known(&headers, &entity_tag) {
        return Ok(conditional::not_modified(&entity_tag));
    }
    let guard = StreamGuard::new(app.database(), &who, &scope, resource.study()?);
    let response = match form {
        Form::Multipart => {
            let writer = MultipartWriter::new(boundary, DICOM);
            let length = multipart_length(&writer, &instances);
            let content_type = writer.content_type();
            let body = multipart_body(app, instances, writer).await?;
            stream::respond(&content_type, &entity_tag, Some(length), body)
        }
        Form::SinglePart => single(&app, &instances, &entity_tag).await?,
    };
    Ok(guard.cover(response))
}

/// One form for all instances, in the transfer syntax of each.
fn negotiate(acceptable: &Acceptable, found: &[StoredInstance], one: bool) -> Result<Form, Problem> {
    let mut syntaxes: Vec<&str> = found.iter().map(|found| found.transfer_syntax_uid.as_str()).collect();
    syntaxes.sort_unstable();
    syntaxes.dedup();
    let mut form = Form::Multipart;
    for syntax in syntaxes {
        let mut offers = vec![Representation::new(Form::Multipart, DICOM, syntax)];
        if one {
            offers.push(Representation::new(Form::SinglePart, DICOM, syntax));
        }
        form = acceptable.choose(&offers)?.form;
    }
    Ok(form)
}

fn part(instance: &StoredInstance) -> Part<'_> {
    Part { media_type: DICOM, transfer_syntax: instance.transfer_syntax_uid.as_str() }
}

fn multipart_length(writer: &MultipartWriter, instances: &[StoredInstance]) -> u64 {
    let parts = instances.iter().enumerate().map(|(index, instance)| {
        writer.part_start(index == 0, part(instance)).len() as u64 + instance.object_length_bytes
    });
    parts.sum::<u64>() + writer.end().len() as u64
}

/// The start of an object, read before the answer begins: a store that is down or an object that was altered is then
/// a status of its own, not a connection that breaks.
async fn open(app: &App, instance: &StoredInstance) -> Result<(Option<Bytes>, ByteStream), Problem> {
    let mut object = app.archive.read_instance(instance).await.map_err(|error| read_problem(&error))?;
    let start = stream::next(&mut object).await.transpose().map_err(|error| read_problem(&error))?;
    Ok((start, object))
}

async fn multipart_body(
    app: App,
    instances: Vec<StoredInstance>,
    writer: MultipartWriter,
) -> Result<impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static, Problem> {
    let mut opened = match instances.first() {
        Some(first) => Some(open(&app, first).await?),
        None => None,
    };
    Ok(async_stream::try_stream! {
        for (index, instance) in instances.iter().enumerate() {
            yield writer.part_start(index == 0, part(instance));
            let (start, mut object) = match opened.take() {
                Some(opened) => opened,
                None => (None, app.archive.read_instance(instance).await.map_err(stream::broken)?),
            };
            if let Some(bytes) = start {
                yield bytes;
            }
            while let Some(bytes) = stream::next(&mut object).await {
                yield bytes?;
            }
        }
        yield writer.end();
    })
}

async fn single(app: &App, instances: &[StoredInstance], entity_tag: &str) -> Result<Response, Problem> {
    let Some(instance) = instances.first() else { return Ok(Problem::not_found().into_response()) };
    let (start, mut object) = open(app, instance).await?;
    let body = async_stream::try_stream! {
        if let Some(bytes) = start {
            yield bytes;
        }
        while let Some(bytes) = stream::next(&mut object).await {
            yield bytes?;
        }
    };
    let content_type = part(instance).content_type();
    Ok(stream::respond(&content_type, entity_tag, Some(instance.object_length_bytes), body))
}
