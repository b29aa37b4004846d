//! What a font has, and which fonts a text needs beside the shipped ones.

use std::{collections::BTreeSet, ops::RangeInclusive, sync::OnceLock};

use skrifa::{
    FontRef, MetadataProvider as _,
    attribute::{Style, Weight},
    raw::{FileRef, TableProvider as _, types::Tag},
    string::StringId,
};

use crate::{
    script::{is_private, is_unseen},
    words::is_break,
};

/// The fonts that are always there: Latin, Greek, Cyrillic, arrows, mathematical operators. See `fonts/OFL-1.1.txt`.
pub const SHIPPED: [&[u8]; 3] = [
    include_bytes!("../fonts/NotoSans-Regular.ttf"),
    include_bytes!("../fonts/NotoSans-Bold.ttf"),
    include_bytes!("../fonts/NotoSansMath-Regular.ttf"),
];

/// OS/2 fsType: nobody may embed it without the maker's word.
const RESTRICTED: u16 = 0x0002;

/// What is known of a font while its bytes are not in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Face {
    name: String,
    rank: u8,
    characters: Vec<RangeInclusive<u32>>,
}

impl Face {
    /// The first face of a file: none unless it is upright, of normal weight, made of outlines, and may be embedded.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let font = match FileRef::new(bytes).ok()? {
            FileRef::Font(font) => font,
            FileRef::Collection(fonts) => fonts.get(0).ok()?,
        };
        if !is_embeddable(&font) {
            return None;
        }
        let name = font.localized_strings(StringId::FAMILY_NAME).english_or_first()?.to_string();
        let characters = ranges(font.charmap().mappings().map(|(character, _)| character));
        (!characters.is_empty()).then(|| Self { rank: rank(&name), name, characters })
    }

    /// Whether it has the character.
    pub fn has(&self, character: char) -> bool {
        let code = u32::from(character);
        let after = self.characters.partition_point(|range| *range.end() < code);
        self.characters.get(after).is_some_and(|range| range.contains(&code))
    }
}

fn is_embeddable(font: &FontRef<'_>) -> bool {
    let has = |tag: &[u8; 4]| font.table_data(Tag::new(tag)).is_some();
    let attributes = font.attributes();
    let may = font.os2().is_ok_and(|os2| os2.fs_type() & RESTRICTED == 0);
    may && (has(b"glyf") || has(b"CFF ") || has(b"CFF2"))
        && attributes.weight == Weight::NORMAL
        && attributes.style == Style::Normal
}

/// Smaller is better: fonts without serifs go with the shipped one, and those of screens and programs do not.
fn rank(name: &str) -> u8 {
    let word = |words: &[&str]| name.split_whitespace().any(|part| words.contains(&part));
    if word(&["UI", "Mono", "Display", "Condensed"]) { 2 } else { u8::from(!word(&["Sans"])) }
}

fn ranges(characters: impl Iterator<Item = u32>) -> Vec<RangeInclusive<u32>> {
    let mut ranges: Vec<RangeInclusive<u32>> = Vec::new();
    for character in characters.collect::<BTreeSet<u32>>() {
        match ranges.last_mut() {
            Some(last) if *last.end() + 1 == character => *last = *last.start()..=character,
            _ => ranges.push(character..=character),
        }
    }
    ranges
}

/// Whether the shipped fonts lack something that the text has.
pub fn needs_fonts(text: &str) -> bool {
    text.chars().any(is_wanting)
}

/// Which of these fonts the text needs beside the shipped ones, the most useful first, and none of those that are refused.
/// What none of them has is left to [`crate::render`] to refuse.
pub fn choose(text: &str, faces: &[Face], refused: &BTreeSet<usize>) -> Vec<usize> {
    let mut wanted: BTreeSet<char> = text.chars().filter(|one| is_wanting(*one)).collect();
    let mut chosen = Vec::new();
    while !wanted.is_empty() {
        let useful = |face: &Face| wanted.iter().filter(|one| face.has(**one)).count();
        let allowed = faces.iter().enumerate().filter(|(index, _)| !refused.contains(index));
        let counted =
            allowed.map(|(index, face)| (useful(face), index, face)).filter(|(count, ..)| *count > 0);
        let best = counted.max_by(|(count, _, one), (other_count, _, other)| {
            // The smaller rank and the earlier name win, so that the same fonts give the same paper.
            count.cmp(other_count).then_with(|| (other.rank, &other.name).cmp(&(one.rank, &one.name)))
        });
        let Some((_, index, face)) = best else { break };
        wanted.retain(|one| !face.has(*one));
        chosen.push(index);
    }
    chosen
}

/// A character for which a text needs this font.
pub(crate) fn wanted_of(text: &str, face: &Face) -> Option<char> {
    text.chars().find(|one| is_wanting(*one) && face.has(*one))
}

fn is_wanting(character: char) -> bool {
    static FACES: OnceLock<Vec<Vec<RangeInclusive<u32>>>> = OnceLock::new();
    let shipped = FACES.get_or_init(|| {
        let fonts = SHIPPED.iter().filter_map(|bytes| FontRef::new(bytes).ok());
        fonts.map(|font| ranges(font.charmap().mappings().map(|(character, _)| character))).collect()
    });
    let code = u32::from(character);
    let is_shipped = shipped.iter().flatten().any(|range| range.contains(&code));
    !is_shipped && !is_unseen(character) && !is_private(character) && !is_break(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(name: &str, characters: &str) -> Face {
        Face { name: name.into(), rank: rank(name), characters: ranges(characters.chars().map(u32::from)) }
    }

    #[test]
    fn the_fewest_and_plainest_fonts_are_chosen() {
        let faces = [
            face("Old Serif", "עבאב"),
            face("Wide Sans", "עב"),
            face("Wide Sans UI", "עב"),
            face("Other Sans", "ا"),
            face("Both Mono", "عב"),
        ];
        let of = |text: &str| choose(text, &faces, &BTreeSet::new());
        assert_eq!(of("plain, ελληνικά, кириллица, ≥ →"), Vec::<usize>::new());
        assert_eq!(of("עב"), [1], "without serifs, and not for screens");
        assert_eq!(of("ابع").len(), 2, "what has most comes first, nothing has the third");
        assert_eq!(of("\u{e000}\u{200d}\n"), Vec::<usize>::new());
        assert_eq!(choose("עב", &faces, &BTreeSet::from([1])), [0], "the next best");
        assert_eq!(choose("עב", &faces, &(0..5).collect()), Vec::<usize>::new());
    }

    #[test]
    fn a_face_tells_what_it_has() {
        let face = Face::read(SHIPPED[0]).expect("a font");
        assert!(face.has('a') && face.has('ω') && face.has('Ж') && !face.has('ع') && !face.has('\0'));
        assert_eq!((face.name.as_str(), face.rank), ("Noto Sans", 0));
        assert_eq!(Face::read(SHIPPED[1]), None, "bold ones are for headings alone");
        assert_eq!(Face::read(b"no font"), None);
        assert_eq!(Face::read(&SHIPPED[0][..200]), None);
    }
}
