//! PS3.18 10.4.1.1.3 and table 8.7.4-1: documents and video, whose rendered form is what the instance carries.

use std::ops::Range;

use archive::ReadError;
use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use base64::Engine as _;
use bytes::Bytes;
use database::{HeaderRecord, StoredInstance};
use futures_util::TryStreamExt as _;
use model::frame::ByteRange;
use serde_json::Value;
use service::http::problem::Problem;

use super::{read_problem, stream};
use crate::{
    acceptable::Acceptable,
    conditional::{self, Wanted},
    media_type::Representation,
    multipart::Fingerprint,
    problems,
    state::App,
};

/// Path of Encapsulated Document (0042,0011) among bulk data.
const ENCAPSULATED_DOCUMENT: &str = "00420011";
/// Path of Pixel Data.
const PIXEL_DATA: &str = "7FE00010";
/// An item tag and its length.
const ITEM_HEADER_BYTES: u64 = 8;

/// All that [`media_type`] gives.
pub const MEDIA_TYPES: [&str; 8] = [
    "application/pdf",
    "text/xml",
    "model/stl",
    "model/obj",
    "model/mtl",
    "video/mpeg",
    "video/mp4",
    "video/H265",
];

/// The media type of an instance that is rendered by giving what it carries; `None` for images.
pub fn media_type(instance: &StoredInstance) -> Option<&'static str> {
    match (instance.sop_class_uid.as_str(), instance.transfer_syntax_uid.as_str()) {
        ("1.2.840.10008.5.1.4.1.1.104.1", _) => Some("application/pdf"),
        ("1.2.840.10008.5.1.4.1.1.104.2", _) => Some("text/xml"),
        ("1.2.840.10008.5.1.4.1.1.104.3", _) => Some("model/stl"),
        ("1.2.840.10008.5.1.4.1.1.104.4", _) => Some("model/obj"),
        ("1.2.840.10008.5.1.4.1.1.104.5", _) => Some("model/mtl"),
        (_, "1.2.840.10008.1.2.4.100" | "1.2.840.10008.1.2.4.101") => Some("video/mpeg"),
        (
            _,
            "1.2.840.10008.1.2.4.102"
            | "1.2.840.10008.1.2.4.103"
            | "1.2.840.10008.1.2.4.104"
            | "1.2.840.10008.1.2.4.105"
            | "1.2.840.10008.1.2.4.106",
        ) => Some("video/mp4"),
        (_, "1.2.840.10008.1.2.4.107" | "1.2.840.10008.1.2.4.108") => Some("video/H265"),
        _ => None,
    }
}

/// Sends it, or the range of it that is asked for.
pub async fn respond(
    app: &App,
    acceptable: &Acceptable,
    headers: &HeaderMap,
    instance: &StoredInstance,
    header: &HeaderRecord,
    media_type: &'static str,
) -> Result<Response, Problem> {
    acceptable.choose(&[Representation::plain(media_type)])?;
    let mut fingerprint = Fingerprint::new("document");
    fingerprint.add(&instance.data_set_sha256).add(media_type.as_bytes());
    let entity_tag = fingerprint.finish().entity_tag();
    if conditional::is_known(headers, &entity_tag) {
        return Ok(conditional::not_modified(&entity_tag));
    }
    let absent = || super::render::not_renderable("the instance holds no document and no video");
    let mut response = match carried(app, instance, header).await? {
        Carried::Inline(bytes) => conditional::ranged(headers, &entity_tag, media_type, bytes),
        Carried::Value { path, range } => {
            let total = range.end - range.start;
            let wanted = conditional::wanted(headers, &entity_tag, total);
            let part = match wanted {
                Wanted::Whole => range,
                Wanted::Range(first, last) => range.start + first..range.start + last + 1,
                Wanted::Unsatisfiable => return Ok(conditional::not_satisfiable(total)),
            };
            let length = part.end - part.start;
            let read = app.archive.read_bulk_data(instance, header, path, part).await;
            let value = read.map_err(|error| read_problem(&error))?.map_err(stream::broken);
            let response = stream::respond(media_type, &entity_tag, Some(length), value);
            conditional::partial(response, wanted, total)
        }
        Carried::Nothing => return Err(absent()),
    };
    // It came from a stranger: a browser saves it and never shows it as ours.
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(response)
}

/// What an instance carries.
enum Carried {
    /// A short document, which is in the header.
    Inline(Bytes),
    /// A part of the value at a path.
    Value {
        path: &'static str,
        range: Range<u64>,
    },
    Nothing,
}

async fn carried(app: &App, instance: &StoredInstance, header: &HeaderRecord) -> Result<Carried, Problem> {
    if !instance.sop_class_uid.as_str().starts_with("1.2.840.10008.5.1.4.1.1.104.") {
        return video(app, instance, header).await;
    }
    let json: Value = serde_json::from_str(&header.json).map_err(|error| Problem::internal(&error))?;
    // Encapsulated Document Length (0042,0015) leaves out the byte that makes the value even.
    let said = json["00420015"]["Value"][0].as_u64();
    let within = |length: u64| said.filter(|said| said + 1 >= length && *said <= length).unwrap_or(length);
    if let Some(reference) = header.bulk_data.iter().find(|data| data.path == ENCAPSULATED_DOCUMENT) {
        return Ok(Carried::Value { path: ENCAPSULATED_DOCUMENT, range: 0..within(reference.range.length) });
    }
    let inline = json[ENCAPSULATED_DOCUMENT]["InlineBinary"].as_str();
    let inline = inline.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    Ok(inline.map_or(Carried::Nothing, |mut bytes| {
        bytes.truncate(within(bytes.len() as u64) as usize);
        Carried::Inline(Bytes::from(bytes))
    }))
}

/// The one fragment that holds the whole stream (PS3.5 8.2.5 to 8.2.9).
async fn video(app: &App, instance: &StoredInstance, header: &HeaderRecord) -> Result<Carried, Problem> {
    let Some(reference) = header.bulk_data.iter().find(|data| data.path == PIXEL_DATA) else {
        return Ok(Carried::Nothing);
    };
    let ByteRange { length, .. } = reference.range;
    let mut start = 0;
    // The offset table, then the fragment.
    for is_table in [true, false] {
        let Some(item) = item_length(app, instance, header, start, length).await? else {
            return Ok(Carried::Nothing);
        };
        let end = start + ITEM_HEADER_BYTES + item;
        if !is_table && end == length {
            return Ok(Carried::Value { path: PIXEL_DATA, range: start + ITEM_HEADER_BYTES..end });
        }
        start = end;
    }
    Err(super::render::not_renderable("the video is in several fragments: ask for the instance"))
}

/// The length of the item whose header is at `start`; `None` when there is none.
async fn item_length(
    app: &App,
    instance: &StoredInstance,
    header: &HeaderRecord,
    start: u64,
    length: u64,
) -> Result<Option<u64>, Problem> {
    if start + ITEM_HEADER_BYTES > length {
        return Ok(None);
    }
    let range = start..start + ITEM_HEADER_BYTES;
    let read = async {
        let value = app.archive.read_bulk_data(instance, header, PIXEL_DATA, range).await?;
        value
            .try_fold(Vec::new(), async |mut head, bytes| {
                head.extend_from_slice(&bytes);
                Ok::<_, ReadError>(head)
            })
            .await
    };
    let head = read.await.map_err(|error| problems::read(&error))?;
    Ok(match head[..] {
        [0xfe, 0xff, 0x00, 0xe0, a, b, c, d] => Some(u64::from(u32::from_le_bytes([a, b, c, d]))),
        _ => None,
    })
}
