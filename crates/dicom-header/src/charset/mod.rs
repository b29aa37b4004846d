//! PS3.5 6.1 and PS3.3 C.12.1.1.2, Specific Character Set: bytes of text to UTF-8.

mod encode;
mod iso2022;
mod repertoire;

use std::borrow::Cow;

pub use encode::encode;
use repertoire::LowSet;

/// The character set of a data set or item, from its Specific Character Set (0008,0005).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CharacterSet(Coding);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Coding {
    /// No Specific Character Set: ISO 646, but see [`CharacterSet::decode`].
    Default,
    /// ISO_IR 192.
    Utf8,
    /// GB18030 and GBK, which may not be mixed with others.
    Whole(&'static encoding_rs::Encoding),
    /// Single-byte sets and code extensions (ISO 2022).
    Iso2022(iso2022::Initial),
}

/// What [`CharacterSet::parse`] made of a Specific Character Set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parsed {
    /// The character set, as far as it is known.
    pub character_set: CharacterSet,
    /// A term was not one of the Standard's.
    pub has_unknown_term: bool,
}

/// What separates values, because code extensions end there (PS3.5 6.1.2.5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// ST, LT, UT: one value in which a backslash is a character.
    Single,
    /// LO, SH, UC: values separated by backslashes.
    Multiple,
    /// PN: values, component groups and components.
    PersonName,
}

impl CharacterSet {
    /// The default repertoire (ISO_IR 6).
    pub const DEFAULT: Self = Self(Coding::Default);

    /// Reads the value of Specific Character Set: terms separated by backslashes. Misspelt terms (`ISO IR 100`,
    /// `iso-2022-ir-87`) are taken by their number.
    pub fn parse(value: &str) -> Parsed {
        let mut has_unknown_term = false;
        let mut initial: Option<iso2022::Initial> = None;
        for (index, term) in value.split('\\').enumerate() {
            match repertoire::term(term) {
                Some(repertoire::Term::Utf8) if index == 0 => {
                    return Parsed { character_set: Self(Coding::Utf8), has_unknown_term };
                }
                Some(repertoire::Term::Whole(encoding)) if index == 0 => {
                    return Parsed { character_set: Self(Coding::Whole(encoding)), has_unknown_term };
                }
                Some(repertoire::Term::Sets { low, high }) => match &mut initial {
                    None => initial = Some(iso2022::Initial { low, high }),
                    Some(known) if known.high.is_none() => known.high = high,
                    Some(_) => {}
                },
                Some(_) | None => has_unknown_term = true,
            }
        }
        let coding = match initial {
            Some(iso2022::Initial { low: LowSet::Ascii, high: None }) if !value.contains('\\') => {
                Coding::Default
            }
            Some(initial) => Coding::Iso2022(initial),
            None => Coding::Default,
        };
        Parsed { character_set: Self(coding), has_unknown_term }
    }

    /// Decodes `bytes`; what is no character of the set becomes U+FFFD.
    ///
    /// In the default repertoire bytes above 127 are not allowed; where they come all the same they are UTF-8 when
    /// they are valid UTF-8, and ISO 8859-1 otherwise.
    pub fn decode<'a>(&self, bytes: &'a [u8], text: Text) -> Cow<'a, str> {
        if bytes.is_ascii() && !bytes.contains(&iso2022::ESCAPE) {
            return String::from_utf8_lossy(bytes);
        }
        match self.0 {
            Coding::Utf8 => String::from_utf8_lossy(bytes),
            Coding::Whole(encoding) => encoding.decode_without_bom_handling(bytes).0,
            Coding::Iso2022(initial) => Cow::Owned(iso2022::decode(bytes, initial, text)),
            Coding::Default if bytes.contains(&iso2022::ESCAPE) => {
                Cow::Owned(iso2022::decode(bytes, iso2022::Initial::LATIN_1, text))
            }
            Coding::Default => match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => Cow::Owned(latin_1(bytes)),
            },
        }
    }
}

/// Decodes ISO 8859-1, in which every byte is a character.
pub fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(term: &str, bytes: &[u8], text: Text, expected: &str) {
        let parsed = CharacterSet::parse(term);
        assert!(!parsed.has_unknown_term, "{term}");
        assert_eq!(parsed.character_set.decode(bytes, text), expected, "{term}");
    }

    #[test]
    fn decodes_the_examples_of_the_standard() {
        // PS3.5 H.3.1, H.3.2, I.2, J.1 and J.2.
        check(
            "\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            Text::PersonName,
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        );
        check(
            "ISO 2022 IR 13\\ISO 2022 IR 87",
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
            Text::PersonName,
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
        );
        check(
            "\\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7",
            Text::PersonName,
            "Hong^Gildong=洪^吉洞",
        );
        check("ISO_IR 192", "Wang^XiaoDong=王^小東".as_bytes(), Text::PersonName, "Wang^XiaoDong=王^小東");
        check("GB18030", b"Wang=\xcd\xf5^\xd0\xa1\xb6\xab", Text::PersonName, "Wang=王^小东");
        check("\\ISO 2022 IR 58", b"Z=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1", Text::PersonName, "Z=张^小");
        check("\\ISO 2022 IR 159", b"\x1b$(D\x30\x21\x1b(B", Text::Single, "丂");
    }

    #[test]
    fn decodes_every_part_of_iso_8859() {
        for (term, bytes, expected) in [
            ("ISO_IR 100", &b"\xc4"[..], "Ä"),
            ("ISO_IR 101", b"\xb3", "ł"),
            ("ISO_IR 109", b"\xa1", "Ħ"),
            ("ISO_IR 110", b"\xbf", "ŋ"),
            ("ISO_IR 144", b"\xbb\xee", "Лю"),
            ("ISO_IR 127", b"\xe2", "ق"),
            ("ISO_IR 126", b"\xc4", "Δ"),
            ("ISO_IR 138", b"\xf9", "ש"),
            ("ISO_IR 148", b"\xfe", "ş"),
            ("ISO_IR 203", b"\xa4", "€"),
            ("ISO_IR 166", b"\xa1", "ก"),
            ("ISO_IR 13", b"\xb1", "ｱ"),
        ] {
            check(term, bytes, Text::Multiple, expected);
        }
    }

    #[test]
    fn a_backslash_inside_a_double_byte_character_separates_nothing() {
        // 0x815C in GBK.
        check("GBK", b"\x81\x5c\\x", Text::Multiple, "乗\\x");
    }

    #[test]
    fn switches_back_at_separators() {
        check("ISO 2022 IR 6\\ISO 2022 IR 100", b"A\x1b-F\xc4^\xc4", Text::PersonName, "AΔ^Ä");
        check("ISO 2022 IR 100\\ISO 2022 IR 126", b"\xc4\x1b-F\xc4\\\xc4", Text::Multiple, "ÄΔ\\Ä");
        check("ISO 2022 IR 100\\ISO 2022 IR 126", b"\x1b-F\xc4\\\xc4\n\xc4", Text::Single, "Δ\\Δ\nÄ");
    }

    #[test]
    fn takes_wrong_terms_and_wrong_bytes() {
        assert_eq!(
            CharacterSet::parse("iso-ir-100").character_set,
            CharacterSet::parse("ISO_IR 100").character_set
        );
        assert_eq!(CharacterSet::parse("").character_set, CharacterSet::DEFAULT);
        let unknown = CharacterSet::parse("KOI8");
        assert!(unknown.has_unknown_term);
        assert_eq!(unknown.character_set.decode(b"\xc4", Text::Single), "Ä");
        assert_eq!(unknown.character_set.decode("Ä".as_bytes(), Text::Single), "Ä");
        check("\\ISO 2022 IR 87", b"\x1b$B;", Text::Single, "\u{fffd}");
        check("\\ISO 2022 IR 149", b"\x1b$)C\xfb", Text::Single, "\u{fffd}");
        check("ISO_IR 100", b"a\x1bzb", Text::Single, "a\u{1b}zb");
    }
}
