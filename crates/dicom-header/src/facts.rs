//! Values of the few attributes that the index and the pixel module need, kept as they stream by.

use std::borrow::Cow;

use dicom_core::VR;

use crate::{
    dictionary::vr_of_tag,
    element::is_binary,
    limits::INDEX_TEXT_MAX_CHARACTERS,
    scope::Scope,
    value::{Value, is_multiple, is_text, trim},
};

/// A kept value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact {
    /// Text in UTF-8 without padding and control characters; several values are separated by backslashes.
    Text(String),
    /// Binary numbers.
    Numbers(Vec<f64>),
    /// A look-up or offset table, little endian.
    Table(Vec<u8>),
}

impl Fact {
    /// Reads what the value is kept as.
    fn read(scope: Scope, tag: u32, value: &Value<'_>) -> Self {
        let bytes = value.little_endian();
        if scope.value_max_bytes(tag).is_some() {
            return Self::Table(bytes.into_owned());
        }
        let as_meant =
            vr_as_meant(tag, value.vr).map(|vr| Value { vr, bytes: &bytes, big_endian: false, ..*value });
        let value = as_meant.as_ref().unwrap_or(value);
        match value.text_as_found() {
            Some(text) => Self::Text(clean(value.vr, &text)),
            None if is_binary(value.vr) => {
                // A known attribute as raw bytes: its numbers are 16-bit ones wherever the index wants numbers.
                Self::Numbers(Value { vr: VR::US, ..*value }.numbers())
            }
            None => Self::Numbers(value.numbers()),
        }
    }

    fn memory_bytes(&self) -> usize {
        size_of::<(Scope, u32, Self)>()
            + match self {
                Self::Text(text) => text.capacity(),
                Self::Numbers(numbers) => numbers.capacity() * size_of::<f64>(),
                Self::Table(bytes) => bytes.capacity(),
            }
    }
}

/// The dictionary's VR of an attribute that is text, whatever its element states: what is found and whose it is must not depend on
/// whether the instance came with VRs. Text that only holds a number may have been written as one.
fn vr_as_meant(tag: u32, stated: VR) -> Option<VR> {
    let vr = vr_of_tag(tag).filter(|vr| is_text(*vr))?;
    (is_text(stated) || !matches!(vr, VR::DS | VR::IS)).then_some(vr)
}

/// Padding around each value and control characters go: they are no content, and NUL fits into no database.
fn clean(vr: VR, text: &str) -> String {
    // A UID with control characters inside must stay what it is: no UID.
    let visible = |character: &char| vr == VR::UI || !character.is_control();
    let part = |part: &str| trim(vr, part).trim_matches(' ').to_owned();
    let joined: Cow<'_, str> = if is_multiple(vr) {
        text.split('\\').map(part).collect::<Vec<_>>().join("\\").into()
    } else {
        part(text).into()
    };
    joined.chars().filter(visible).take(INDEX_TEXT_MAX_CHARACTERS).collect()
}

/// All kept values of one data set.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    values: Vec<(Scope, u32, Fact)>,
    memory_bytes: usize,
}

impl Facts {
    /// Keeps a value; the first one stays when there are two. False when a different one is there already.
    pub(crate) fn keep(&mut self, scope: Scope, tag: u32, value: &Value<'_>) -> bool {
        let fact = Fact::read(scope, tag, value);
        if let Some(known) = self.get(scope, tag) {
            return *known == fact;
        }
        self.memory_bytes += fact.memory_bytes();
        self.values.push((scope, tag, fact));
        true
    }

    pub(crate) fn get(&self, scope: Scope, tag: u32) -> Option<&Fact> {
        self.values.iter().find(|value| value.0 == scope && value.1 == tag).map(|value| &value.2)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// The text of an attribute; `None` when absent or empty.
    pub(crate) fn text(&self, scope: Scope, tag: u32) -> Option<&str> {
        match self.get(scope, tag) {
            Some(Fact::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The numbers of an attribute, whether its VR is text or binary; what is no number is left out.
    pub(crate) fn numbers(&self, scope: Scope, tag: u32) -> Vec<f64> {
        match self.get(scope, tag) {
            Some(Fact::Numbers(numbers)) => {
                numbers.iter().copied().filter(|number| number.is_finite()).collect()
            }
            Some(Fact::Text(text)) => text
                .split('\\')
                .filter_map(|part| part.trim().parse().ok())
                .filter(|number: &f64| number.is_finite())
                .collect(),
            Some(Fact::Table(_)) | None => Vec::new(),
        }
    }

    /// The first number of an attribute as an integer.
    pub(crate) fn integer(&self, scope: Scope, tag: u32) -> Option<i64> {
        match self.get(scope, tag)? {
            Fact::Text(text) => {
                let first = text.split('\\').next()?.trim();
                first.parse().ok().or_else(|| first.parse::<f64>().ok().and_then(whole))
            }
            Fact::Numbers(numbers) => whole(*numbers.first()?),
            Fact::Table(_) => None,
        }
    }

    /// The bytes of a table.
    pub(crate) fn table(&self, scope: Scope, tag: u32) -> Option<&[u8]> {
        match self.get(scope, tag) {
            Some(Fact::Table(bytes)) => Some(bytes),
            _ => None,
        }
    }
}

fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{charset::CharacterSet, tag};

    /// Implicit VR has only the dictionary's.
    #[test]
    fn a_stated_vr_changes_no_text_that_is_indexed() {
        let character_set = CharacterSet::parse("ISO_IR 100").character_set;
        let read = |tag, vr, bytes, big_endian| {
            Fact::read(Scope::Root, tag, &Value { vr, bytes, big_endian, character_set })
        };
        let date = read(tag::PATIENT_BIRTH_DATE, VR::DA, b"19\xb5", false);
        assert_eq!(read(tag::PATIENT_BIRTH_DATE, VR::LO, b"19\xb5", false), date);
        // Wrong, and seen: a code string in the character set.
        let greek = CharacterSet::parse("ISO_IR 126").character_set;
        let part = |vr| {
            Fact::read(
                Scope::Root,
                tag::BODY_PART_EXAMINED,
                &Value { vr, bytes: b"\xe1", big_endian: false, character_set: greek },
            )
        };
        assert_eq!(
            (part(VR::CS), part(VR::LO)),
            (Fact::Text("\u{3b1}".to_owned()), Fact::Text("\u{3b1}".to_owned()))
        );
        let id = Fact::Text("AB".to_owned());
        for vr in [VR::LO, VR::ST, VR::UN, VR::US] {
            assert_eq!(read(tag::PATIENT_ID, vr, b"AB", false), id, "{vr}");
        }
        assert_eq!(read(tag::PATIENT_ID, VR::US, b"BA", true), id);
        assert_eq!(read(tag::PATIENT_ID, VR::AT, b"BADC", true), Fact::Text("ABCD".to_owned()));
        assert_eq!(read(tag::INSTANCE_NUMBER, VR::US, &[7, 0], false), Fact::Numbers(vec![7.0]));
    }

    #[test]
    fn index_text_is_clean() {
        assert_eq!(clean(VR::LO, " a\u{1b}\0b \\ c "), "ab\\c");
        assert_eq!(clean(VR::UI, "1.\u{0}2\0"), "1.\u{0}2");
        assert_eq!(clean(VR::LO, &"x".repeat(5000)).len(), INDEX_TEXT_MAX_CHARACTERS);
    }
}
