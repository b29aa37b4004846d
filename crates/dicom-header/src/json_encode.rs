//! PS3.18 F.2 to PS3.5 7.1.2: a data set of the DICOM JSON Model in Explicit VR Little Endian. The JSON may come from
//! strangers: nothing is made that is larger than its text by more than a small factor, and depth is bounded.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, prelude::BASE64_STANDARD};
use dicom_core::VR;
use serde_json::value::RawValue;

use crate::{
    dictionary,
    element::{UNDEFINED_LENGTH, is_binary, unit_size},
    json::tag_text,
    json_encode_value::{encode_number, encode_person_name, encode_tag, encode_text, text_padding},
    json_model::{JsonAttribute, JsonDataSet, JsonModelError},
    rewrite::element_header,
    tag,
    value::is_multiple,
};

/// Sequences inside sequences: each one is read again for every one around it, so there are fewer than in a data set.
const SEQUENCE_DEPTH_MAX: usize = 32;
/// A run of the encoded data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Encoded elements.
    Bytes(Vec<u8>),
    /// An element of which the value is elsewhere; nothing of it is in the bytes around.
    BulkData(BulkDataPlace),
}

/// An element of which the value is elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkDataPlace {
    /// Its tag.
    pub tag: u32,
    /// Its VR, as two letters.
    pub vr: [u8; 2],
    /// What the JSON calls its value.
    pub uri: String,
    /// It stands in an item of a sequence.
    pub in_item: bool,
}

/// An element that is set whatever the JSON says, or only when the JSON does not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenElement {
    /// Its VR, as two letters.
    pub vr: [u8; 2],
    /// Its value in Little Endian, padded to even length.
    pub value: Vec<u8>,
    /// The JSON's own one does not count.
    pub replaces: bool,
}

/// Why a data set cannot be encoded. Says which attribute, and nothing of its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{kind}", before(.path))]
pub struct JsonEncodeError {
    /// Tags and item numbers from the root, as in `00400275.0.00400009`.
    pub path: String,
    /// What is wrong.
    pub kind: JsonEncodeErrorKind,
}

fn before(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

/// What is wrong with an attribute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonEncodeErrorKind {
    /// The JSON.
    #[error(transparent)]
    Model(#[from] JsonModelError),
    /// No VR of PS3.5.
    #[error("the VR is none of PS3.5")]
    Vr,
    /// A value that the VR does not have.
    #[error("a value does not fit the VR")]
    Value,
    /// InlineBinary that is no base64.
    #[error("InlineBinary is no base64")]
    Base64,
    /// Sequences inside sequences.
    #[error("sequences are nested deeper than {SEQUENCE_DEPTH_MAX}")]
    TooDeep,
}

/// Encodes a data set with what is given beside it. Group lengths, command and file meta elements are left out. Every
/// text is UTF-8, so Specific Character Set is ISO_IR 192 wherever there is one, and at the top in any case.
///
/// # Errors
/// See [`JsonEncodeErrorKind`].
pub fn encode_json(
    data_set: &JsonDataSet<'_>,
    given: &BTreeMap<u32, GivenElement>,
) -> Result<Vec<Piece>, JsonEncodeError> {
    let mut encoder = Encoder::default();
    let character_set = GivenElement { vr: *b"CS", value: b"ISO_IR 192".to_vec(), replaces: true };
    let mut given = given.clone();
    given.insert(tag::SPECIFIC_CHARACTER_SET, character_set);
    match encoder.data_set(data_set, &given) {
        Ok(()) => {
            encoder.close_run();
            Ok(encoder.pieces)
        }
        Err(kind) => Err(JsonEncodeError { path: encoder.path.join("."), kind }),
    }
}

/// An item tag or delimiter with its length (PS3.5 7.5.1).
pub fn item_header(tag: u32, length: u32) -> [u8; 8] {
    let mut header = [0; 8];
    header[..2].copy_from_slice(&((tag >> 16) as u16).to_le_bytes());
    header[2..4].copy_from_slice(&(tag as u16).to_le_bytes());
    header[4..].copy_from_slice(&length.to_le_bytes());
    header
}

#[derive(Default)]
struct Encoder {
    pieces: Vec<Piece>,
    run: Vec<u8>,
    /// Of the attribute in hand: tags and item numbers.
    path: Vec<String>,
    depth: usize,
}

impl Encoder {
    fn close_run(&mut self) {
        if !self.run.is_empty() {
            self.pieces.push(Piece::Bytes(std::mem::take(&mut self.run)));
        }
    }

    fn data_set(
        &mut self,
        data_set: &JsonDataSet<'_>,
        given: &BTreeMap<u32, GivenElement>,
    ) -> Result<(), JsonEncodeErrorKind> {
        let tags: BTreeSet<u32> = data_set.0.keys().chain(given.keys()).copied().collect();
        // Items and delimiters are no attributes, whatever a sender calls them.
        let is_attribute = |tag: &u32| !tag::is_left_out(*tag) && tag >> 16 != tag::ITEM >> 16;
        for tag in tags.into_iter().filter(is_attribute) {
            match (given.get(&tag), data_set.0.get(&tag)) {
                (Some(element), own) if element.replaces || own.is_none() => {
                    self.element(tag, element.vr, &element.value);
                }
                (_, Some(attribute)) => {
                    self.path.push(tag_text(tag));
                    self.attribute(tag, attribute)?;
                    self.path.pop();
                }
                (_, None) => {}
            }
        }
        Ok(())
    }

    /// A value that is padded already.
    fn element(&mut self, tag: u32, vr: [u8; 2], value: &[u8]) {
        // A longer one than 4 GiB would have needed a longer text.
        let vr = VR::from_binary(vr).unwrap_or(VR::UN);
        self.run.extend_from_slice(&element_header(false, tag, vr, u32::try_from(value.len()).ok()));
        self.run.extend_from_slice(value);
    }

    fn attribute(&mut self, tag: u32, attribute: &JsonAttribute<'_>) -> Result<(), JsonEncodeErrorKind> {
        let vr = match attribute.vr()? {
            Some(vr) => vr.parse::<VR>().map_err(|_| JsonEncodeErrorKind::Vr)?,
            None => dictionary::vr(tag, false).unwrap_or(VR::UN),
        };
        if tag == tag::SPECIFIC_CHARACTER_SET {
            self.element(tag, *b"CS", b"ISO_IR 192");
            return Ok(());
        }
        if vr == VR::SQ {
            // In encapsulated pixel data items mean something else.
            if tag::is_pixel_data(tag) {
                return Err(JsonEncodeErrorKind::Vr);
            }
            return self.sequence(tag, attribute);
        }
        if let Some(uri) = attribute.bulk_data_uri()? {
            self.close_run();
            let place =
                BulkDataPlace { tag, vr: vr.to_bytes(), uri: uri.into_owned(), in_item: self.path.len() > 1 };
            self.pieces.push(Piece::BulkData(place));
            return Ok(());
        }
        let value = match attribute.inline_binary()? {
            Some(base64) => inline_binary(vr, &base64)?,
            None => values(vr, attribute)?,
        };
        self.element(tag, vr.to_bytes(), &value);
        Ok(())
    }

    /// Of undefined length, with items of undefined length: what lies in bulk data need not be known.
    fn sequence(&mut self, tag: u32, attribute: &JsonAttribute<'_>) -> Result<(), JsonEncodeErrorKind> {
        if self.depth == SEQUENCE_DEPTH_MAX {
            return Err(JsonEncodeErrorKind::TooDeep);
        }
        self.depth += 1;
        self.run.extend_from_slice(&element_header(false, tag, VR::SQ, None));
        let mut items = 0_usize;
        attribute.each_value(|item| {
            self.run.extend_from_slice(&item_header(tag::ITEM, UNDEFINED_LENGTH));
            // An empty item is `null` to some writers.
            if item.get() != "null" {
                let item = JsonDataSet::parse(item.get())?;
                self.path.push(items.to_string());
                self.data_set(&item, &BTreeMap::new())?;
                self.path.pop();
            }
            items += 1;
            self.run.extend_from_slice(&item_header(tag::ITEM_DELIMITATION, 0));
            Ok::<(), JsonEncodeErrorKind>(())
        })?;
        self.run.extend_from_slice(&item_header(tag::SEQUENCE_DELIMITATION, 0));
        self.depth -= 1;
        Ok(())
    }
}

fn inline_binary(vr: VR, base64: &str) -> Result<Vec<u8>, JsonEncodeErrorKind> {
    if !is_binary(vr) {
        return Err(JsonEncodeErrorKind::Value);
    }
    let mut bytes = BASE64_STANDARD.decode(base64).map_err(|_| JsonEncodeErrorKind::Base64)?;
    if vr != VR::OB && vr != VR::UN && !bytes.len().is_multiple_of(unit_size(vr)) {
        return Err(JsonEncodeErrorKind::Value);
    }
    pad(&mut bytes, 0);
    Ok(bytes)
}

fn values(vr: VR, attribute: &JsonAttribute<'_>) -> Result<Vec<u8>, JsonEncodeErrorKind> {
    let mut value = Vec::new();
    let mut count = 0_usize;
    attribute.each_value(|raw: &RawValue| {
        match vr {
            VR::AT => encode_tag(raw, &mut value)?,
            vr if text_padding(vr).is_none() => encode_number(vr, raw, &mut value)?,
            vr => {
                if count > 0 {
                    if !is_multiple(vr) {
                        return Err(JsonEncodeErrorKind::Value);
                    }
                    value.push(b'\\');
                }
                match vr {
                    VR::PN => encode_person_name(raw, &mut value)?,
                    _ => encode_text(raw, &mut value)?,
                }
            }
        }
        count += 1;
        Ok::<(), JsonEncodeErrorKind>(())
    })?;
    if let Some(padding) = text_padding(vr) {
        pad(&mut value, padding);
    }
    Ok(value)
}

fn pad(value: &mut Vec<u8>, padding: u8) {
    if !value.len().is_multiple_of(2) {
        value.push(padding);
    }
}

#[cfg(test)]
mod tests;
