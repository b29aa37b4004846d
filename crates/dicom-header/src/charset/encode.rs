//! PS3.5 6.1: UTF-8 to the bytes of a character set, for answers to peers that may know no other than their own.

use encoding_rs::{Encoding, ISO_2022_JP};

use super::{CharacterSet, Coding, iso2022::ESCAPE, repertoire::HighSet};

/// Encodes `text` in the character set that a value of Specific Character Set names; `None` when it has characters that
/// are not in it, or only behind escape sequences other than those of JIS X 0208.
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
        Coding::Iso2022(initial) => initial
            .high
            .and_then(|high| single_bytes(high, text))
            .or_else(|| specific_character_set.contains("IR 87").then(|| japanese(text)).flatten()),
    }
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

/// JIS X 0208 behind its escape sequence, and ASCII before every separator (PS3.5 H.3). The encoder of the web writes
/// katakana of half width as those of full width, and some signs as others that look alike: a name that reads back as
/// another one is not in the set.
fn japanese(text: &str) -> Option<Vec<u8>> {
    let bytes = whole(ISO_2022_JP, text)?;
    let (read_back, had_errors) = ISO_2022_JP.decode_without_bom_handling(&bytes);
    if had_errors || read_back != text {
        return None;
    }
    let allowed = |rest: &[u8]| matches!(rest, [b'(' | b'$', b'B', ..]);
    let escapes = bytes.iter().enumerate().filter(|(_, byte)| **byte == ESCAPE);
    escapes.map(|(at, _)| &bytes[at + 1..]).all(allowed).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{super::Text, *};

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
