//! PS3.5 7: the small data sets of responses, in Little Endian and in the character set that the peer asked in.

use std::collections::BTreeMap;

use dicom_header::{VR, charset, element_header, item_header};

const SPECIFIC_CHARACTER_SET: u32 = 0x0008_0005;
const ITEM: u32 = 0xFFFE_E000;
const UTF_8: &str = "ISO_IR 192";

/// A value, or the items of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(VR, String),
    Short(u16),
    Items(Vec<DataSet>),
}

/// A data set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataSet(BTreeMap<u32, Value>);

impl DataSet {
    /// Sets a text, or a number that is written as one.
    pub fn text(&mut self, tag: u32, vr: VR, value: &str) -> &mut Self {
        self.0.insert(tag, Value::Text(vr, value.to_owned()));
        self
    }

    /// Sets a number of VR IS, empty when there is none.
    pub fn integer(&mut self, tag: u32, value: Option<impl ToString>) -> &mut Self {
        self.text(tag, VR::IS, &value.map(|value| value.to_string()).unwrap_or_default())
    }

    /// Sets a number of VR US, empty when there is none.
    pub fn short(&mut self, tag: u32, value: Option<i32>) -> &mut Self {
        let value = value.and_then(|value| u16::try_from(value).ok());
        self.0.insert(tag, value.map_or(Value::Text(VR::US, String::new()), Value::Short));
        self
    }

    /// Sets a sequence.
    pub fn items(&mut self, tag: u32, items: Vec<Self>) -> &mut Self {
        self.0.insert(tag, Value::Items(items));
        self
    }

    /// Whether it has the attribute, with a value or without.
    pub fn has(&self, tag: u32) -> bool {
        self.0.contains_key(&tag)
    }

    /// Leaves out what is not wanted.
    pub fn retain(&mut self, wanted: impl Fn(u32) -> bool) {
        self.0.retain(|tag, _| wanted(*tag));
    }

    /// The items of a sequence.
    pub fn items_mut(&mut self, tag: u32) -> Option<&mut Vec<Self>> {
        match self.0.get_mut(&tag) {
            Some(Value::Items(items)) => Some(items),
            _ => None,
        }
    }

    /// The bytes. Text that has more than ASCII is in `character_set` when that has all of it, else in UTF-8: PS3.4
    /// C.4.1.1.3.2 leaves the choice to the provider, and says which one it is in (0008,0005).
    pub fn encode(mut self, implicit_vr: bool, character_set: &str) -> Vec<u8> {
        let term = if self.fits("") {
            ""
        } else if !character_set.is_empty() && self.fits(character_set) {
            character_set
        } else {
            UTF_8
        };
        if !term.is_empty() {
            self.text(SPECIFIC_CHARACTER_SET, VR::CS, term);
        }
        let mut bytes = Vec::with_capacity(1024);
        self.write(implicit_vr, term, &mut bytes);
        bytes
    }

    fn fits(&self, term: &str) -> bool {
        self.0.values().all(|value| match value {
            Value::Text(_, text) => charset::encode(term, text).is_some(),
            Value::Short(_) => true,
            Value::Items(items) => items.iter().all(|item| item.fits(term)),
        })
    }

    fn write(&self, implicit_vr: bool, term: &str, bytes: &mut Vec<u8>) {
        for (tag, value) in &self.0 {
            let (vr, value) = match value {
                Value::Text(vr, text) => {
                    let encoded = charset::encode(term, text);
                    let mut value = encoded.unwrap_or_else(|| text.as_bytes().to_vec());
                    let padding = if *vr == VR::UI { 0 } else { b' ' };
                    value.resize(value.len().next_multiple_of(2), padding);
                    (*vr, value)
                }
                Value::Short(number) => (VR::US, number.to_le_bytes().to_vec()),
                Value::Items(items) => {
                    let mut value = Vec::new();
                    for item in items {
                        let mut content = Vec::new();
                        item.write(implicit_vr, term, &mut content);
                        value.extend(item_header(ITEM, content.len() as u32));
                        value.extend(content);
                    }
                    (VR::SQ, value)
                }
            };
            bytes.extend(element_header(implicit_vr, *tag, vr, Some(value.len() as u32)));
            bytes.extend(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> DataSet {
        let mut data_set = DataSet::default();
        data_set.text(0x0010_0010, VR::PN, name);
        data_set
    }

    #[test]
    fn every_kind_of_value_in_both_encodings() {
        let mut item = DataSet::default();
        item.text(0x0040_1001, VR::SH, "R");
        let mut data_set = DataSet::default();
        data_set.text(0x0020_000D, VR::UI, "1.2").short(0x0028_0010, Some(5)).items(0x0040_0275, vec![item]);
        data_set.integer(0x0020_0013, None::<i32>);
        assert_eq!(
            data_set.clone().encode(true, ""),
            b"\x20\0\x0d\0\x04\0\0\x001.2\0\x20\0\x13\0\0\0\0\0\x28\0\x10\0\x02\0\0\0\x05\0\
              \x40\0\x75\x02\x12\0\0\0\xfe\xff\0\xe0\x0a\0\0\0\x40\0\x01\x10\x02\0\0\0R "
        );
        assert_eq!(
            data_set.encode(false, ""),
            b"\x20\0\x0d\0UI\x04\x001.2\0\x20\0\x13\0IS\0\0\x28\0\x10\0US\x02\0\x05\0\
              \x40\0\x75\x02SQ\0\0\x12\0\0\0\xfe\xff\0\xe0\x0a\0\0\0\x40\0\x01\x10SH\x02\0R "
        );
    }

    #[test]
    fn the_character_set_is_the_peers_when_it_has_everything() {
        for (name, asked, term, bytes) in [
            ("Doe^J", "ISO_IR 100", None, &b"Doe^J "[..]),
            ("M\u{fc}ller", "ISO_IR 100", Some("ISO_IR 100"), b"M\xfcller"),
            ("M\u{fc}ller", "", Some("ISO_IR 192"), b"M\xc3\xbcller "),
            ("\u{5c71}", "ISO_IR 100", Some("ISO_IR 192"), b"\xe5\xb1\xb1 "),
            ("\u{5c71}", "\\ISO 2022 IR 87", Some("\\ISO 2022 IR 87"), b"\x1b$B;3\x1b(B"),
        ] {
            let encoded = named(name).encode(true, asked);
            let said = term.map(|term| format!("{term}{}", if term.len() % 2 == 1 { " " } else { "" }));
            let has = |part: &[u8]| encoded.windows(part.len()).any(|window| window == part);
            assert_eq!(encoded.starts_with(b"\x08\0\x05\0"), said.is_some(), "{name}");
            assert!(said.is_none_or(|said| has(said.as_bytes())) && has(bytes), "{name}: {encoded:?}");
        }
    }
}
