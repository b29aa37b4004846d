//! PS3.19 A.1, Native DICOM Model: the data sets of this door, and stored headers, as XML.

use std::{collections::BTreeMap, fmt::Write as _};

use dicom_header::{JsonAttribute, JsonDataSet, JsonModelError, json_text, keyword_of};

use super::build::{DataSet, Value};

/// What every document begins with.
const PROLOGUE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\">";
const EPILOGUE: &str = "</NativeDicomModel>\n";

/// The five components of a name in their order (PS3.5 6.2.1.1), as PS3.19 A.1.5 calls them.
const NAME_COMPONENTS: [&str; 5] = ["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"];
/// The three component groups.
const NAME_GROUPS: [&str; 3] = ["Alphabetic", "Ideographic", "Phonetic"];

/// A data set of this door as a document.
pub fn to_native_xml(data_set: &DataSet) -> String {
    let mut xml = String::from(PROLOGUE);
    write_data_set(&mut xml, data_set);
    xml.push_str(EPILOGUE);
    xml
}

/// A stored header, one DICOM JSON object, as a document.
///
/// # Errors
/// When it is no DICOM JSON.
pub fn json_to_native_xml(json: &str) -> Result<String, JsonModelError> {
    let mut xml = String::with_capacity(json.len() * 2);
    xml.push_str(PROLOGUE);
    write_stored_data_set(&mut xml, json)?;
    xml.push_str(EPILOGUE);
    Ok(xml)
}

fn write_data_set(xml: &mut String, data_set: &DataSet) {
    let mut creators = Creators::default();
    for (tag, (vr, value)) in &data_set.0 {
        if let Value::Stored(attribute) = value {
            // It is our own text; were it none, the rest is still worth sending.
            if let Ok(attribute) = serde_json::from_str::<JsonAttribute<'_>>(attribute) {
                let before = xml.len();
                if write_stored(xml, *tag, &attribute, &mut creators).is_err() {
                    xml.truncate(before);
                }
            }
            continue;
        }
        open_attribute(xml, *tag, vr, "");
        match value {
            Value::Text(text) => write_values(xml, text.split('\\')),
            Value::PersonName(names) => {
                for (index, name) in names.split('\\').enumerate().filter(|(_, name)| !name.is_empty()) {
                    write_person_name(xml, index, NAME_GROUPS.iter().copied().zip(name.split('=')));
                }
            }
            Value::Number(number) => write_values(xml, [number.to_string().as_str()]),
            Value::Items(items) => {
                for (index, item) in items.iter().enumerate() {
                    let _ = write!(xml, "<Item number=\"{}\">", index + 1);
                    write_data_set(xml, item);
                    xml.push_str("</Item>");
                }
            }
            Value::Stored(_) => {}
        }
        xml.push_str("</DicomAttribute>");
    }
}

/// Private creators of one data set by group and block (PS3.5 7.8.1).
#[derive(Default)]
struct Creators(BTreeMap<u32, String>);

impl Creators {
    fn learn(&mut self, tag: u32, attribute: &JsonAttribute<'_>) -> Result<(), JsonModelError> {
        if (tag >> 16) & 1 == 1 && (0x10..=0xFF).contains(&(tag & 0xFFFF)) {
            return attribute.each_value(|value| {
                self.0.insert(tag, json_text(value)?.into_owned());
                Ok(())
            });
        }
        Ok(())
    }

    fn of(&self, tag: u32) -> &str {
        let block = (tag & 0xFFFF_0000) | ((tag >> 8) & 0xFF);
        let private = (tag >> 16) & 1 == 1 && tag & 0xFFFF > 0xFF;
        self.0.get(&block).filter(|_| private).map_or("", String::as_str)
    }
}

fn open_attribute(xml: &mut String, tag: u32, vr: &str, private_creator: &str) {
    let _ = write!(xml, "<DicomAttribute tag=\"{tag:08X}\" vr=\"{}\"", escape(vr));
    if let Some(keyword) = keyword_of(tag) {
        let _ = write!(xml, " keyword=\"{keyword}\"");
    }
    if !private_creator.is_empty() {
        let _ = write!(xml, " privateCreator=\"{}\"", escape(private_creator));
    }
    xml.push('>');
}

/// Depth is bounded where headers are made: see `dicom_header::Limits`.
fn write_stored_data_set(xml: &mut String, json: &str) -> Result<(), JsonModelError> {
    let mut creators = Creators::default();
    for (tag, attribute) in &JsonDataSet::parse(json)?.0 {
        write_stored(xml, *tag, attribute, &mut creators)?;
    }
    Ok(())
}

fn write_stored(
    xml: &mut String,
    tag: u32,
    attribute: &JsonAttribute<'_>,
    creators: &mut Creators,
) -> Result<(), JsonModelError> {
    let vr = attribute.vr()?.unwrap_or_else(|| "UN".into());
    creators.learn(tag, attribute)?;
    open_attribute(xml, tag, &vr, creators.of(tag));
    if let Some(uri) = attribute.bulk_data_uri()? {
        let _ = write!(xml, "<BulkData uri=\"{}\"/>", escape(&uri));
    } else if let Some(base64) = attribute.inline_binary()? {
        let _ = write!(xml, "<InlineBinary>{}</InlineBinary>", escape(&base64));
    }
    let mut index = 0;
    attribute.each_value(|value| {
        let text = value.get();
        match (vr.as_ref(), text) {
            ("SQ", _) => {
                let _ = write!(xml, "<Item number=\"{}\">", index + 1);
                write_stored_data_set(xml, text)?;
                xml.push_str("</Item>");
            }
            (_, "null") => {}
            ("PN", _) => {
                let groups: BTreeMap<&str, String> =
                    serde_json::from_str(text).map_err(JsonModelError::from)?;
                let groups = NAME_GROUPS.iter().filter_map(|name| Some((*name, groups.get(name)?.as_str())));
                write_person_name(xml, index, groups);
            }
            _ if text.starts_with('"') => {
                let _ = write!(xml, "<Value number=\"{}\">{}</Value>", index + 1, escape(&json_text(value)?));
            }
            _ => {
                let _ = write!(xml, "<Value number=\"{}\">{}</Value>", index + 1, escape(text));
            }
        }
        index += 1;
        Ok::<(), JsonModelError>(())
    })?;
    xml.push_str("</DicomAttribute>");
    Ok(())
}

fn write_values<'a>(xml: &mut String, values: impl IntoIterator<Item = &'a str>) {
    for (index, value) in values.into_iter().enumerate().filter(|(_, value)| !value.is_empty()) {
        let _ = write!(xml, "<Value number=\"{}\">{}</Value>", index + 1, escape(value));
    }
}

fn write_person_name<'a>(
    xml: &mut String,
    index: usize,
    groups: impl Iterator<Item = (&'static str, &'a str)>,
) {
    let _ = write!(xml, "<PersonName number=\"{}\">", index + 1);
    for (group, name) in groups.filter(|(_, name)| !name.is_empty()) {
        let _ = write!(xml, "<{group}>");
        // What follows a fifth ^ belongs to no component: it stays with the last one.
        for (component, text) in NAME_COMPONENTS.iter().zip(name.splitn(5, '^')) {
            if !text.is_empty() {
                let _ = write!(xml, "<{component}>{}</{component}>", escape(text));
            }
        }
        let _ = write!(xml, "</{group}>");
    }
    xml.push_str("</PersonName>");
}

/// Escapes markup; what XML 1.0 cannot hold becomes a space.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            // As they are, readers would make a line feed of them.
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nests_items_and_escapes() {
        let mut item = DataSet::new();
        item.text(0x0008_1155, "UI", "1.2").number(0x0008_1197, "US", 0xC000);
        let mut data_set = DataSet::new();
        data_set.text(0x0008_1190, "UR", "/a?b=c&d").sequence_if_any(0x0008_1198, vec![item]);
        let xml = to_native_xml(&data_set);
        assert!(xml.contains("<Value number=\"1\">/a?b=c&amp;d</Value>"), "{xml}");
        assert!(
            xml.contains(
                "<DicomAttribute tag=\"00081198\" vr=\"SQ\" keyword=\"FailedSOPSequence\"><Item number=\"1\"><DicomAttribute"
            ),
            "{xml}"
        );
        assert!(xml.contains("keyword=\"FailureReason\"><Value number=\"1\">49152</Value>"), "{xml}");
    }

    #[test]
    fn names_have_their_components() {
        let mut data_set = DataSet::new();
        data_set.person_name(0x0010_0010, "Yamada^Tarou^^Dr.=\u{5c71}^\u{592a}");
        let expected = "<PersonName number=\"1\"><Alphabetic><FamilyName>Yamada</FamilyName>\
            <GivenName>Tarou</GivenName><NamePrefix>Dr.</NamePrefix></Alphabetic>\
            <Ideographic><FamilyName>\u{5c71}</FamilyName><GivenName>\u{592a}</GivenName></Ideographic></PersonName>";
        let xml = to_native_xml(&data_set);
        assert!(xml.contains(expected), "{xml}");
        let stored = json_to_native_xml(
            "{\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Ideographic\":\"\u{5c71}^\u{592a}\",\"Alphabetic\":\"Yamada^Tarou^^Dr.\"}]}}",
        );
        assert_eq!(stored.expect("valid"), xml);
    }

    #[test]
    fn a_stored_header_keeps_values_items_and_references() {
        let json = r#"{"00080008":{"vr":"CS","Value":["ORIGINAL",null,"<x>"]},
            "00090010":{"vr":"LO","Value":["ACME \"1\""]},"00091001":{"vr":"UN","InlineBinary":"AQI="},
            "00281050":{"vr":"DS","Value":[-1.5]},"00400275":{"vr":"SQ","Value":[{},{"00400009":{"vr":"SH"}}]},
            "7FE00010":{"vr":"OW","BulkDataURI":"a?b&c"}}"#;
        let xml = json_to_native_xml(json).expect("valid");
        for expected in [
            "<Value number=\"1\">ORIGINAL</Value><Value number=\"3\">&lt;x&gt;</Value>",
            "<DicomAttribute tag=\"00091001\" vr=\"UN\" privateCreator=\"ACME &quot;1&quot;\"><InlineBinary>AQI=</InlineBinary>",
            "<Value number=\"1\">-1.5</Value>",
            "<Item number=\"1\"></Item><Item number=\"2\"><DicomAttribute tag=\"00400009\"",
            "<BulkData uri=\"a?b&amp;c\"/>",
        ] {
            assert!(xml.contains(expected), "{expected}\n{xml}");
        }
        assert!(json_to_native_xml("[1]").is_err());
    }

    #[test]
    fn attributes_of_a_header_stand_among_ours() {
        let mut row = DataSet::new();
        row.text(0x0010_0020, "LO", "P-1")
            .stored(0x0008_0008, r#"{"vr":"CS","Value":["A"]}"#)
            .stored(0x0018_0050, "x");
        let xml = to_native_xml(&row);
        let at = |text: &str| xml.find(text).expect(text);
        assert!(at("tag=\"00080008\"") < at("tag=\"00100020\""));
        assert!(!xml.contains("00180050"), "{xml}");
    }
}
