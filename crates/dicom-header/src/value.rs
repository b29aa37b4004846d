//! PS3.5 6.2: one value of one element, with the padding and the number formats taken care of.

use std::borrow::Cow;

use dicom_core::VR;

use crate::charset::{CharacterSet, Text, latin_1};

/// The bytes of a value and how to read them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) vr: VR,
    pub(crate) bytes: &'a [u8],
    pub(crate) big_endian: bool,
    pub(crate) character_set: CharacterSet,
}

/// Begins an escape sequence (PS3.5 6.1.2.5).
const ESCAPE: u8 = 0x1b;

/// How a VR separates and decodes text; `None` when it is no text.
fn text_kind(vr: VR) -> Option<Text> {
    match vr {
        VR::LT | VR::ST | VR::UT | VR::UR => Some(Text::Single),
        VR::PN => Some(Text::PersonName),
        VR::AE
        | VR::AS
        | VR::CS
        | VR::DA
        | VR::DS
        | VR::DT
        | VR::IS
        | VR::LO
        | VR::SH
        | VR::TM
        | VR::UC
        | VR::UI => Some(Text::Multiple),
        _ => None,
    }
}

/// True for the VRs whose values are characters.
pub(crate) fn is_text(vr: VR) -> bool {
    text_kind(vr).is_some()
}

/// VRs to which Specific Character Set applies (PS3.5 6.1.2.3).
fn has_character_set(vr: VR) -> bool {
    matches!(vr, VR::LO | VR::LT | VR::PN | VR::SH | VR::ST | VR::UC | VR::UT)
}

/// True when a backslash in the text separates values.
pub(crate) fn is_multiple(vr: VR) -> bool {
    matches!(text_kind(vr), Some(Text::Multiple | Text::PersonName))
}

/// Drops the padding of one text value: trailing spaces and NULs, for AE also leading spaces (PS3.5 6.2).
pub(crate) fn trim(vr: VR, text: &str) -> &str {
    let text = text.trim_end_matches([' ', '\0']);
    if matches!(vr, VR::AE | VR::DS | VR::IS) { text.trim_start_matches(' ') } else { text }
}

impl<'a> Value<'a> {
    /// The text, not yet split; `None` when the VR is no text.
    pub(crate) fn text(&self) -> Option<Cow<'a, str>> {
        let kind = text_kind(self.vr)?;
        Some(if has_character_set(self.vr) {
            self.character_set.decode(self.bytes, kind)
        } else if self.bytes.is_ascii() {
            String::from_utf8_lossy(self.bytes)
        } else {
            Cow::Owned(latin_1(self.bytes))
        })
    }

    /// The same, where bytes that are no text of the default repertoire are in the character set of the data set, although the VR
    /// allows none.
    pub(crate) fn text_as_found(&self) -> Option<Cow<'a, str>> {
        let kind = text_kind(self.vr)?;
        let is_plain = self.vr == VR::UI || (self.bytes.is_ascii() && !self.bytes.contains(&ESCAPE));
        if is_plain { self.text() } else { Some(self.character_set.decode(self.bytes, kind)) }
    }

    /// The value's numbers, in whichever way the VR writes them; what is no number is NaN.
    pub(crate) fn numbers(&self) -> Vec<f64> {
        match self.vr {
            VR::DS | VR::IS => match self.text() {
                Some(text) => {
                    text.split('\\').map(|part| trim(self.vr, part).parse().unwrap_or(f64::NAN)).collect()
                }
                None => Vec::new(),
            },
            _ => {
                let mut numbers = Vec::new();
                self.each_number(|number| numbers.push(number.as_f64()));
                numbers
            }
        }
    }

    /// Gives the binary numbers one by one; bytes that make no whole number are dropped.
    pub(crate) fn each_number(&self, mut take: impl FnMut(Number)) {
        macro_rules! each {
            ($type:ty, $size:literal, $wrap:expr) => {
                for chunk in self.bytes.as_chunks::<$size>().0 {
                    let number = if self.big_endian {
                        <$type>::from_be_bytes(*chunk)
                    } else {
                        <$type>::from_le_bytes(*chunk)
                    };
                    take($wrap(number));
                }
            };
        }
        match self.vr {
            VR::US => each!(u16, 2, |number| Number::Integer(i64::from(number))),
            VR::SS => each!(i16, 2, |number| Number::Integer(i64::from(number))),
            VR::UL => each!(u32, 4, |number| Number::Integer(i64::from(number))),
            VR::SL => each!(i32, 4, |number| Number::Integer(i64::from(number))),
            VR::SV => each!(i64, 8, Number::Integer),
            VR::UV => each!(u64, 8, Number::Unsigned),
            VR::FL => each!(f32, 4, |number| Number::Float(f64::from(number))),
            VR::FD => each!(f64, 8, Number::Float),
            _ => {}
        }
    }

    /// The bytes in little endian, in which JSON and look-up tables have them (PS3.18 F.2.7).
    pub(crate) fn little_endian(&self) -> Cow<'a, [u8]> {
        let size = crate::element::word_size(self.vr);
        if !self.big_endian || size == 1 {
            return Cow::Borrowed(self.bytes);
        }
        let mut bytes = self.bytes.to_vec();
        for unit in bytes.chunks_exact_mut(size) {
            unit.reverse();
        }
        Cow::Owned(bytes)
    }
}

/// A binary number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Integer(i64),
    Unsigned(u64),
    Float(f64),
}

impl Number {
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Integer(number) => number as f64,
            Self::Unsigned(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}
