//! Which script a character is of, and which package of Debian has a font for it.

use std::fmt;

use icu_properties::{
    CodePointMapData, CodePointSetData, PropertyNamesLong,
    props::{BidiClass, DefaultIgnorableCodePoint, GeneralCategory, Script},
};

/// A script of which a character has no font.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingScript {
    name: &'static str,
    package: Option<&'static str>,
}

impl MissingScript {
    /// That of a character.
    pub fn of(character: char) -> Self {
        let script = CodePointMapData::<Script>::new().get(character);
        match script {
            _ if is_private(character) => {
                Self { name: "no script (private use or unassigned)", package: None }
            }
            Script::Common | Script::Inherited => Self { name: "symbols", package: Some("fonts-symbola") },
            Script::Han | Script::Hiragana | Script::Katakana | Script::Hangul | Script::Bopomofo => {
                Self { name: long_name(script), package: Some("fonts-noto-cjk") }
            }
            _ => Self { name: long_name(script), package: Some("fonts-noto-core") },
        }
    }

    /// The script's name as Unicode writes it: `Arabic`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The package of Debian that has a font for it; none for characters that mean nothing by themselves.
    pub fn package(self) -> Option<&'static str> {
        self.package
    }
}

impl fmt::Display for MissingScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

fn long_name(script: Script) -> &'static str {
    PropertyNamesLong::<Script>::new().get(script).unwrap_or("an unknown script")
}

/// What it looks like is up to each font, so no font is the right one.
pub fn is_private(character: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    matches!(category, GeneralCategory::PrivateUse | GeneralCategory::Unassigned | GeneralCategory::Surrogate)
}

/// Characters that are not seen: joiners, directions, selectors.
pub fn is_unseen(character: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

/// Letters that are written from right to left. Marks of direction are none, though they count as such (UAX 9, 3.2).
pub fn is_right_to_left(character: char) -> bool {
    let class = CodePointMapData::<BidiClass>::new().get(character);
    matches!(class, BidiClass::RightToLeft | BidiClass::ArabicLetter) && !is_unseen(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_script_has_a_name_and_a_package() {
        let of = |character| {
            let missing = MissingScript::of(character);
            (missing.name(), missing.package())
        };
        assert_eq!(of('ع'), ("Arabic", Some("fonts-noto-core")));
        assert_eq!(of('薬'), ("Han", Some("fonts-noto-cjk")));
        assert_eq!(of('약'), ("Hangul", Some("fonts-noto-cjk")));
        assert_eq!(of('☤'), ("symbols", Some("fonts-symbola")));
        assert_eq!(of('\u{e000}').1, None);
        assert_eq!(of('\u{378}').1, None);
        assert!(is_unseen('\u{200d}') && !is_unseen('a'));
    }

    #[test]
    fn letters_and_not_marks_go_from_right_to_left() {
        assert!(['ע', 'ع', 'ߊ'].into_iter().all(is_right_to_left));
        assert!(!['a', '5', '٥', 'ω', '\u{200f}', '\u{61c}', '\u{202e}'].into_iter().any(is_right_to_left));
    }
}
