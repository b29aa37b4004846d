//! One data set against the other: tags, VRs, values, bytes and frames.

use std::{collections::BTreeSet, fmt};

use model::frame::FrameTable;
use serde_json::{Map, Value};

use crate::ours::{Read, added_tags};

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only pydicom has the attribute.
    Missing,
    /// Only we have the attribute.
    Extra,
    Vr,
    Value,
    Bytes,
    Items,
    Frames,
    /// pydicom cannot read the element or the file.
    TheirError,
}

/// One difference.
#[derive(Debug)]
pub struct Difference {
    pub kind: Kind,
    /// Tags and item numbers from the root.
    pub path: String,
    pub our_vr: String,
    pub their_vr: String,
    pub detail: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, path, our_vr, their_vr, detail } = self;
        write!(f, "{kind:?} at {path}, our VR {our_vr:?}, theirs {their_vr:?}: {detail}")
    }
}

struct Comparison<'a> {
    read: &'a Read,
    file: &'a [u8],
    found: Vec<Difference>,
}

/// All differences between our reading of `file` and pydicom's.
pub fn compare(read: &Read, file: &[u8], theirs: &Value) -> Vec<Difference> {
    let mut comparison = Comparison { read, file, found: Vec::new() };
    let Some(their_json) = theirs["json"].as_object() else {
        comparison.add(Kind::TheirError, "", (&Value::Null, &Value::Null), theirs["error"].to_string());
        return comparison.found;
    };
    let mut our_json: Value = serde_json::from_str(&read.header.json).expect("our JSON is JSON");
    let our_json = our_json.as_object_mut().expect("an object");
    assert!(our_json.keys().is_sorted(), "tags ascend");
    let mut their_json = their_json.clone();
    for tag in added_tags(read) {
        our_json.remove(&tag);
        their_json.remove(&tag);
    }
    comparison.data_set(our_json, &their_json, "");
    comparison.frames(&theirs["frames"]);
    comparison.found
}

impl Comparison<'_> {
    fn add(&mut self, kind: Kind, path: &str, (ours, theirs): (&Value, &Value), detail: String) {
        let vr = |element: &Value| element["vr"].as_str().unwrap_or_default().to_owned();
        self.found.push(Difference {
            kind,
            path: path.to_owned(),
            our_vr: vr(ours),
            their_vr: vr(theirs),
            detail,
        });
    }

    fn data_set(&mut self, ours: &Map<String, Value>, theirs: &Map<String, Value>, prefix: &str) {
        let tags: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        for tag in tags {
            let path = format!("{prefix}{tag}");
            match (ours.get(tag), theirs.get(tag)) {
                (Some(our), Some(their)) => self.element(our, their, &path),
                (None, Some(their)) => self.add(Kind::Missing, &path, (&Value::Null, their), short(their)),
                (Some(our), None) => self.add(Kind::Extra, &path, (our, &Value::Null), short(our)),
                (None, None) => {}
            }
        }
    }

    fn element(&mut self, ours: &Value, theirs: &Value, path: &str) {
        if let Some(error) = theirs.get("error") {
            return self.add(Kind::TheirError, path, (ours, theirs), error.to_string());
        }
        if ours["vr"] != theirs["vr"] {
            return self.add(Kind::Vr, path, (ours, theirs), format!("{} | {}", short(ours), short(theirs)));
        }
        if let Some(their_items) = theirs["items"].as_array() {
            return self.items(ours, theirs, their_items, path);
        }
        if let Some(bytes) = theirs.get("bytes") {
            return self.bytes(ours, theirs, bytes, path);
        }
        if ours.get("BulkDataURI").is_some() {
            return; // A text or number too long to be inline: that it is there is all that can be said.
        }
        let empty = Vec::new();
        let list = |value: &'_ Value| value["Value"].as_array().cloned().unwrap_or(empty.clone());
        let (our_values, their_values) = (list(ours), list(theirs));
        let same = our_values.len() == their_values.len()
            && our_values.iter().zip(&their_values).all(|(our, their)| is_same_value(our, their));
        if !same {
            self.add(Kind::Value, path, (ours, theirs), format!("{} | {}", short(ours), short(theirs)));
        }
    }

    fn items(&mut self, ours: &Value, theirs: &Value, their_items: &[Value], path: &str) {
        let our_items = ours["Value"].as_array().map(Vec::as_slice).unwrap_or_default();
        if our_items.len() != their_items.len() {
            let detail = format!("{} | {} items", our_items.len(), their_items.len());
            return self.add(Kind::Items, path, (ours, theirs), detail);
        }
        for (index, pair) in our_items.iter().zip(their_items).enumerate() {
            if let (Some(our), Some(their)) = (pair.0.as_object(), pair.1.as_object()) {
                self.data_set(our, their, &format!("{path}.{index}."));
            }
        }
    }

    /// Bytes inline, or where our reference says they are.
    fn bytes(&mut self, ours: &Value, theirs: &Value, their_bytes: &Value, path: &str) {
        let our_bytes = match (ours["InlineBinary"].as_str(), ours["BulkDataURI"].as_str()) {
            (Some(text), _) => decode_base64(text),
            (None, Some(uri)) => match self.referenced(uri) {
                Some(bytes) => bytes.to_vec(),
                None => return,
            },
            (None, None) => Vec::new(),
        };
        let found = digest(&our_bytes);
        if found != *their_bytes {
            self.add(Kind::Bytes, path, (ours, theirs), format!("{found} | {their_bytes}"));
        }
    }

    /// The bytes of a reference; none can be had from a deflated data set here.
    fn referenced(&self, uri: &str) -> Option<&[u8]> {
        let path = uri.strip_prefix("bulkdata/")?;
        let reference = self.read.header.bulk_data.iter().find(|reference| reference.path == path);
        let range = reference.unwrap_or_else(|| panic!("{uri} is in the list")).range;
        if self.read.transfer_syntax.data_set_encoding().deflated {
            return None;
        }
        let data_set = &self.file[self.read.data_set_offset..];
        data_set.get(range.offset as usize..range.end() as usize)
    }

    fn frames(&mut self, theirs: &Value) {
        let table = &self.read.header.frame_table;
        let data_set = &self.file[self.read.data_set_offset..];
        let found = match table {
            FrameTable::Native { frames, .. } => serde_json::json!({ "native": frames }),
            FrameTable::Encapsulated { frames } => {
                let frame = |ranges: &Vec<model::frame::ByteRange>| {
                    let parts =
                        ranges.iter().map(|range| &data_set[range.offset as usize..range.end() as usize]);
                    digest(&parts.collect::<Vec<_>>().concat())
                };
                frames.iter().map(frame).collect::<Vec<_>>().into()
            }
            FrameTable::None => Value::Null,
        };
        if found != *theirs {
            let detail = format!("{} | {}", short(&found), short(theirs));
            self.add(Kind::Frames, "", (&Value::Null, &Value::Null), detail);
        }
    }
}

/// Numbers count, not how they are written; an empty person name is an object without groups in pydicom.
fn is_same_value(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(our), Value::Number(their)) => is_same_number(our.as_f64(), their.as_f64()),
        (Value::String(our), Value::Number(their)) => is_same_number(our.parse().ok(), their.as_f64()),
        (Value::Object(our), Value::Object(their)) => {
            let groups = |name: &Map<String, Value>| {
                let given = name.iter().filter(|(_, text)| text.as_str() != Some(""));
                given.map(|(key, text)| (key.clone(), text.clone())).collect::<Vec<_>>()
            };
            let (mut our, mut their) = (groups(our), groups(their));
            our.sort_by(|a, b| a.0.cmp(&b.0));
            their.sort_by(|a, b| a.0.cmp(&b.0));
            our == their
        }
        _ => ours == theirs,
    }
}

/// serde_json may be one unit in the last place off when it reads a number.
fn is_same_number(ours: Option<f64>, theirs: Option<f64>) -> bool {
    match (ours, theirs) {
        (Some(our), Some(their)) => (our - their).abs() <= their.abs() * 4.0 * f64::EPSILON,
        _ => false,
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(160).collect()
}

fn digest(bytes: &[u8]) -> Value {
    let (mut a, mut b) = (1_u32, 0_u32);
    for piece in bytes.chunks(5552) {
        for byte in piece {
            a += u32::from(*byte);
            b += a;
        }
        a %= 65_521;
        b %= 65_521;
    }
    serde_json::json!({ "length": bytes.len(), "adler32": b << 16 | a })
}

fn decode_base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = group.iter().fold(0, |bits, byte| bits << 6 | digit(*byte)) << (6 * (4 - group.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}
