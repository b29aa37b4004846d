//! PS3.18 10.4.1.1.1, Study, Series and Instance Resources: whole instances, as they are kept or in the transfer
//! syntax that was asked for. Where none is named that is Explicit VR Little Endian (PS3.18 8.7.3.5), as far as the
//! pixels can be decoded; `*` asks for what is stored. `application/zip` gives them as a file-set.

use archive::{ByteStream, ReadError};
use axum::{extract::State, http::HeaderMap, response::Response};
use bytes::Bytes;
use conversion::{Outgoing, Way};
use database::StoredInstance;
use futures_util::Stream;
use model::access::Action;
use service::http::{bearer::Authenticated, guard::StreamGuard, problem::Problem};

use super::{
    find, header,
    select::{Selected, select},
    stream,
    transcode::{self, Patience, TranscodeError},
    zipped,
};
use crate::{
    acceptable::Acceptable,
    conditional,
    media_type::{DICOM, Form},
    multipart::{Boundary, Fingerprint, MultipartWriter, Part},
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
    respond(app, who, resource, acceptable, headers).await
}

/// Finds the instances and answers.
pub(crate) async fn respond(
    app: App,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let scope = who.authorize(Action::ReadStudy)?;
    let instances = find(&app, &scope, &resource).await?;
    let zip = zipped::wanted(&acceptable.accept);
    let one = resource.instance.is_some() && zip.is_none();
    let is_zip = zip.is_some();
    let acceptable = zip.map_or(acceptable, |accept| Acceptable { accept, query: Vec::new() });
    let (form, selected) = select(&app, &acceptable, instances, one).await?;
    let boundary = fingerprint(form, is_zip, &selected);
    let entity_tag = boundary.entity_tag();
    if conditional::is_known(&headers, &entity_tag) {
        return Ok(conditional::not_modified(&entity_tag));
    }
    let guard = StreamGuard::new(app.database(), &who, &scope, resource.study()?);
    let response = match form {
        _ if is_zip => zipped::respond(app, selected, &entity_tag).await?,
        Form::Multipart => {
            let writer = MultipartWriter::new(boundary, DICOM);
            let length = multipart_length(&writer, &selected);
            let content_type = writer.content_type();
            let body = multipart_body(app, selected, writer).await?;
            stream::respond(&content_type, &entity_tag, length, body)
        }
        Form::SinglePart => single(&app, &selected, &entity_tag).await?,
    };
    Ok(guard.cover(response))
}

fn fingerprint(form: Form, is_zip: bool, selected: &[Selected]) -> Boundary {
    let mut fingerprint = Fingerprint::new(match form {
        _ if is_zip => "instances/zip",
        Form::Multipart => "instances/multipart",
        Form::SinglePart => "instances/single",
    });
    for Selected { instance, offer, .. } in selected {
        fingerprint.add(instance.sop_instance_uid.as_str().as_bytes()).add(&instance.data_set_sha256);
        fingerprint.add(instance.transfer_syntax_uid.as_str().as_bytes());
        fingerprint.add(&instance.object_length_bytes.to_be_bytes());
        if offer.way != Way::AsStored {
            fingerprint.add(env!("CARGO_PKG_VERSION").as_bytes()).add(format!("{:?}", offer.way).as_bytes());
        }
    }
    fingerprint.finish()
}

fn part(transfer_syntax: &str) -> Part<'_> {
    Part { media_type: DICOM, transfer_syntax }
}

/// Known as long as every instance goes out as it is kept.
fn multipart_length(writer: &MultipartWriter, selected: &[Selected]) -> Option<u64> {
    let mut length = writer.end().len() as u64;
    for (index, selected) in selected.iter().enumerate() {
        let part = part(&selected.offer.transfer_syntax);
        length += writer.part_start(index == 0, part).len() as u64 + selected.length()?;
    }
    Some(length)
}

/// A file whose start was read before the answer begins: a store that is down or an object that was altered is then
/// a status of its own, not a connection that breaks.
pub(super) struct Opened {
    /// What it has become; the stored syntax when nothing else was possible.
    pub transfer_syntax: String,
    /// Its length, where that is known.
    pub length: Option<u64>,
    start: Option<Bytes>,
    rest: ByteStream,
}

impl Opened {
    /// The next bytes.
    pub async fn next(&mut self) -> Option<Result<Bytes, ReadError>> {
        match self.start.take() {
            Some(start) => Some(Ok(start)),
            None => stream::next(&mut self.rest).await,
        }
    }
}

/// Opens a file. One that cannot be made as it was chosen goes out as it is kept, where that is acceptable too.
pub(super) async fn open(
    app: &App,
    selected: &Selected,
    patience: Patience,
) -> Result<Opened, TranscodeError> {
    let way = selected.offer.way;
    match open_as(app, &selected.instance, &selected.offer.transfer_syntax, way, patience).await {
        Err(TranscodeError::NotPossible(reason)) if selected.stored_is_acceptable => {
            tracing::warn!(reason, "an instance is sent as it is stored, it cannot be converted");
            let stored = selected.instance.transfer_syntax_uid.as_str();
            open_as(app, &selected.instance, stored, Way::AsStored, patience).await
        }
        Err(TranscodeError::NotPossible(reason)) => {
            let stored = selected.instance.transfer_syntax_uid.as_str();
            let detail = format!("{reason}; it can be had as it is stored: transfer-syntax={stored}");
            Err(TranscodeError::NotPossible(detail))
        }
        opened => opened,
    }
}

/// The same in the middle of a body.
pub(super) async fn open_later(app: &App, selected: &Selected) -> Result<Opened, ReadError> {
    open(app, selected, Patience::Unlimited).await.map_err(|error| stream::broken(error.broken()))
}

async fn open_as(
    app: &App,
    instance: &StoredInstance,
    transfer_syntax: &str,
    way: Way,
    patience: Patience,
) -> Result<Opened, TranscodeError> {
    let mut rest = if way == Way::AsStored {
        app.archive.read_instance(instance).await.map_err(TranscodeError::Read)?
    } else {
        let header = header(app, instance).await.map_err(TranscodeError::Busy)?;
        let syntax = conversion::syntax(transfer_syntax, &instance.transfer_syntax_uid);
        let outgoing = Outgoing {
            converter: app.converter.clone(),
            instance: instance.clone(),
            header,
            transfer_syntax: syntax,
            form: conversion::Form::File,
            patience,
        };
        conversion::open(outgoing, way).await?
    };
    let start = stream::next(&mut rest).await.transpose().map_err(TranscodeError::Read)?;
    let length = (way == Way::AsStored).then_some(instance.object_length_bytes);
    Ok(Opened { transfer_syntax: transfer_syntax.to_owned(), length, start, rest })
}

async fn multipart_body(
    app: App,
    selected: Vec<Selected>,
    writer: MultipartWriter,
) -> Result<impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static, Problem> {
    let mut first = match selected.first() {
        Some(first) => Some(open(&app, first, Patience::Limited).await.map_err(transcode::problem)?),
        None => None,
    };
    Ok(async_stream::try_stream! {
        for (index, selected) in selected.iter().enumerate() {
            let mut opened = match first.take() {
                Some(opened) => opened,
                None => open_later(&app, selected).await?,
            };
            yield writer.part_start(index == 0, part(&opened.transfer_syntax));
            while let Some(bytes) = opened.next().await {
                yield bytes?;
            }
        }
        yield writer.end();
    })
}

async fn single(app: &App, selected: &[Selected], entity_tag: &str) -> Result<Response, Problem> {
    let selected = selected.first().ok_or_else(Problem::not_found)?;
    let mut opened = open(app, selected, Patience::Limited).await.map_err(transcode::problem)?;
    let (content_type, length) = (part(&opened.transfer_syntax).content_type(), opened.length);
    let body = async_stream::try_stream! {
        while let Some(bytes) = opened.next().await {
            yield bytes?;
        }
    };
    Ok(stream::respond(&content_type, entity_tag, length, body))
}
