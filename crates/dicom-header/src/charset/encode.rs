//! PS3.5 6.1: UTF-8 to the bytes of a character set, for answers to peers that may know no other than their own.

use encoding_rs::{Encoding, ISO_2022_JP};

use super::{
    CharacterSet, Coding, Text,
    iso2022::{ESCAPE, is_separator},
    repertoire::{self, HighSet, Term},
};

/// Encodes `text` in the character set that a value of Specific Character Set names; `None` when it has characters that
/// are not in it, or only behind escape sequences other than those of JIS X 0208 and, where value 1 has no such set, of single-byte sets.
#[must_use]
pub fn encode(specific_character_set: &str, text: &str) -> Option<Vec<u8>> {
    if text.is_ascii() {
        return Some(text.as_bytes().to_vec());
    }
    let parsed = CharacterSet::parse(specific_character_set);
    if parsed.has_unknown_term {
        return None;
    }
    match parsed.character_set.0 {
        Coding::Default => None,
        Coding::Utf8 => Some(text.as_bytes().to_vec()),
        Coding::Whole(encoding) => whole(encoding, text),
        Coding::Iso2022(_) => iso_2022(specific_character_set, text),
    }
}

/// PS3.5 6.1.2.5: the code elements of value 1 are active at the beginning and behind every delimiter, and stand without escape
/// sequences; those of other values behind theirs.
fn iso_2022(specific_character_set: &str, text: &str) -> Option<Vec<u8>> {
    let mut high_sets = specific_character_set.split('\\').map(|value| match repertoire::term(value) {
        Some(Term::Sets { high, .. }) => high,
        _ => None,
    });
    let first = high_sets.next().flatten();
    let single = match first {
        Some(high) => single_bytes(high, text),
        None => high_sets.flatten().find_map(|high| designated(high, text)),
    };
    // What value 1 has as G0: JIS X 0201 Romaji beside its katakana, else ASCII.
    let low = if first == Some(HighSet::Katakana) { b'J' } else { b'B' };
    single.or_else(|| specific_character_set.contains("IR 87").then(|| japanese(text, low)).flatten())
}

/// In a G1 set that is not value 1's: it is forgotten at every delimiter (PS3.5 6.1.2.5.3). Where one is none in this VR the sequence
/// stands once more than it has to.
fn designated(high: HighSet, text: &str) -> Option<Vec<u8>> {
    let designation = high.designation()?;
    let mut bytes = Vec::with_capacity(text.len() + designation.len());
    let mut is_active = false;
    for byte in single_bytes(high, text)? {
        if is_separator(byte, Text::PersonName) {
            is_active = false;
        } else if byte >= 0x80 && !is_active {
            bytes.extend_from_slice(&designation);
            is_active = true;
        }
        bytes.push(byte);
    }
    Some(bytes)
}

fn whole(encoding: &'static Encoding, text: &str) -> Option<Vec<u8>> {
    let (bytes, used, unmappable) = encoding.encode(text);
    (used == encoding && !unmappable).then(|| bytes.into_owned())
}

fn single_bytes(high: HighSet, text: &str) -> Option<Vec<u8>> {
    match high {
        HighSet::Latin1 => text
            .chars()
            .map(|character| {
                u8::try_from(u32::from(character)).ok().filter(|byte| !(0x80..0xA0).contains(byte))
            })
            .collect(),
        // C1 controls are in none of them, whatever the encodings of the web have put there.
        HighSet::Single(encoding) => {
            whole(encoding, text).filter(|bytes| !bytes.iter().any(|byte| (0x80..0xA0).contains(byte)))
        }
        HighSet::Katakana => text
            .chars()
            .map(|character| match u32::from(character) {
                code @ 0x20..=0x7E => Some(code as u8),
                code @ 0xFF61..=0xFF9F => Some((code - 0xFF61) as u8 + 0xA1),
                _ => None,
            })
            .collect(),
        HighSet::KsX1001 | HighSet::Gb2312 => None,
    }
}

/// JIS X 0208 behind its escape sequence, and `low`, which ends the sequence of value 1's G0, before every separator (PS3.5 H.3).
/// The encoder of the web writes katakana of half width as those of full width, and some signs as others that look alike: a name
/// that reads back as another one is not in the set.
fn japanese(text: &str, low: u8) -> Option<Vec<u8>> {
    let mut bytes = whole(ISO_2022_JP, text)?;
    let reads_back = {
        let (read_back, had_errors) = ISO_2022_JP.decode_without_bom_handling(&bytes);
        !had_errors && read_back == text
    };
    let allowed = |rest: &[u8]| matches!(rest, [b'(' | b'$', b'B', ..]);
    let mut escapes = bytes.iter().enumerate().filter(|(_, byte)| **byte == ESCAPE);
    if !reads_back || !escapes.all(|(at, _)| allowed(&bytes[at + 1..])) {
        return None;
    }
    for at in 2..bytes.len() {
        if bytes[at - 2..].starts_with(&[ESCAPE, b'(', b'B']) {
            bytes[at] = low;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_decodes_to_the_same() {
        for (term, text) in [
            ("", "Doe^Jane"),
            ("ISO_IR 192", "山田^太郎"),
            ("ISO_IR 100", "Müller^Zoë"),
            ("ISO 2022 IR 6\\ISO 2022 IR 100", "Müller^Zoë"),
            ("ISO_IR 101", "Łukasz"),
            ("ISO_IR 144", "Люкceмбypг"),
            ("ISO_IR 126", "Διονυσιος"),
            ("ISO_IR 148", "Çavuşoğlu"),
            ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
            ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
            ("ISO 2022 IR 13\\ISO 2022 IR 87", "ヤマダ^タロウ=山田^太郎=やまだ^たろう"),
            ("GB18030", "Wang=王^小东"),
            ("GBK", "Wang=王^小东"),
        ] {
            let bytes = encode(term, text).unwrap_or_else(|| panic!("{term}: {text}"));
            let character_set = CharacterSet::parse(term).character_set;
            assert_eq!(character_set.decode(&bytes, Text::PersonName), text, "{term}");
        }
    }

    /// PS3.5 6.1.2.5.2 and .3, H.3.1, H.3.2. The rule of pydicom is the same: each component of a name by itself, in the first set that
    /// has all of it, behind the set's escape sequence unless it is that of value 1; behind JIS X 0208 the sequence of value 1.
    #[test]
    fn sets_other_than_that_of_value_1_stand_behind_their_escape_sequences() {
        for (term, text, expected) in [
            ("\\ISO 2022 IR 100", "Müüller^Zoë=X", &b"M\x1b-A\xfc\xfcller^Zo\x1b-A\xeb=X"[..]),
            ("ISO 2022 IR 6\\ISO 2022 IR 100", "a\\é\r\né", b"a\\\x1b-A\xe9\r\n\x1b-A\xe9"),
            ("\\ISO 2022 IR 100\\ISO 2022 IR 126", "ΑΒ^Γ", b"\x1b-F\xc1\xc2^\x1b-F\xc3"),
            ("\\ISO 2022 IR 166", "ก", b"\x1b-T\xa1"),
            ("\\ISO 2022 IR 13", "ﾔﾏ^ﾀ", b"\x1b)I\xd4\xcf^\x1b)I\xc0"),
            // Value 1's own stand alone.
            ("ISO_IR 100", "Müller^Zoë", b"M\xfcller^Zo\xeb"),
            ("ISO 2022 IR 100\\ISO 2022 IR 126", "Müller^Zoë", b"M\xfcller^Zo\xeb"),
            ("ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ^ﾀﾛｳ", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3"),
            // Back to value 1's G0 before a delimiter.
            ("\\ISO 2022 IR 87", "Y=山田^太郎", b"Y=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
            ("ISO 2022 IR 13\\ISO 2022 IR 87", "Y=山田^太郎", b"Y=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J"),
        ] {
            let bytes = encode(term, text);
            assert_eq!(bytes.as_deref(), Some(expected), "{term}: {text}");
            let character_set = CharacterSet::parse(term).character_set;
            assert_eq!(character_set.decode(expected, Text::PersonName), text, "{term}");
        }
    }

    #[test]
    fn what_a_set_does_not_have_is_not_encoded() {
        for (term, text) in [
            ("", "Müller"),
            ("KOI8", "Müller"),
            ("ISO_IR 100", "山田"),
            ("ISO_IR 100", "\u{85}"),
            ("ISO_IR 101", "é山"),
            ("ISO_IR 13", "山田"),
            ("ISO 2022 IR 6\\ISO 2022 IR 149", "洪"),
            ("ISO 2022 IR 100\\ISO 2022 IR 126", "ΑΒ"),
            ("\\ISO 2022 IR 100\\ISO 2022 IR 126", "äΑ"),
            ("\\ISO 2022 IR 87", "Wang=王^小东"),
            // Katakana of half width, and the minus sign.
            ("ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎"),
            ("\\ISO 2022 IR 87", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎"),
            ("\\ISO 2022 IR 87", "山田\u{2212}太郎"),
        ] {
            assert_eq!(encode(term, text), None, "{term}: {text}");
        }
    }
}
