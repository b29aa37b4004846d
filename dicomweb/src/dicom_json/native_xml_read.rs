//! PS3.19 A.1, Native DICOM Model, read: the same data set as DICOM JSON, from which it goes on like one that came so.
//!
//! It comes from strangers: no document type, so no entities but those of XML itself; no recursion; nothing is resolved.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

/// Elements inside elements: three for each sequence.
const DEPTH_MAX: usize = 200;
/// Values that `number` may pass over at once.
const GAP_MAX: usize = 1_000;

/// Why a document is no Native DICOM Model. Says where, and nothing that stands there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no Native DICOM Model (PS3.19 A.1): {what}, before byte {position}")]
pub struct NativeXmlError {
    what: &'static str,
    position: u64,
}

/// The document as one DICOM JSON object; keys in the order of the document.
///
/// # Errors
/// When it is no such document.
pub fn native_xml_to_json(xml: &str) -> Result<String, NativeXmlError> {
    let mut reader = Reader::from_str(xml);
    let mut model = Model::default();
    loop {
        let read = reader.read_event();
        let position = reader.buffer_position();
        let at = |what: &'static str| NativeXmlError { what, position };
        match read.map_err(|_| at("not well formed"))? {
            Event::Start(start) => model.open(&start).map_err(at)?,
            Event::Empty(start) => {
                model.open(&start).map_err(at)?;
                model.close();
            }
            Event::End(_) => model.close(),
            Event::Text(text) => {
                model.text(&text.decode().map_err(|_| at("no UTF-8"))?);
            }
            Event::CData(text) => model.text(&text.decode().map_err(|_| at("no UTF-8"))?),
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(|_| at("no UTF-8"))?;
                model.character(resolve(&name).ok_or_else(|| at("an entity that XML does not have"))?);
            }
            Event::DocType(_) => return Err(at("a document type")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof if model.is_complete() => return Ok(model.json),
            Event::Eof => return Err(at("an early end")),
        }
    }
}

fn resolve(name: &str) -> Option<char> {
    let number = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix('x') {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => digits.parse(),
        },
        None => {
            return Some(match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                _ => return None,
            });
        }
    };
    number.ok().and_then(char::from_u32)
}

/// An element that is open.
enum Frame {
    /// `NativeDicomModel` or `Item`.
    DataSet(DataSetFrame),
    /// `DicomAttribute`, with the values written so far.
    Attribute { values: usize },
    /// `Value`, `InlineBinary`: their text.
    Text { inline: bool },
    /// `PersonName`, with the groups written so far.
    PersonName { groups: usize },
    /// `Alphabetic`, `Ideographic` or `Phonetic`: the five components.
    Group { name: &'static str, components: [String; 5] },
    /// One of the five components.
    Component(usize),
    /// `BulkData`.
    BulkData,
}

#[derive(Default)]
struct DataSetFrame {
    /// Tags written, and which blocks of private elements belong to whom (PS3.5 7.8.1).
    tags: BTreeSet<u32>,
    creators: BTreeMap<u32, String>,
}

#[derive(Default)]
struct Model {
    json: String,
    frames: Vec<Frame>,
    text: String,
    begun: bool,
}

const GROUPS: [&str; 3] = ["Alphabetic", "Ideographic", "Phonetic"];
const COMPONENTS: [&str; 5] = ["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"];

impl Model {
    fn is_complete(&self) -> bool {
        self.begun && self.frames.is_empty()
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), &'static str> {
        if self.frames.len() == DEPTH_MAX {
            return Err("elements nested too deeply");
        }
        let name = start.local_name();
        let frame = match (self.frames.last_mut(), name.as_ref()) {
            (None, b"NativeDicomModel") if !self.begun => {
                self.begun = true;
                self.json.push('{');
                Frame::DataSet(DataSetFrame::default())
            }
            (Some(Frame::DataSet(_)), b"DicomAttribute") => {
                self.open_attribute(start)?;
                Frame::Attribute { values: 0 }
            }
            (Some(Frame::Attribute { values }), b"Value" | b"PersonName" | b"Item") => {
                open_value(&mut self.json, values, start)?;
                match name.as_ref() {
                    b"Value" => Frame::Text { inline: false },
                    b"Item" => {
                        self.json.push('{');
                        Frame::DataSet(DataSetFrame::default())
                    }
                    _ => {
                        self.json.push('{');
                        Frame::PersonName { groups: 0 }
                    }
                }
            }
            (Some(Frame::Attribute { values: 0 }), b"InlineBinary") => Frame::Text { inline: true },
            (Some(Frame::Attribute { values: 0 }), b"BulkData") => {
                let uri = match attribute(start, "uri")? {
                    Some(uri) => uri,
                    None => attribute(start, "uuid")?.ok_or("BulkData without uri")?,
                };
                let _ = write!(self.json, ",\"BulkDataURI\":{}", quoted(&uri));
                Frame::BulkData
            }
            (Some(Frame::PersonName { .. }), name) => {
                let known =
                    GROUPS.iter().find(|known| known.as_bytes() == name).ok_or("an unknown name group")?;
                Frame::Group { name: known, components: Default::default() }
            }
            (Some(Frame::Group { .. }), name) => {
                let known = COMPONENTS.iter().position(|known| known.as_bytes() == name);
                Frame::Component(known.ok_or("an unknown name component")?)
            }
            _ => return Err("an element where it does not belong"),
        };
        self.text.clear();
        self.frames.push(frame);
        Ok(())
    }

    fn open_attribute(&mut self, start: &BytesStart<'_>) -> Result<(), &'static str> {
        let tag = attribute(start, "tag")?.ok_or("DicomAttribute without tag")?;
        let digits = tag.len() == 8 && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u32::from_str_radix(&tag, 16).ok().filter(|_| digits).ok_or("a tag that is none")?;
        let creator = attribute(start, "privateCreator")?;
        let Some(Frame::DataSet(data_set)) = self.frames.last_mut() else { return Err("no data set") };
        if !data_set.tags.is_empty() {
            self.json.push(',');
        }
        data_set.tags.insert(number);
        if let Some(creator) = creator
            && (number >> 16) & 1 == 1
            && number & 0xFFFF > 0xFF
        {
            let block = (number & 0xFFFF_0000) | ((number >> 8) & 0xFF);
            data_set.creators.insert(block, creator.into_owned());
        }
        let _ = write!(self.json, "\"{number:08X}\":{{");
        match attribute(start, "vr")? {
            Some(vr) => {
                let _ = write!(self.json, "\"vr\":{}", quoted(&vr));
            }
            // `null` says as little as nothing, and whatever follows begins with a comma.
            None => self.json.push_str("\"vr\":null"),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if matches!(self.frames.last(), Some(Frame::Text { .. } | Frame::Component(_))) {
            self.text.push_str(text);
        }
    }

    fn character(&mut self, character: char) {
        self.text(character.encode_utf8(&mut [0; 4]));
    }

    /// The parser has checked that it is the last one opened.
    fn close(&mut self) {
        let text = std::mem::take(&mut self.text);
        match self.frames.pop() {
            Some(Frame::DataSet(mut data_set)) => {
                data_set.creators.retain(|tag, _| !data_set.tags.contains(tag));
                let mut any = !data_set.tags.is_empty();
                for (tag, creator) in data_set.creators {
                    let comma = if any { "," } else { "" };
                    any = true;
                    let creator = quoted(&creator);
                    let _ = write!(self.json, "{comma}\"{tag:08X}\":{{\"vr\":\"LO\",\"Value\":[{creator}]}}");
                }
                self.json.push('}');
            }
            Some(Frame::Attribute { values }) => self.json.push_str(if values > 0 { "]}" } else { "}" }),
            Some(Frame::Text { inline: true }) => {
                let base64: String = text.split_ascii_whitespace().collect();
                let _ = write!(self.json, ",\"InlineBinary\":{}", quoted(&base64));
            }
            Some(Frame::Text { inline: false }) => self.json.push_str(&quoted(&text)),
            Some(Frame::PersonName { .. }) => self.json.push('}'),
            Some(Frame::Group { name, components }) => {
                let joined = components.join("^");
                let whole = quoted(joined.trim_end_matches('^'));
                if let Some(Frame::PersonName { groups }) = self.frames.last_mut() {
                    let comma = if *groups > 0 { "," } else { "" };
                    *groups += 1;
                    let _ = write!(self.json, "{comma}\"{name}\":{whole}");
                }
            }
            Some(Frame::Component(index)) => {
                if let Some(Frame::Group { components, .. }) = self.frames.last_mut() {
                    components[index] = text;
                }
            }
            Some(Frame::BulkData) | None => {}
        }
    }
}

/// What comes before a value: the array, a comma, `null` for every number passed over.
fn open_value(json: &mut String, values: &mut usize, start: &BytesStart<'_>) -> Result<(), &'static str> {
    let number = match attribute(start, "number")? {
        Some(number) => number.trim().parse::<usize>().map_err(|_| "a number that is none")?,
        None => *values + 1,
    };
    let gap = number.checked_sub(*values + 1).ok_or("numbers that do not ascend")?;
    if gap > GAP_MAX {
        return Err("a number too far from the one before it");
    }
    for _ in 0..=gap {
        json.push_str(if *values == 0 { ",\"Value\":[" } else { "," });
        *values += 1;
        if *values < number {
            json.push_str("null");
        }
    }
    Ok(())
}

fn attribute<'a>(start: &'a BytesStart<'_>, name: &str) -> Result<Option<Cow<'a, str>>, &'static str> {
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| "an attribute that cannot be read")?;
        if attribute.key.as_ref() == name.as_bytes() {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            return value.map(Some).map_err(|_| "an attribute that cannot be read");
        }
    }
    Ok(None)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
