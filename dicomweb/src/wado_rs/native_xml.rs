//! PS3.19 A.1, Native DICOM Model, of a stored header: the same attributes as its DICOM JSON (PS3.18 F.3).

use std::fmt::Write as _;

use serde_json::{Map, Value};

type DataSet = Map<String, Value>;

enum Step<'a> {
    /// An attribute of a data set.
    Attribute(&'a DataSet, &'a str, &'a Value),
    /// What stands behind its values.
    Close(&'static str),
    /// An item, counted from 1.
    Item(usize, &'a DataSet),
}

/// One document for a DICOM JSON data set. Data sets nest as deep as the archive takes them; nothing is recursive.
pub fn document(data_set: &DataSet) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<NativeDicomModel ");
    xml.push_str("xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\">");
    let mut steps = vec![Step::Close("</NativeDicomModel>\n")];
    push(&mut steps, data_set);
    while let Some(step) = steps.pop() {
        match step {
            Step::Close(text) => xml.push_str(text),
            Step::Item(number, item) => {
                let _ = write!(xml, "<Item number=\"{number}\">");
                steps.push(Step::Close("</Item>"));
                push(&mut steps, item);
            }
            Step::Attribute(around, tag, attribute) => {
                open(&mut xml, around, tag, attribute);
                steps.push(Step::Close("</DicomAttribute>"));
                values(&mut xml, &mut steps, attribute);
            }
        }
    }
    xml
}

fn push<'a>(steps: &mut Vec<Step<'a>>, data_set: &'a DataSet) {
    let attributes = data_set.iter().rev();
    steps.extend(attributes.map(|(tag, attribute)| Step::Attribute(data_set, tag, attribute)));
}

fn open(xml: &mut String, around: &DataSet, tag: &str, attribute: &Value) {
    let vr = attribute.get("vr").and_then(Value::as_str).unwrap_or("UN");
    let _ = write!(xml, "<DicomAttribute tag=\"{}\" vr=\"{}\"", escape(tag), escape(vr));
    let number = u32::from_str_radix(tag, 16).unwrap_or_default();
    if let Some(keyword) = dicom_header::keyword(number) {
        let _ = write!(xml, " keyword=\"{keyword}\"");
    }
    if let Some(creator) = private_creator(around, number) {
        let _ = write!(xml, " privateCreator=\"{}\"", escape(creator));
    }
    xml.push('>');
}

/// Who reserved the block of a private attribute (PS3.5 7.8.1).
fn private_creator(around: &DataSet, tag: u32) -> Option<&str> {
    let (group, element) = (tag >> 16, tag & 0xffff);
    if group % 2 == 0 || element < 0x1000 {
        return None;
    }
    let creator = around.get(&format!("{group:04X}{:04X}", element >> 8))?;
    creator.get("Value")?.get(0)?.as_str()
}

fn values<'a>(xml: &mut String, steps: &mut Vec<Step<'a>>, attribute: &'a Value) {
    if let Some(binary) = attribute.get("InlineBinary").and_then(Value::as_str) {
        let _ = write!(xml, "<InlineBinary>{}</InlineBinary>", escape(binary));
    }
    if let Some(uri) = attribute.get("BulkDataURI").and_then(Value::as_str) {
        let _ = write!(xml, "<BulkData uri=\"{}\"/>", escape(uri));
    }
    let Some(values) = attribute.get("Value").and_then(Value::as_array) else { return };
    let numbered = values.iter().enumerate().map(|(index, value)| (index + 1, value));
    match attribute.get("vr").and_then(Value::as_str) {
        Some("SQ") => {
            let items = numbered.rev().filter_map(|(number, item)| Some((number, item.as_object()?)));
            steps.extend(items.map(|(number, item)| Step::Item(number, item)));
        }
        Some("PN") => numbered.for_each(|(number, name)| person_name(xml, number, name)),
        _ => {
            for (number, value) in numbered {
                let text = match value {
                    Value::Null => continue,
                    Value::String(text) => escape(text),
                    other => other.to_string(),
                };
                let _ = write!(xml, "<Value number=\"{number}\">{text}</Value>");
            }
        }
    }
}

/// PS3.19 A.1.6: components by name, those that are empty left out.
fn person_name(xml: &mut String, number: usize, name: &Value) {
    let Some(groups) = name.as_object() else { return };
    let _ = write!(xml, "<PersonName number=\"{number}\">");
    for group in ["Alphabetic", "Ideographic", "Phonetic"] {
        let Some(text) = groups.get(group).and_then(Value::as_str) else { continue };
        let _ = write!(xml, "<{group}>");
        let components = ["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"];
        for (component, text) in components.iter().zip(text.split('^')).filter(|(_, text)| !text.is_empty()) {
            let _ = write!(xml, "<{component}>{}</{component}>", escape(text));
        }
        let _ = write!(xml, "</{group}>");
    }
    xml.push_str("</PersonName>");
}

/// Escapes markup; characters that XML 1.0 cannot hold become spaces.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\r' | '\t' => {
                let _ = write!(escaped, "&#{};", character as u32);
            }
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => {
                escaped.push(' ');
            }
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_value() {
        let json = json!({
            "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
            "00080008": {"vr": "CS", "Value": ["A<&>\"", null, "B"]},
            "00091001": {"vr": "UN", "InlineBinary": "AAE="},
            "00090010": {"vr": "LO", "Value": ["ACME"]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane", "Ideographic": "山田"}]},
            "00100030": {"vr": "DA"},
            "00400275": {"vr": "SQ", "Value": [{"00401001": {"vr": "SH", "Value": ["1"]}}, {}]},
            "00280010": {"vr": "US", "Value": [512]},
            "7FE00010": {"vr": "OW", "BulkDataURI": "x/y?a=1&b=2"},
        });
        let xml = document(json.as_object().expect("a data set"));
        for part in [
            "<Value number=\"1\">A&lt;&amp;&gt;&quot;</Value><Value number=\"3\">B</Value>",
            "<DicomAttribute tag=\"00091001\" vr=\"UN\" privateCreator=\"ACME\"><InlineBinary>AAE=</InlineBinary>",
            "keyword=\"PatientName\"><PersonName number=\"1\"><Alphabetic><FamilyName>Doe</FamilyName>\
             <GivenName>Jane</GivenName></Alphabetic><Ideographic><FamilyName>山田</FamilyName></Ideographic>",
            "<DicomAttribute tag=\"00100030\" vr=\"DA\" keyword=\"PatientBirthDate\"></DicomAttribute>",
            "<Item number=\"1\"><DicomAttribute tag=\"00401001\" vr=\"SH\" keyword=\"RequestedProcedureID\">\
             <Value number=\"1\">1</Value></DicomAttribute></Item><Item number=\"2\"></Item></DicomAttribute>",
            "<Value number=\"1\">512</Value>",
            "<BulkData uri=\"x/y?a=1&amp;b=2\"/>",
        ] {
            assert!(xml.contains(part), "{part}\n{xml}");
        }
        assert!(xml.ends_with("</NativeDicomModel>\n"));
    }
}
