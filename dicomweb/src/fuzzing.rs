//! What must hold for any bytes whatever: the bodies of the fuzz targets of this crate, see `fuzz/README.md`.

mod metadata;

pub use metadata::metadata;

use bytes::Bytes;
use dicom_header::{HeaderReader, Limits};
use http::{HeaderMap, HeaderValue, header};
use model::{transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN, uid::TransferSyntaxUid};

use crate::{
    acceptable::Acceptable,
    dicom_json::{Annotations, annotate},
    media_type::{
        Accept, DICOM, DICOM_JSON, Form, MediaType, OCTET_STREAM, RANGES_MAX, Representation, choose,
    },
    multipart::{Decoder, Event, Fingerprint, MultipartError, MultipartWriter, Part},
    qido_rs::request::{SearchRequest, parse as parse_search},
    query_string, stow_rs,
    wado_rs::{frames::parse_frames, render},
};

/// Parts that the decoder under test takes.
const PARTS_MAX: usize = 50;
/// Largest page of the searches under test.
const PAGE_MAX: u32 = 1000;

/// PS3.18 8.6.1.2: any bytes as a multipart payload. The first byte is the size of the pieces, the second picks a
/// boundary.
///
/// # Panics
/// When the parts depend on the pieces, hold bytes that did not come, or are not the same after writing them.
pub fn multipart(input: &[u8]) {
    let [size, boundary, bytes @ ..] = input else { return };
    let boundary = ["b", "--", "boundary", "0f3cf5c0", "'()+_,-./:=? x"][usize::from(*boundary) % 5];
    let whole = read_parts(boundary, bytes, bytes.len().max(1));
    let in_pieces = read_parts(boundary, bytes, usize::from(*size).max(1));
    match (whole, in_pieces) {
        (Ok(whole), Ok(in_pieces)) => {
            assert_eq!(whole, in_pieces);
            assert!(whole.len() <= PARTS_MAX);
            assert!(whole.iter().map(Vec::len).sum::<usize>() <= bytes.len(), "more came out than went in");
            write_and_read(&whole);
        }
        (Err(_), Err(_)) => {}
        (whole, in_pieces) => panic!("{whole:?} whole, {in_pieces:?} in pieces"),
    }
}

fn read_parts(boundary: &str, bytes: &[u8], size: usize) -> Result<Vec<Vec<u8>>, MultipartError> {
    let mut decoder = Decoder::new(boundary, PARTS_MAX)?;
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut pieces = bytes.chunks(size);
    loop {
        match decoder.poll()? {
            Event::Part(_) => parts.push(Vec::new()),
            Event::Data(data) => parts.last_mut().expect("data follow their header").extend_from_slice(&data),
            Event::PartEnd => assert_eq!(decoder.parts(), parts.len()),
            Event::End => return Ok(parts),
            Event::NeedMore => decoder.feed(pieces.next().ok_or(MultipartError::Truncated)?),
        }
    }
}

fn write_and_read(parts: &[Vec<u8>]) {
    let boundary = Fingerprint::new("fuzz").finish();
    let writer = MultipartWriter::new(boundary.clone(), DICOM);
    let part = Part { media_type: DICOM, transfer_syntax: "" };
    let mut written = Vec::new();
    for (index, payload) in parts.iter().enumerate() {
        written.extend_from_slice(&writer.part_start(index == 0, part));
        written.extend_from_slice(payload);
    }
    if !parts.is_empty() {
        written.extend_from_slice(&writer.end());
        assert_eq!(read_parts(boundary.as_str(), &written, 64).expect("ours"), parts);
    }
}

/// RFC 9110 8.3 and 12.5.1: any bytes as Content-Type and as Accept.
///
/// # Panics
/// When a media type does not survive being written, a choice is none of the offers, or a refused one is taken.
pub fn media_types(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(media_type) = MediaType::parse(text) {
        let names = ["type", "boundary", "transfer-syntax", "q"];
        let mut written = media_type.essence.clone();
        for (name, value) in names.iter().filter_map(|name| Some((name, media_type.parameter(name)?))) {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            written.extend([";", name, "=\"", &quoted, "\""]);
        }
        // Quoting makes it longer: then it may be too long.
        if let Ok(again) = MediaType::parse(&written) {
            assert_eq!(again.essence, media_type.essence);
            for name in names {
                assert_eq!(again.parameter(name), media_type.parameter(name), "{name}");
            }
        }
    }
    if let Ok(value) = HeaderValue::from_bytes(input) {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, value)]);
        if let Err(problem) = stow_rs::request::payload(&headers, 1000) {
            assert!((400..500).contains(&problem.status), "{problem:?}");
        }
    }
    let Ok(accept) = Accept::parse(text.split('\n')) else { return };
    assert!(accept.ranges.len() <= RANGES_MAX && accept.ranges.iter().all(|range| range.quality <= 1000));
    let offers = [
        Representation::new(Form::Multipart, DICOM, EXPLICIT_VR_LITTLE_ENDIAN),
        Representation::new(Form::SinglePart, OCTET_STREAM, EXPLICIT_VR_LITTLE_ENDIAN),
        Representation::plain(DICOM_JSON),
        Representation::plain("image/jpeg"),
    ];
    if let Some(index) = choose(&accept, &offers) {
        let chosen = [offers[index].clone()];
        assert_eq!(choose(&accept, &chosen), Some(0), "chosen among others, refused alone");
        assert!(accept.is_empty() || accept.ranges.iter().any(|range| range.quality > 0));
    }
}

/// PS3.18 8.3 and 10.6.1: any bytes as the query of a search and of a rendering, and as a list of frames.
///
/// # Panics
/// When a limit does not hold, an error is not the client's, or a query does not survive being written.
pub fn query(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(frames) = parse_frames(text) {
        assert!(frames.len() <= text.len());
    }
    let Ok(pairs) = query_string::parse(Some(text)) else { return };
    assert!(pairs.len() <= query_string::PAIRS_MAX);
    let written: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    assert_eq!(query_string::parse(Some(&written.join("&"))).as_ref(), Ok(&pairs));
    match parse_search(&pairs, PAGE_MAX) {
        Ok(SearchRequest { conditions, limit, offset, .. }) => {
            assert!(limit <= PAGE_MAX && i64::try_from(offset).is_ok());
            assert!(conditions.len() <= pairs.len());
        }
        Err(problem) => assert_eq!(problem.status, 400, "{problem:?}"),
    }
    let acceptable = Acceptable { accept: Accept::default(), query: pairs };
    match render::output(&acceptable, Form::SinglePart) {
        Ok(output) => assert!(output.options.check().is_ok()),
        Err(problem) => assert_eq!(problem.status, 400, "{problem:?}"),
    }
}

fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}

/// PS3.18 Annex F: any bytes as a data set whose header is written as DICOM JSON and completed with links.
///
/// # Panics
/// When what leaves is no JSON, a link leads elsewhere, or an attribute was lost.
pub fn dicom_json(input: &[u8]) {
    let uid = TransferSyntaxUid::parse(EXPLICIT_VR_LITTLE_ENDIAN).expect("a UID");
    let mut reader = HeaderReader::new(&uid, Limits::default());
    if reader.push(&Bytes::copy_from_slice(input)).is_err() {
        return;
    }
    let Ok(header) = reader.finish() else { return };
    let instance_url = "/dicomweb/studies/1/series/2/instances/3";
    let mut out = Vec::new();
    annotate(&header.json, Annotations { instance_url, transfer_syntax: uid.as_str() }, &mut out);
    let json: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&out).expect("an annotated header is JSON");
    assert_eq!(json["00081190"]["Value"][0], instance_url);
    let before: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&header.json).expect("a header is JSON");
    assert!(before.keys().all(|tag| json.contains_key(tag)), "an attribute was lost");
    assert!(json.keys().is_sorted());
    check_links(&serde_json::Value::Object(json), instance_url);
}

/// A BulkDataURI is ours, whatever the sender wrote into the data set: nobody is sent elsewhere to fetch.
fn check_links(root: &serde_json::Value, instance_url: &str) {
    let mut pending = vec![root];
    while let Some(value) = pending.pop() {
        match value {
            serde_json::Value::Array(values) => pending.extend(values),
            serde_json::Value::Object(attributes) => {
                for (name, value) in attributes {
                    if name == "BulkDataURI" {
                        let uri = value.as_str().expect("a URI is a string");
                        assert!(uri.starts_with(instance_url), "a link to {uri}");
                    }
                    pending.push(value);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corpus_multipart() {
        replay::replay("multipart", multipart);
    }

    #[test]
    fn corpus_media_types() {
        replay::replay("media_types", media_types);
    }

    #[test]
    fn corpus_query() {
        replay::replay("query", query);
    }

    #[test]
    fn corpus_dicom_json() {
        replay::replay("dicom_json", dicom_json);
    }

    #[test]
    fn corpus_metadata() {
        replay::replay("metadata", metadata);
    }
}
