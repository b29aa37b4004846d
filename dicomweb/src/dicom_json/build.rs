//! PS3.18 F.2, making DICOM JSON: keys ascending and upper-case, empty attributes with their VR alone.

use std::{collections::BTreeMap, fmt::Write as _};

use super::tag;

/// A value that this door writes.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text; several values are separated by `\`, as in the data set.
    Text(String),
    /// A person name with its component groups separated by `=`.
    PersonName(String),
    /// A number.
    Number(i64),
    /// Items of a sequence.
    Items(Vec<DataSet>),
    /// A whole attribute object as it stands in a stored header.
    Stored(String),
}

/// Attributes by tag.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DataSet(pub BTreeMap<u32, (&'static str, Value)>);

impl DataSet {
    /// A data set without anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// A data set that says it is UTF-8: every text of ours is (PS3.18 F.2.1.1).
    pub fn utf8() -> Self {
        let mut data_set = Self::new();
        data_set.text(tag::SPECIFIC_CHARACTER_SET, "CS", "ISO_IR 192");
        data_set
    }

    /// Adds text, or the bare attribute when it is empty.
    pub fn text(&mut self, tag: u32, vr: &'static str, text: &str) -> &mut Self {
        self.0.insert(tag, (vr, Value::Text(text.to_owned())));
        self
    }

    /// Adds text unless it is empty.
    pub fn text_if_any(&mut self, tag: u32, vr: &'static str, text: &str) -> &mut Self {
        if text.is_empty() { self } else { self.text(tag, vr, text) }
    }

    /// Adds a person name, or the bare attribute when it is empty.
    pub fn person_name(&mut self, tag: u32, name: &str) -> &mut Self {
        self.0.insert(tag, ("PN", Value::PersonName(name.to_owned())));
        self
    }

    /// Adds a number.
    pub fn number(&mut self, tag: u32, vr: &'static str, number: i64) -> &mut Self {
        self.0.insert(tag, (vr, Value::Number(number)));
        self
    }

    /// Adds a number, if there is one.
    pub fn number_if_any(&mut self, tag: u32, vr: &'static str, number: Option<i32>) -> &mut Self {
        match number {
            Some(number) => self.number(tag, vr, i64::from(number)),
            None => self,
        }
    }

    /// Adds a sequence unless it has no items.
    pub fn sequence_if_any(&mut self, tag: u32, items: Vec<DataSet>) -> &mut Self {
        if !items.is_empty() {
            self.0.insert(tag, ("SQ", Value::Items(items)));
        }
        self
    }

    /// Adds an attribute of a stored header unless there is one already.
    pub fn stored(&mut self, tag: u32, attribute: &str) -> &mut Self {
        self.0.entry(tag).or_insert_with(|| ("UN", Value::Stored(attribute.to_owned())));
        self
    }

    /// The JSON object.
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(64 * self.0.len());
        self.write(&mut json);
        json
    }

    /// Appends the JSON object.
    pub fn write(&self, json: &mut String) {
        json.push('{');
        for (index, (tag, (vr, value))) in self.0.iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            let _ = write!(json, "\"{tag:08X}\":");
            match value {
                Value::Stored(attribute) => json.push_str(attribute),
                value => {
                    let _ = write!(json, "{{\"vr\":\"{vr}\"");
                    write_value(json, value);
                    json.push('}');
                }
            }
        }
        json.push('}');
    }
}

fn write_value(json: &mut String, value: &Value) {
    match value {
        Value::Text(text) => write_array(json, text, write_string),
        Value::PersonName(names) => write_array(json, names, write_person_name),
        Value::Number(number) => {
            let _ = write!(json, ",\"Value\":[{number}]");
        }
        Value::Items(items) => {
            json.push_str(",\"Value\":[");
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                item.write(json);
            }
            json.push(']');
        }
        Value::Stored(attribute) => json.push_str(attribute),
    }
}

/// Writes the values between backslashes; an empty one among others is `null` (PS3.18 F.2.5).
fn write_array(json: &mut String, text: &str, write_one: fn(&mut String, &str)) {
    if text.is_empty() {
        return;
    }
    json.push_str(",\"Value\":[");
    for (index, value) in text.split('\\').enumerate() {
        if index > 0 {
            json.push(',');
        }
        if value.is_empty() { json.push_str("null") } else { write_one(json, value) }
    }
    json.push(']');
}

fn write_person_name(json: &mut String, name: &str) {
    let groups = ["Alphabetic", "Ideographic", "Phonetic"];
    json.push('{');
    let mut first = true;
    for (group, text) in groups.iter().zip(name.split('=')).filter(|(_, text)| !text.is_empty()) {
        if !first {
            json.push(',');
        }
        first = false;
        let _ = write!(json, "\"{group}\":");
        write_string(json, text);
    }
    json.push('}');
}

fn write_string(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            control if (control as u32) < 0x20 => {
                let _ = write!(json, "\\u{:04x}", control as u32);
            }
            other => json.push(other),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ascend_and_empty_is_the_vr_alone() {
        let mut row = DataSet::utf8();
        row.person_name(0x0010_0010, "Yamada^Tarou=山田^太郎=やまだ^たろう")
            .text(0x0008_0050, "SH", "")
            .number(0x0020_1206, "IS", 3)
            .text(0x0008_0061, "CS", "CR\\DX");
        assert_eq!(
            row.to_json(),
            "{\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]},\
             \"00080050\":{\"vr\":\"SH\"},\
             \"00080061\":{\"vr\":\"CS\",\"Value\":[\"CR\",\"DX\"]},\
             \"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"Yamada^Tarou\",\"Ideographic\":\"山田^太郎\",\"Phonetic\":\"やまだ^たろう\"}]},\
             \"00201206\":{\"vr\":\"IS\",\"Value\":[3]}}"
        );
    }

    #[test]
    fn only_present_component_groups_and_null_in_holes() {
        let mut row = DataSet::new();
        row.person_name(0x0010_0010, "=山田").text(0x0008_0008, "CS", "ORIGINAL\\\\AXIAL");
        let json: serde_json::Value = serde_json::from_str(&row.to_json()).expect("JSON");
        assert_eq!(json["00100010"]["Value"][0], serde_json::json!({"Ideographic": "山田"}));
        assert_eq!(json["00080008"]["Value"], serde_json::json!(["ORIGINAL", null, "AXIAL"]));
    }

    #[test]
    fn any_text_stays_valid_json() {
        let text = "a\"b\u{1}\n\t/<script>\u{2028}";
        let mut row = DataSet::new();
        row.text(0x0008_1030, "LO", text);
        let json: serde_json::Value = serde_json::from_str(&row.to_json()).expect("JSON");
        assert_eq!(json["00081030"]["Value"][0], text);
    }
}
