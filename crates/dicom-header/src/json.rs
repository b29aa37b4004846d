//! PS3.18 F.2, DICOM JSON Model: the text of one object, written while the data set streams by.

use std::fmt::Write as _;

use dicom_core::VR;

use crate::tag;

/// The buffer grows by at most this much at once, so that it never holds much more than it needs.
const GROWTH_MAX_BYTES: usize = 1 << 20;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The eight digits of a tag.
pub(crate) fn tag_text(tag: u32) -> String {
    format!("{tag:08X}")
}

/// JSON text, and where each attribute of every open object begins, so that an object whose attributes came in the
/// wrong order can be put right when it closes.
#[derive(Debug, Default)]
pub(crate) struct Json {
    text: String,
    attributes: Vec<(u32, u32)>,
    objects: Vec<OpenObject>,
}

#[derive(Debug)]
struct OpenObject {
    start: usize,
    first_attribute: usize,
    ascending: bool,
}

impl Json {
    /// Bytes held.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.text.capacity() + self.attributes.capacity() * size_of::<(u32, u32)>()
    }

    pub(crate) fn begin_object(&mut self) {
        self.text.push('{');
        self.objects.push(OpenObject {
            start: self.text.len(),
            first_attribute: self.attributes.len(),
            ascending: true,
        });
    }

    /// Closes the object, sorting its attributes; of two with the same tag the first stays. True when it had to.
    pub(crate) fn end_object(&mut self) -> bool {
        let Some(object) = self.objects.pop() else { return false };
        if !object.ascending {
            self.sort_attributes(&object);
        }
        self.attributes.truncate(object.first_attribute);
        self.text.push('}');
        !object.ascending
    }

    fn sort_attributes(&mut self, object: &OpenObject) {
        let attributes = &self.attributes[object.first_attribute..];
        let end_of = |index: usize| match attributes.get(index + 1) {
            Some((_, next)) => *next as usize - 1,
            None => self.text.len(),
        };
        let mut order: Vec<usize> = (0..attributes.len()).collect();
        order.sort_by_key(|index| attributes[*index].0);
        order.dedup_by_key(|index| attributes[*index].0);
        let mut sorted = String::with_capacity(self.text.len() - object.start);
        for index in order {
            if !sorted.is_empty() {
                sorted.push(',');
            }
            sorted.push_str(&self.text[attributes[index].1 as usize..end_of(index)]);
        }
        self.text.truncate(object.start);
        self.text.push_str(&sorted);
    }

    /// Writes `"GGGGEEEE":{"vr":"XX"`; [`Self::end_attribute`] closes it.
    pub(crate) fn begin_attribute(&mut self, tag: u32, vr: VR) {
        self.reserve(64);
        let last = self.attributes.last().map(|(tag, _)| *tag);
        if let Some(object) = self.objects.last_mut()
            && self.attributes.len() > object.first_attribute
        {
            object.ascending &= last < Some(tag);
            self.text.push(',');
        }
        self.attributes.push((tag, self.text.len() as u32));
        self.text.push('"');
        self.push_tag(tag);
        self.text.push_str("\":{\"vr\":\"");
        self.text.push_str(vr.to_string());
        self.text.push('"');
    }

    pub(crate) fn end_attribute(&mut self) {
        self.text.push('}');
    }

    pub(crate) fn push_tag(&mut self, tag: u32) {
        for shift in (0..8).rev() {
            self.text.push(char::from(HEX[(tag >> (4 * shift)) as usize & 15]));
        }
    }

    /// Appends text that is JSON already.
    pub(crate) fn raw(&mut self, text: &str) {
        self.reserve(text.len());
        self.text.push_str(text);
    }

    /// Appends a number or anything else that prints as JSON.
    pub(crate) fn display(&mut self, value: impl std::fmt::Display) {
        self.reserve(32);
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{value}");
    }

    /// Appends a string with its quotes.
    pub(crate) fn string(&mut self, text: &str) {
        self.reserve(text.len() + 2);
        self.text.push('"');
        let mut plain = 0;
        for (index, byte) in text.bytes().enumerate() {
            if byte >= 0x20 && byte != b'"' && byte != b'\\' {
                continue;
            }
            self.text.push_str(&text[plain..index]);
            plain = index + 1;
            match byte {
                b'"' => self.text.push_str("\\\""),
                b'\\' => self.text.push_str("\\\\"),
                b'\n' => self.text.push_str("\\n"),
                b'\r' => self.text.push_str("\\r"),
                b'\t' => self.text.push_str("\\t"),
                _ => {
                    self.text.push_str("\\u00");
                    self.text.push(char::from(HEX[usize::from(byte >> 4)]));
                    self.text.push(char::from(HEX[usize::from(byte & 15)]));
                }
            }
        }
        self.text.push_str(&text[plain..]);
        self.text.push('"');
    }

    /// Appends `,"BulkDataURI":"bulkdata/PATH"`.
    pub(crate) fn bulk_data_uri(&mut self, path: &str) {
        self.raw(",\"BulkDataURI\":\"bulkdata/");
        self.raw(path);
        self.raw("\"");
    }

    /// Writes Specific Character Set as JSON has it, whatever came in (PS3.18 F.2.1).
    pub(crate) fn utf8_character_set(&mut self) {
        self.begin_attribute(tag::SPECIFIC_CHARACTER_SET, VR::CS);
        self.raw(",\"Value\":[\"ISO_IR 192\"]");
        self.end_attribute();
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    fn reserve(&mut self, bytes: usize) {
        let (length, capacity) = (self.text.len(), self.text.capacity());
        if capacity - length < bytes {
            self.text.reserve_exact(bytes.max(length.clamp(4096, GROWTH_MAX_BYTES)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_and_keeps_the_first_of_a_pair() {
        let mut json = Json::default();
        json.begin_object();
        for (tag, value) in [(0x0010_0020, "b"), (0x0008_0060, "a"), (0x0010_0020, "c")] {
            json.begin_attribute(tag, VR::LO);
            json.raw(",\"Value\":[");
            json.string(value);
            json.raw("]");
            json.end_attribute();
        }
        assert!(json.end_object());
        assert_eq!(
            json.into_text(),
            r#"{"00080060":{"vr":"LO","Value":["a"]},"00100020":{"vr":"LO","Value":["b"]}}"#
        );
    }

    #[test]
    fn escapes_strings() {
        let mut json = Json::default();
        json.string("a\"\\\n\0\u{1f}é\u{7f}");
        assert_eq!(json.into_text(), "\"a\\\"\\\\\\n\\u0000\\u001Fé\u{7f}\"");
    }
}
