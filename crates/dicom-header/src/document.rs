//! What is made of the elements as they stream by: DICOM JSON, bulk data references and the kept values.

use dicom_core::VR;
use model::{frame::ByteRange, instance::BulkDataReference};

use crate::{
    charset::CharacterSet,
    dictionary,
    element::{is_binary, unit_size},
    facts::Facts,
    json::Json,
    limits::Limits,
    scope::Scope,
    tag,
    value::Value,
    value_json::write_value,
    warnings::Warnings,
};

/// Longest Specific Character Set that is kept, in characters: every term of the Standard fits, twice.
const SPECIFIC_CHARACTER_SET_LENGTH_MAX: usize = 512;

/// One data set or item that is open.
#[derive(Debug)]
struct Level {
    scope: Scope,
    character_set: CharacterSet,
    /// Pixel Representation is 1, here or further out.
    signed: bool,
}

/// One sequence that is open.
#[derive(Debug)]
struct OpenSequence {
    tag: u32,
    items: u32,
}

pub(crate) struct Document {
    json: Json,
    levels: Vec<Level>,
    sequences: Vec<OpenSequence>,
    facts: Facts,
    bulk_data: Vec<BulkDataReference>,
    bulk_data_bytes: usize,
    limits: Limits,
    has_character_set: bool,
    /// Specific Character Set of the root as it was sent.
    specific_character_set: String,
    /// A mandatory UID that came twice with different values.
    contradictory_uid: Option<u32>,
    pub(crate) warnings: Warnings,
}

/// The finished parts of a document.
pub(crate) struct DocumentParts {
    pub(crate) json: String,
    pub(crate) specific_character_set: String,
    pub(crate) facts: Facts,
    pub(crate) bulk_data: Vec<BulkDataReference>,
    pub(crate) warnings: Warnings,
}

impl Document {
    pub(crate) fn new(limits: &Limits) -> Self {
        let mut json = Json::default();
        json.begin_object();
        let root = Level { scope: Scope::Root, character_set: CharacterSet::DEFAULT, signed: false };
        Self {
            json,
            levels: vec![root],
            sequences: Vec::new(),
            facts: Facts::default(),
            bulk_data: Vec::new(),
            bulk_data_bytes: 0,
            limits: *limits,
            has_character_set: false,
            specific_character_set: String::new(),
            contradictory_uid: None,
            warnings: Warnings::default(),
        }
    }

    /// Bytes held for this object.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.json.memory_bytes() + self.facts.memory_bytes() + self.bulk_data_bytes
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(crate) fn contradictory_uid(&self) -> Option<u32> {
        self.contradictory_uid
    }

    pub(crate) fn is_root(&self) -> bool {
        self.levels.len() == 1
    }

    /// The dictionary's VR in the present context.
    pub(crate) fn dictionary_vr(&self, tag: u32) -> Option<VR> {
        dictionary::vr(tag, self.level().signed)
    }

    /// The same, of an element that states UN or no VR of the Standard.
    pub(crate) fn vr_of_unknown(&self, tag: u32, length: u32) -> VR {
        dictionary::vr_of_unknown(tag, self.level().signed, length)
    }

    /// How long a value may be that is read into memory in the present scope.
    pub(crate) fn value_max_bytes(&self, tag: u32) -> Option<u64> {
        self.level().scope.value_max_bytes(tag)
    }

    /// An element whose value is in memory.
    pub(crate) fn value(&mut self, tag: u32, vr: VR, bytes: &[u8], big_endian: bool, range: ByteRange) {
        if tag::is_left_out(tag) {
            self.warn_of_foreign_group(tag);
            return;
        }
        let value = Value { vr, bytes, big_endian, character_set: self.level().character_set };
        self.learn(tag, &value);
        if tag == tag::SPECIFIC_CHARACTER_SET {
            self.character_set_element(&value);
            return;
        }
        self.look_at_padding(vr, bytes.len());
        let inline_max_bytes =
            if is_binary(vr) { self.limits.inline_binary_max_bytes } else { self.limits.value_max_bytes };
        if bytes.len() as u64 > inline_max_bytes {
            self.write_reference(tag, vr, range);
        } else {
            self.before_attribute(tag);
            self.json.begin_attribute(tag, vr);
            write_value(&mut self.json, &value);
            self.json.end_attribute();
        }
    }

    /// An element whose value was passed over.
    pub(crate) fn reference(&mut self, tag: u32, vr: VR, range: ByteRange) {
        if tag::is_left_out(tag) {
            self.warn_of_foreign_group(tag);
            return;
        }
        if range.length == 0 {
            self.before_attribute(tag);
            self.json.begin_attribute(tag, vr);
            self.json.end_attribute();
        } else {
            self.write_reference(tag, vr, range);
        }
    }

    pub(crate) fn begin_sequence(&mut self, tag: u32) {
        self.before_attribute(tag);
        self.json.begin_attribute(tag, VR::SQ);
        self.sequences.push(OpenSequence { tag, items: 0 });
    }

    pub(crate) fn begin_item(&mut self) {
        let level = self.level();
        let (scope, character_set, signed) = (level.scope, level.character_set, level.signed);
        if let Some(sequence) = self.sequences.last_mut() {
            self.json.raw(if sequence.items == 0 { ",\"Value\":[" } else { "," });
            let scope = scope.item(sequence.tag, sequence.items);
            sequence.items += 1;
            self.levels.push(Level { scope, character_set, signed });
        }
        self.json.begin_object();
    }

    pub(crate) fn end_item(&mut self) {
        self.levels.pop();
        self.end_object();
    }

    pub(crate) fn end_sequence(&mut self) {
        if self.sequences.pop().is_some_and(|sequence| sequence.items > 0) {
            self.json.raw("]");
        }
        self.json.end_attribute();
    }

    pub(crate) fn finish(mut self) -> DocumentParts {
        if !self.has_character_set {
            self.json.utf8_character_set();
        }
        self.end_object();
        DocumentParts {
            json: self.json.into_text(),
            specific_character_set: self.specific_character_set,
            facts: self.facts,
            bulk_data: self.bulk_data,
            warnings: self.warnings,
        }
    }

    fn end_object(&mut self) {
        if self.json.end_object() {
            self.warnings
                .add("elements are not in ascending order of tags, or some come twice: the first counts");
        }
    }

    fn level(&self) -> &Level {
        self.levels.last().expect("the root level is never closed")
    }

    fn level_mut(&mut self) -> &mut Level {
        self.levels.last_mut().expect("the root level is never closed")
    }

    /// Keeps what the index and the reading of later elements need.
    fn learn(&mut self, tag: u32, value: &Value<'_>) {
        if tag == tag::PIXEL_REPRESENTATION {
            self.level_mut().signed = value.numbers().first() == Some(&1.0);
        }
        let scope = self.level().scope;
        let is_uid = matches!(
            tag,
            tag::SOP_CLASS_UID | tag::SOP_INSTANCE_UID | tag::STUDY_INSTANCE_UID | tag::SERIES_INSTANCE_UID
        );
        if scope.wants(tag) && !self.facts.keep(scope, tag, value) && is_uid {
            self.contradictory_uid = Some(tag);
        }
    }

    fn character_set_element(&mut self, value: &Value<'_>) {
        // Whatever VR is stated: in Implicit VR it is this one.
        let text = Value { vr: VR::CS, ..*value }.text().unwrap_or_default();
        let parsed = CharacterSet::parse(&text);
        if self.is_root() {
            self.specific_character_set = text.chars().take(SPECIFIC_CHARACTER_SET_LENGTH_MAX).collect();
        }
        if parsed.has_unknown_term {
            self.warnings.add("Specific Character Set has a term that the Standard does not know");
        }
        self.level_mut().character_set = parsed.character_set;
        self.has_character_set |= self.is_root();
        self.json.utf8_character_set();
    }

    /// The object says that it is UTF-8 also when the data set did not name a character set.
    fn before_attribute(&mut self, tag: u32) {
        if tag > tag::SPECIFIC_CHARACTER_SET && !self.has_character_set && self.is_root() {
            self.has_character_set = true;
            self.json.utf8_character_set();
        }
    }

    fn write_reference(&mut self, tag: u32, vr: VR, range: ByteRange) {
        let path = self.path(tag);
        self.before_attribute(tag);
        self.json.begin_attribute(tag, vr);
        self.json.bulk_data_uri(&path);
        self.json.end_attribute();
        self.bulk_data_bytes += size_of::<BulkDataReference>() + path.capacity() + 8;
        self.bulk_data.push(BulkDataReference { path, vr: vr.to_string().to_owned(), range });
    }

    /// Tags and item numbers from the root, as in `00480105.0.00282000`.
    fn path(&self, tag: u32) -> String {
        let mut path = String::with_capacity(self.sequences.len() * 12 + 8);
        for sequence in &self.sequences {
            path.push_str(&crate::json::tag_text(sequence.tag));
            path.push('.');
            path.push_str(&(sequence.items.saturating_sub(1)).to_string());
            path.push('.');
        }
        path.push_str(&crate::json::tag_text(tag));
        path
    }

    fn warn_of_foreign_group(&mut self, tag: u32) {
        if tag as u16 != 0 && matches!(tag >> 16, 0 | 2) {
            self.warnings.add("command or file meta elements in the data set are left out");
        }
    }

    fn look_at_padding(&mut self, vr: VR, length: usize) {
        if !length.is_multiple_of(unit_size(vr)) {
            self.warnings.add("a value's length is no multiple of its unit: the rest is left out");
        } else if !length.is_multiple_of(2) {
            self.warnings.add("a value has an odd length");
        }
    }
}
