//! PS3.19 A.1, Native DICOM Model: only what a Store response needs.

use std::fmt::Write as _;

use super::build::{DataSet, Value};

/// The data set as a Native DICOM Model document. Attributes copied from a stored header are left out.
pub fn to_native_xml(data_set: &DataSet) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<NativeDicomModel ");
    xml.push_str("xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\">");
    write_data_set(&mut xml, data_set);
    xml.push_str("</NativeDicomModel>\n");
    xml
}

fn write_data_set(xml: &mut String, data_set: &DataSet) {
    for (tag, (vr, value)) in &data_set.0 {
        let _ = write!(xml, "<DicomAttribute tag=\"{tag:08X}\" vr=\"{vr}\">");
        match value {
            Value::Text(text) | Value::PersonName(text) => {
                let values = text.split('\\').enumerate().filter(|(_, value)| !value.is_empty());
                for (index, value) in values {
                    let _ = write!(xml, "<Value number=\"{}\">{}</Value>", index + 1, escape(value));
                }
            }
            Value::Number(number) => {
                let _ = write!(xml, "<Value number=\"1\">{number}</Value>");
            }
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

/// Escapes markup; control characters, which XML 1.0 cannot hold, become spaces.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
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
            xml.contains("<DicomAttribute tag=\"00081198\" vr=\"SQ\"><Item number=\"1\"><DicomAttribute"),
            "{xml}"
        );
        assert!(xml.contains("vr=\"US\"><Value number=\"1\">49152</Value>"), "{xml}");
    }
}
