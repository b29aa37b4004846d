//! PS3.18 10.4.1.1.5, Bulkdata Resources: values that the metadata names by BulkDataURI.

use std::ops::Range;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use database::{HeaderRecord, StoredInstance};
use model::transfer_syntax::{EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN};
use service::http::{bearer::Authenticated, problem::Problem};

use super::{find_one, frame_payload, frames::Frames, guard, header as read_header, read_problem, stream};
use crate::{
    acceptable::Acceptable,
    conditional::{self, Wanted},
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
        let mut offers = frame_payload::stored_offers(&instance);
        offers.retain(|offer| offer.form == Form::Multipart || indexes.len() == 1);
        for offer in &mut offers {
            offer.only_when_stated = false;
        }
        let sent = acceptable.choose(&offers)?.clone();
        if indexes.is_empty() {
            return Err(Problem::not_found());
        }
        let frames = Frames { app, instance, header, indexes, sent, target: None };
        return Ok(guard.cover(frames.respond(&headers).await?));
    }
    Ok(guard.cover(value(&app, &instance, &header, path, &acceptable, &headers).await?))
}

/// The value at `path`, or the range of it that is asked for.
async fn value(
    app: &App,
    instance: &StoredInstance,
    header: &HeaderRecord,
    path: &str,
    acceptable: &Acceptable,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
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
    if conditional::is_known(headers, &entity_tag) {
        return Ok(conditional::not_modified(&entity_tag));
    }
    let part = Part { media_type: OCTET_STREAM, transfer_syntax };
    let writer = MultipartWriter::new(boundary, OCTET_STREAM);
    let (content_type, start, end) = match form {
        Form::Multipart => (writer.content_type(), writer.part_start(true, part), writer.end()),
        Form::SinglePart => (part.content_type(), Bytes::new(), Bytes::new()),
    };
    let total = length + (start.len() + end.len()) as u64;
    let wanted = conditional::wanted(headers, &entity_tag, total);
    let sent = match wanted {
        Wanted::Whole => 0..total,
        Wanted::Range(first, last) => first..last + 1,
        Wanted::Unsatisfiable => return Ok(conditional::not_satisfiable(total)),
    };
    let value_start = start.len() as u64;
    let of_value = overlap(&sent, value_start, length);
    let start = slice(&start, &sent, 0);
    let end = slice(&end, &sent, value_start + length);
    let read = app.archive.read_bulk_data(instance, header, path, of_value).await;
    let mut value = read.map_err(|error| read_problem(&error))?;
    let body = async_stream::try_stream! {
        yield start;
        while let Some(bytes) = stream::next(&mut value).await {
            yield bytes?;
        }
        yield end;
    };
    let response = stream::respond(&content_type, &entity_tag, Some(sent.end - sent.start), body);
    let mut response = conditional::partial(response, wanted, total);
    // A document that came inside of an instance is saved when a browser is pointed at it, never shown.
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(response)
}

/// The part of a piece of `length` bytes at `start` that is sent, counted from the start of the piece.
pub(super) fn overlap(sent: &Range<u64>, start: u64, length: u64) -> Range<u64> {
    let from = sent.start.clamp(start, start + length) - start;
    let to = sent.end.clamp(start, start + length) - start;
    from..to
}

/// The bytes of a piece at `start` that are sent.
pub(super) fn slice(piece: &Bytes, sent: &Range<u64>, start: u64) -> Bytes {
    let overlap = overlap(sent, start, piece.len() as u64);
    piece.slice(overlap.start as usize..overlap.end as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_over_three_pieces() {
        let (start, end) = (Bytes::from_static(b"--b\r\n"), Bytes::from_static(b"--b--"));
        let total = 5 + 10 + 5;
        for first in 0..total {
            for last in first..total {
                let sent = first..last + 1;
                let value = overlap(&sent, 5, 10);
                let length = slice(&start, &sent, 0).len() as u64
                    + (value.end - value.start)
                    + slice(&end, &sent, 15).len() as u64;
                assert_eq!(length, last + 1 - first, "{first}-{last}");
            }
        }
        assert_eq!(slice(&end, &(16..18), 15), &b"-b"[..]);
    }
}
