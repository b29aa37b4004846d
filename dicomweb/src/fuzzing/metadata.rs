//! Metadata of STOW-RS and the heads of its pictures.

use std::collections::BTreeMap;

use dicom_header::{HeaderReader, JsonDataSet, Limits, Piece, encode_json};
use model::{transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN, uid::TransferSyntaxUid};

use crate::{
    dicom_json::{json_to_native_xml, native_xml_to_json},
    stow_rs::metadata::read_pictures,
};

/// Bytes of a data set for each byte of its JSON at most: an element has 12 before its value, an item 16.
const GROWTH_MAX: usize = 8;

/// PS3.18 F.2 and PS3.19 A.1: any bytes as metadata in JSON and in XML, and as a picture.
///
/// # Panics
/// When what is taken grows out of proportion, or is another data set as XML.
pub fn metadata(input: &[u8]) {
    read_pictures(input);
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(json) = native_xml_to_json(text) {
        let _: serde_json::Value = serde_json::from_str(&json).expect("what is made of XML is JSON");
        check(&json);
    }
    check(text);
}

fn encode(json: &str) -> Option<Vec<Piece>> {
    encode_json(&JsonDataSet::parse(json).ok()?, &BTreeMap::new()).ok()
}

fn check(json: &str) {
    let Some(pieces) = encode(json) else { return };
    let length: usize = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Bytes(bytes) => bytes.len(),
            Piece::BulkData(place) => place.uri.len(),
        })
        .sum();
    assert!(length <= json.len() * GROWTH_MAX + 64, "{length} bytes of {}", json.len());
    if let Ok(xml) = json_to_native_xml(json) {
        let again = native_xml_to_json(&xml).expect("what we write we read");
        // Values that XML cannot hold are spelt in another way; elements stay.
        assert!(encode(&again).is_none_or(|again| again.len() == pieces.len()));
    }
    let [Piece::Bytes(bytes)] = &pieces[..] else { return };
    let uid = TransferSyntaxUid::parse(EXPLICIT_VR_LITTLE_ENDIAN).expect("a UID");
    let mut reader = HeaderReader::new(&uid, Limits::default());
    // It may be refused: an element that the sender calls UN is read as what the dictionary calls it.
    if let Ok(header) = reader.push(bytes).and_then(|()| reader.finish()) {
        let _: serde_json::Value = serde_json::from_str(&header.json).expect("a header is JSON");
    }
}
