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
mod tests {
    use super::*;
    use crate::{HeaderReader, Limits};

    fn encode(json: &str) -> Result<Vec<Piece>, JsonEncodeError> {
        encode_json(&JsonDataSet::parse(json).expect("a data set"), &BTreeMap::new())
    }

    fn bytes(json: &str) -> Vec<u8> {
        match &encode(json).expect("encodes")[..] {
            [Piece::Bytes(bytes)] => bytes.clone(),
            pieces => panic!("{pieces:?}"),
        }
    }

    /// What every data set here begins with.
    const UTF_8: &[u8] = b"\x08\0\x05\0CS\x0a\0ISO_IR 192";

    fn check(json: &str, expected: &[u8]) {
        let bytes = bytes(json);
        assert_eq!(
            bytes.strip_prefix(UTF_8).map(<[u8]>::escape_ascii).map(|text| text.to_string()),
            Some(expected.escape_ascii().to_string()),
            "{json}"
        );
    }

    #[test]
    fn values_of_every_kind() {
        check(
            r#"{"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B","Phonetic":"C"}]}}"#,
            b"\x10\0\x10\0PN\x06\0A^B==C",
        );
        check(r#"{"00080008":{"vr":"CS","Value":["A",null,"BC"]}}"#, b"\x08\0\x08\0CS\x06\0A\\\\BC ");
        check(r#"{"00080018":{"vr":"UI","Value":["1.2"]}}"#, b"\x08\0\x18\0UI\x04\x001.2\0");
        check(r#"{"00280010":{"vr":"US","Value":[65535,"1"]}}"#, b"\x28\0\x10\0US\x04\0\xff\xff\x01\0");
        check(
            r#"{"00281052":{"vr":"DS","Value":[-1024.50,"0.10"]}}"#,
            b"\x28\0\x52\x10DS\x0e\0-1024.50\\0.10 ",
        );
        check(r#"{"00280009":{"vr":"AT","Value":["00181063"]}}"#, b"\x28\0\x09\0AT\x04\0\x18\0\x63\x10");
        check(
            r#"{"00091001":{"vr":"UN","InlineBinary":"AQID"}}"#,
            b"\x09\0\x01\x10UN\0\0\x04\0\0\0\x01\x02\x03\0",
        );
        check(
            r#"{"00080050":{"vr":"SH"},"00080020":{"Value":["20260101"]}}"#,
            b"\x08\0\x20\0DA\x08\x0020260101\x08\0\x50\0SH\0\0",
        );
        check(r#"{"00081190":{"vr":"UR","Value":["/a"]}}"#, b"\x08\0\x90\x11UR\0\0\x02\0\0\0/a");
        let left_out = r#"{"00020010":{"vr":"UI","Value":["1.2"]},"00100000":{"vr":"UL","Value":[7]},"FFFEE0DD":{"vr":"OB"}}"#;
        check(left_out, b"");
    }

    #[test]
    fn items_are_delimited() {
        check(
            r#"{"00081140":{"vr":"SQ","Value":[{},{"00080005":{"vr":"CS","Value":["ISO_IR 100"]}}]}}"#,
            b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff\xfe\xff\x0d\xe0\0\0\0\0\
              \xfe\xff\0\xe0\xff\xff\xff\xff\x08\0\x05\0CS\x0a\0ISO_IR 192\xfe\xff\x0d\xe0\0\0\0\0\
              \xfe\xff\xdd\xe0\0\0\0\0",
        );
    }

    #[test]
    fn bulk_data_leaves_its_place() {
        let pieces = encode(
            r#"{"00081140":{"vr":"SQ","Value":[{"00091001":{"vr":"OB","BulkDataURI":"x"}}]},"7FE00010":{"vr":"OW","BulkDataURI":"y"},"7FE10010":{"vr":"LO"}}"#,
        )
        .expect("encodes");
        let places: Vec<&BulkDataPlace> = pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::BulkData(place) => Some(place),
                Piece::Bytes(_) => None,
            })
            .collect();
        assert_eq!((places[0].uri.as_str(), places[0].in_item, places[0].vr), ("x", true, *b"OB"));
        assert_eq!((places[1].tag, places[1].in_item), (0x7FE0_0010, false));
        assert_eq!(pieces.len(), 5);
    }

    #[test]
    fn what_is_given_stands_in_its_place() {
        let json = r#"{"00280004":{"vr":"CS","Value":["RGB"]},"00280010":{"vr":"US","Value":[1]}}"#;
        let given = [
            (0x0028_0004, GivenElement { vr: *b"CS", value: b"X ".to_vec(), replaces: false }),
            (0x0028_0010, GivenElement { vr: *b"US", value: vec![9, 0], replaces: true }),
            (0x0028_0011, GivenElement { vr: *b"US", value: vec![8, 0], replaces: false }),
        ];
        let pieces = encode_json(&JsonDataSet::parse(json).expect("valid"), &given.into()).expect("encodes");
        let [Piece::Bytes(bytes)] = &pieces[..] else { panic!("{pieces:?}") };
        assert_eq!(
            &bytes[UTF_8.len()..],
            b"\x28\0\x04\0CS\x04\0RGB \x28\0\x10\0US\x02\0\x09\0\x28\0\x11\0US\x02\0\x08\0"
        );
    }

    #[test]
    fn long_values_of_short_vrs_are_unknown_ones() {
        let text = "x".repeat(70_001);
        let bytes = bytes(&format!(r#"{{"00081030":{{"vr":"LO","Value":["{text}"]}}}}"#));
        assert_eq!(&bytes[UTF_8.len()..UTF_8.len() + 12], b"\x08\0\x30\x10UN\0\0\x72\x11\x01\0");
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_place() {
        for (json, expected) in [
            (r#"{"00280010":{"vr":"US","Value":[65536]}}"#, "00280010: a value does not fit the VR"),
            (r#"{"00280010":{"vr":"US","Value":[1.5]}}"#, "00280010: a value does not fit the VR"),
            (r#"{"00280010":{"vr":"US","Value":[null]}}"#, "00280010: a value does not fit the VR"),
            (r#"{"00280010":{"vr":"US","Value":[1e400]}}"#, "00280010: a value does not fit the VR"),
            (r#"{"00100010":{"vr":"PN","Value":[7]}}"#, "00100010: a value does not fit the VR"),
            (r#"{"00104000":{"vr":"LT","Value":["a","b"]}}"#, "00104000: a value does not fit the VR"),
            (r#"{"00100010":{"vr":"xx","Value":["a"]}}"#, "00100010: the VR is none of PS3.5"),
            (r#"{"00091001":{"vr":"OB","InlineBinary":"*"}}"#, "00091001: InlineBinary is no base64"),
            (r#"{"00091001":{"vr":"LO","InlineBinary":"AQ=="}}"#, "00091001: a value does not fit the VR"),
            (r#"{"00091001":{"vr":"OB","Value":[1]}}"#, "00091001: a value does not fit the VR"),
            (
                r#"{"00081140":{"vr":"SQ","InlineBinary":"AQ==","Value":[{"00280009":{"vr":"AT","Value":["x"]}}]}}"#,
                "00081140.0.00280009: a value does not fit the VR",
            ),
            (
                r#"{"00081140":{"vr":"SQ","Value":[7]}}"#,
                "00081140: not of the DICOM JSON Model (PS3.18 F.2) at line 1, column 1",
            ),
        ] {
            assert_eq!(encode(json).expect_err(json).to_string(), expected, "{json}");
        }
    }

    // threats.md row 35.
    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| {
            format!("{}{{}}{}", r#"{"00081140":{"vr":"SQ","Value":["#.repeat(depth), "]}}".repeat(depth))
        };
        assert!(encode(&nested(SEQUENCE_DEPTH_MAX)).is_ok());
        let error = encode(&nested(SEQUENCE_DEPTH_MAX + 1)).expect_err("too deep");
        assert_eq!(error.kind, JsonEncodeErrorKind::TooDeep);
        assert!(encode(&nested(100_000)).is_err());
    }

    #[test]
    fn the_reader_gives_the_json_back() {
        let json = r#"{"00080005":{"vr":"CS","Value":["ISO_IR 192"]},"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.7"]},"00080018":{"vr":"UI","Value":["1.2.3"]},"00081140":{"vr":"SQ","Value":[{"00081150":{"vr":"UI","Value":["1.2"]}}]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"Müller^Jane","Ideographic":"山田^太郎"}]},"0020000D":{"vr":"UI","Value":["1.2.5"]},"0020000E":{"vr":"UI","Value":["1.2.4"]},"00281050":{"vr":"DS","Value":[40,-0.5]},"00189073":{"vr":"FD","Value":[0.1]}}"#;
        let uid = model::TransferSyntaxUid::parse("1.2.840.10008.1.2.1").expect("a UID");
        let mut reader = HeaderReader::new(&uid, Limits::default());
        reader.push(&bytes(json)).expect("reads");
        let header = reader.finish().expect("a header");
        assert_eq!(header.warnings, [""; 0]);
        let expected: serde_json::Value = serde_json::from_str(json).expect("JSON");
        let found: serde_json::Value = serde_json::from_str(&header.json).expect("JSON");
        assert_eq!(found, expected);
    }
}
