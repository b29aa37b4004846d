//! PS3.18 10.4.1.1.5, Bulkdata Resources: values that the metadata names by BulkDataURI.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use model::transfer_syntax::{EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN};
use service::http::{bearer::Authenticated, problem::Problem};

use super::{find_one, frame_payload, frames::Frames, guard, header as read_header, read_problem, stream};
use crate::{
    acceptable::Acceptable,
    conditional,
    media_type::{Form, OCTET_STREAM, Representation},
    multipart::{Fingerprint, MultipartWriter, Part},
    resource::Resource,
    state::App,
};

/// Path of the Pixel Data element.
const PIXEL_DATA: &str = "7FE00010";

/// `GET .../bulkdata/{path}`.
pub(crate) async fn retrieve_bulkdata(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let guard = guard(&app, &who, &resource)?;
    let instance = find_one(&app, &who, &resource).await?;
    let header = read_header(&app, &instance).await?;
    let path = resource.rest.as_str();
    if path == PIXEL_DATA && instance.transfer_syntax_uid.is_encapsulated() {
        // Fragments and their headers are no value that anybody could use: the frames are.
        let indexes: Vec<usize> = (0..header.frame_table.len()).collect();
        let mut offers = frame_payload::offers(&instance);
        offers.retain(|offer| offer.form == Form::Multipart || indexes.len() == 1);
        for offer in &mut offers {
            offer.only_when_stated = false;
        }
        let sent = acceptable.choose(&offers)?.clone();
        if indexes.is_empty() {
            return Err(Problem::not_found());
        }
        let frames = Frames { app, instance, header, indexes, sent };
        return Ok(guard.cover(frames.respond(&headers).await?));
    }
    let reference = header.bulk_data.iter().find(|reference| reference.path == path);
    let length = reference.ok_or_else(Problem::not_found)?.range.length;
    let big_endian = instance.transfer_syntax_uid.as_str() == EXPLICIT_VR_BIG_ENDIAN;
    let transfer_syntax = if big_endian { EXPLICIT_VR_BIG_ENDIAN } else { EXPLICIT_VR_LITTLE_ENDIAN };
    let offers = [Form::Multipart, Form::SinglePart]
        .map(|form| Representation::new(form, OCTET_STREAM, transfer_syntax));
    let form = acceptable.choose(&offers)?.form;

    let mut fingerprint = Fingerprint::new("bulkdata");
    fingerprint.add(&instance.data_set_sha256).add(path.as_bytes());
    fingerprint.add(format!("{form:?}").as_bytes());
    let boundary = fingerprint.finish();
    let entity_tag = boundary.entity_tag();
    if conditional::is_known(&headers, &entity_tag) {
        return Ok(conditional::not_modified(&entity_tag));
    }
    let read = app.archive.read_bulk_data(&instance, &header, path).await;
    let (_, mut value) = read.map_err(|error| read_problem(&error))?;
    let part = Part { media_type: OCTET_STREAM, transfer_syntax };
    let writer = MultipartWriter::new(boundary, OCTET_STREAM);
    let (start, end) = (writer.part_start(true, part), writer.end());
    let (content_type, total) = match form {
        Form::Multipart => (writer.content_type(), length + (start.len() + end.len()) as u64),
        Form::SinglePart => (part.content_type(), length),
    };
    let body = async_stream::try_stream! {
        if form == Form::Multipart {
            yield start;
        }
        while let Some(bytes) = stream::next(&mut value).await {
            yield bytes?;
        }
        if form == Form::Multipart {
            yield end;
        }
    };
    let mut response = stream::respond(&content_type, &entity_tag, Some(total), body);
    // A document that came inside of an instance is saved when a browser is pointed at it, never shown.
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(guard.cover(response))
}
