//! PS3.3 tables C.12-2 to C.12-5: defined terms, their code elements and how their bytes decode.

use encoding_rs::{
    EUC_JP, EUC_KR, Encoding, GB18030, GBK, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5, ISO_8859_6,
    ISO_8859_7, ISO_8859_8, ISO_8859_15, WINDOWS_874, WINDOWS_1254,
};

use super::iso2022::ESCAPE;

/// What bytes 0x21 to 0x7E mean (code element G0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LowSet {
    /// ISO 646, also JIS X 0201 Romaji: its yen sign is DICOM's backslash.
    Ascii,
    /// JIS X 0208, two bytes.
    JisX0208,
    /// JIS X 0212, two bytes.
    JisX0212,
}

/// What bytes 0xA0 to 0xFF mean (code element G1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum HighSet {
    /// ISO 8859-1.
    Latin1,
    /// Another single-byte set.
    Single(&'static Encoding),
    /// JIS X 0201 Katakana.
    Katakana,
    /// KS X 1001, two bytes.
    KsX1001,
    /// GB 2312, two bytes.
    Gb2312,
}

/// What one term of Specific Character Set stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Term {
    Utf8,
    Whole(&'static Encoding),
    Sets { low: LowSet, high: Option<HighSet> },
}

/// Reads a term; an empty one is the default repertoire.
pub(super) fn term(term: &str) -> Option<Term> {
    let term = term.trim_matches([' ', '\0']).to_ascii_uppercase();
    match term.as_str() {
        "" => return Some(Term::Sets { low: LowSet::Ascii, high: None }),
        "GB18030" => return Some(Term::Whole(GB18030)),
        "GBK" => return Some(Term::Whole(GBK)),
        "UTF-8" | "UTF8" => return Some(Term::Utf8),
        _ => {}
    }
    let number = term.strip_prefix("ISO")?.rsplit(|character: char| !character.is_ascii_digit()).next()?;
    let high = match number.parse().ok()? {
        192 => return Some(Term::Utf8),
        6 | 14 | 87 | 159 => None,
        number => Some(high_set(number)?),
    };
    Some(Term::Sets { low: LowSet::Ascii, high })
}

fn high_set(iso_ir: u16) -> Option<HighSet> {
    Some(match iso_ir {
        100 => HighSet::Latin1,
        101 => HighSet::Single(ISO_8859_2),
        109 => HighSet::Single(ISO_8859_3),
        110 => HighSet::Single(ISO_8859_4),
        144 => HighSet::Single(ISO_8859_5),
        127 => HighSet::Single(ISO_8859_6),
        126 => HighSet::Single(ISO_8859_7),
        138 => HighSet::Single(ISO_8859_8),
        148 => HighSet::Single(WINDOWS_1254),
        203 => HighSet::Single(ISO_8859_15),
        166 => HighSet::Single(WINDOWS_874),
        13 => HighSet::Katakana,
        149 => HighSet::KsX1001,
        58 => HighSet::Gb2312,
        _ => return None,
    })
}

/// A code element that an escape sequence switches on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum CodeElement {
    Low(LowSet),
    High(HighSet),
}

/// Reads the escape sequence at the start of `bytes`; also gives its length.
pub(super) fn escape(bytes: &[u8]) -> Option<(CodeElement, usize)> {
    use CodeElement::{High, Low};
    Some(match bytes {
        [0x1b, b'(', b'B' | b'J', ..] => (Low(LowSet::Ascii), 3),
        [0x1b, b'$', b'@' | b'B', ..] => (Low(LowSet::JisX0208), 3),
        [0x1b, b'$', b'(', b'D', ..] => (Low(LowSet::JisX0212), 4),
        [0x1b, b')', b'I', ..] => (High(HighSet::Katakana), 3),
        [0x1b, b'$', b')', b'C', ..] => (High(HighSet::KsX1001), 4),
        [0x1b, b'$', b')', b'A', ..] => (High(HighSet::Gb2312), 4),
        [0x1b, b'-', last, ..] => {
            let iso_ir = match last {
                b'A' => 100,
                b'B' => 101,
                b'C' => 109,
                b'D' => 110,
                b'L' => 144,
                b'G' => 127,
                b'F' => 126,
                b'H' => 138,
                b'M' => 148,
                b'b' => 203,
                b'T' => 166,
                _ => return None,
            };
            (High(high_set(iso_ir)?), 3)
        }
        _ => return None,
    })
}

impl LowSet {
    /// Decodes one two-byte character.
    pub(super) fn decode_pair(self, first: u8, second: u8, out: &mut String) {
        let (first, second) = (first | 0x80, second | 0x80);
        match self {
            Self::JisX0212 => push_decoded(EUC_JP, &[0x8f, first, second], out),
            Self::JisX0208 | Self::Ascii => push_decoded(EUC_JP, &[first, second], out),
        }
    }
}

impl HighSet {
    /// The escape sequence that makes it G1; none of the sets of two bytes, which nobody here writes.
    pub(super) fn designation(self) -> Option<[u8; 3]> {
        let parts = b"ABCDLGFHMbT".iter().map(|last| [ESCAPE, b'-', *last]);
        let mut known = parts.chain([[ESCAPE, b')', b'I']]);
        known.find(|sequence| escape(sequence) == Some((CodeElement::High(self), sequence.len())))
    }

    pub(super) fn is_double_byte(self) -> bool {
        matches!(self, Self::KsX1001 | Self::Gb2312)
    }

    /// Decodes one character of one or two bytes, as [`Self::is_double_byte`] says.
    pub(super) fn decode(self, bytes: &[u8], out: &mut String) {
        match (self, bytes) {
            // C1 controls are the same in all parts of ISO 8859, and no text.
            (_, &[byte @ 0x80..=0x9f]) | (Self::Latin1, &[byte]) => out.push(char::from(byte)),
            (Self::Katakana, &[byte @ 0xa1..=0xdf]) => {
                out.push(
                    char::from_u32(0xff61 + u32::from(byte - 0xa1)).unwrap_or(char::REPLACEMENT_CHARACTER),
                );
            }
            (Self::Single(encoding), bytes) => push_decoded(encoding, bytes, out),
            (Self::KsX1001, bytes) => push_decoded(EUC_KR, bytes, out),
            (Self::Gb2312, bytes) => push_decoded(GBK, bytes, out),
            (Self::Latin1 | Self::Katakana, _) => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
}

fn push_decoded(encoding: &'static Encoding, bytes: &[u8], out: &mut String) {
    match encoding.decode_without_bom_handling_and_without_replacement(bytes) {
        Some(text) => out.push_str(&text),
        None => out.push(char::REPLACEMENT_CHARACTER),
    }
}
