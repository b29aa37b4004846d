//! Text as lines of glyphs: fonts, shaping, direction and where a line may break (UAX 9, UAX 14) are parley's.

use std::{borrow::Cow, collections::HashMap, ops::Range, rc::Rc, sync::Arc};

use krilla::text::{Font, GlyphId, KrillaGlyph, Tag};
use parley::{
    Alignment, AlignmentOptions, FontContext, FontFamily, FontFamilyName, FontWeight, GlyphRun,
    Language as Locale, Layout, LayoutContext, LineHeight, OverflowWrap, PositionedLayoutItem, StyleProperty,
    fontique::{Blob, Collection, CollectionOptions, FontInfoOverride, SourceCache},
};

use crate::{
    PaperError,
    face::SHIPPED,
    labels::Language,
    script::{MissingScript, is_private, is_unseen},
    words,
};

/// Height of a line in its font's size; scripts with marks above and below need the room.
const LINE_HEIGHT: f32 = 1.36;

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    /// In points.
    pub size: f32,
    /// Bold, where the font has it.
    pub bold: bool,
    /// 0 is black.
    pub grey: u8,
}

/// Glyphs of one font, from left to right.
pub struct Run {
    pub font: Font,
    pub size: f32,
    /// From the line's left.
    pub x: f32,
    pub glyphs: Vec<KrillaGlyph>,
}

/// One line of a text.
pub struct Line {
    /// What the glyphs stand for.
    pub text: Rc<str>,
    pub runs: Vec<Run>,
    pub grey: u8,
    pub height: f32,
    /// From the line's top.
    pub baseline: f32,
    /// From the left of the column to where the ink ends.
    pub width: f32,
}

type FontKey = (u64, u32, Vec<([u8; 4], u32)>);

/// Makes lines.
pub struct Typesetter {
    fonts: FontContext,
    layouts: LayoutContext<()>,
    families: Vec<String>,
    locale: Option<Locale>,
    embedded: HashMap<FontKey, Font>,
}

impl Typesetter {
    /// With the shipped fonts, and these where they have nothing.
    pub fn new(fonts: &[Arc<Vec<u8>>], language: Language) -> Self {
        let options = CollectionOptions { shared: false, system_fonts: false };
        let mut context =
            FontContext { collection: Collection::new(options), source_cache: SourceCache::default() };
        let shipped = SHIPPED.iter().zip(["0", "0", "1"]).map(|(bytes, family)| {
            let bytes: Arc<dyn AsRef<[u8]> + Send + Sync> = Arc::new(*bytes);
            (Blob::new(bytes), family.to_owned())
        });
        let others = fonts.iter().enumerate().map(|(index, bytes)| {
            let bytes: Arc<dyn AsRef<[u8]> + Send + Sync> = Arc::<Vec<u8>>::clone(bytes);
            (Blob::new(bytes), format!("{}", index + 2))
        });
        let mut families: Vec<String> = Vec::new();
        for (blob, family) in shipped.chain(others) {
            let named = FontInfoOverride { family_name: Some(&family), ..FontInfoOverride::default() };
            context.collection.register_fonts(blob, Some(named));
            if families.last() != Some(&family) {
                families.push(family);
            }
        }
        let locale = language.tag().parse().ok();
        Self { fonts: context, layouts: LayoutContext::new(), families, locale, embedded: HashMap::new() }
    }

    /// Lines no wider than the column. Each line of the text has a direction of its own.
    ///
    /// # Errors
    /// No font has a character of it.
    pub fn set(&mut self, text: &str, style: Style, width: f32) -> Result<Vec<Rc<Line>>, PaperError> {
        let mut lines = Vec::new();
        for paragraph in words::lines(text) {
            if let Some(character) = paragraph.chars().find(|one| is_private(*one)) {
                return Err(PaperError::FontMissing(MissingScript::of(character)));
            }
            self.set_paragraph(&paragraph, style, width, &mut lines)?;
        }
        Ok(lines)
    }

    fn set_paragraph(
        &mut self,
        text: &str,
        style: Style,
        width: f32,
        lines: &mut Vec<Rc<Line>>,
    ) -> Result<(), PaperError> {
        let layout = self.layout(text, style, width);
        let text: Rc<str> = Rc::from(text);
        for line in layout.lines() {
            let metrics = line.metrics();
            let mut runs = Vec::new();
            for item in line.items() {
                if let PositionedLayoutItem::GlyphRun(run) = item {
                    runs.push(self.run(&run, &text)?);
                }
            }
            lines.push(Rc::new(Line {
                text: Rc::clone(&text),
                runs,
                grey: style.grey,
                height: style.size * LINE_HEIGHT,
                baseline: metrics.baseline - metrics.block_min_coord,
                width: metrics.offset + metrics.advance - metrics.trailing_whitespace,
            }));
        }
        Ok(())
    }

    fn layout(&mut self, text: &str, style: Style, width: f32) -> Layout<()> {
        let Self { fonts, layouts, families, locale, .. } = self;
        let named = |family: &String| FontFamilyName::Named(Cow::Owned(family.clone()));
        let families: Vec<FontFamilyName<'_>> = families.iter().map(named).collect();
        let mut builder = layouts.ranged_builder(fonts, text, 1.0, false);
        builder.push_default(StyleProperty::FontFamily(FontFamily::List(Cow::Owned(families))));
        builder.push_default(StyleProperty::FontSize(style.size));
        builder.push_default(StyleProperty::LineHeight(LineHeight::FontSizeRelative(LINE_HEIGHT)));
        // A word that is wider than the column is broken rather than cut off.
        builder.push_default(StyleProperty::OverflowWrap(OverflowWrap::Anywhere));
        builder.push_default(StyleProperty::Locale(*locale));
        if style.bold {
            builder.push_default(StyleProperty::FontWeight(FontWeight::BOLD));
        }
        let mut layout = builder.build(text);
        layout.break_all_lines(Some(width));
        layout.align(Alignment::Start, AlignmentOptions::default());
        layout
    }

    fn run(&mut self, glyph_run: &GlyphRun<'_, ()>, text: &str) -> Result<Run, PaperError> {
        let run = glyph_run.run();
        let (font, size) = (self.embed(run)?, run.font_size());
        let mut ligatures: HashMap<usize, usize> = HashMap::new();
        let mut start = 0;
        for cluster in run.clusters() {
            let range = cluster.text_range();
            if !cluster.is_ligature_continuation() {
                start = range.start;
            }
            ligatures.insert(start, range.end);
        }
        let mut glyphs = Vec::new();
        for cluster in run.visual_clusters().filter(|cluster| !cluster.is_ligature_continuation()) {
            let range = cluster.text_range();
            let range = range.start..ligatures.get(&range.start).copied().unwrap_or(range.end);
            for glyph in cluster.glyphs() {
                if glyph.id == 0 && refuse_unknown(&text[range.clone()])? {
                    continue;
                }
                let (advance, x, y) = (glyph.advance / size, glyph.x / size, glyph.y / size);
                let id = GlyphId::new(glyph.id);
                glyphs.push(KrillaGlyph::new(id, advance, x, y, 0.0, Range::clone(&range), None));
            }
        }
        Ok(Run { font, size, x: glyph_run.offset(), glyphs })
    }

    fn embed(&mut self, run: &parley::Run<'_, ()>) -> Result<Font, PaperError> {
        let data = run.font().clone();
        let synthesis = run.synthesis();
        let variations: Vec<(Tag, f32)> = synthesis
            .variation_settings()
            .iter()
            .map(|(tag, value)| (Tag::new(&tag.to_be_bytes()), *value))
            .collect();
        let key = variations.iter().map(|(tag, value)| (*tag.get(), value.to_bits())).collect();
        let index = data.index;
        let (bytes, id) = data.data.into_raw_parts();
        if let Some(font) = self.embedded.get(&(id, index, Vec::clone(&key))) {
            return Ok(font.clone());
        }
        let font = Font::new_variable(bytes.into(), index, &variations);
        let font = font.ok_or_else(|| PaperError::Refused("a font cannot be read".into()))?;
        self.embedded.insert((id, index, key), font.clone());
        Ok(font)
    }
}

/// Whether the glyph that a font has for what it does not know can be left out: nobody sees what it stands for.
fn refuse_unknown(text: &str) -> Result<bool, PaperError> {
    match text.chars().find(|one| !is_unseen(*one) && !one.is_whitespace()) {
        Some(character) => Err(PaperError::FontMissing(MissingScript::of(character))),
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style { size: 10.0, bold: false, grey: 0 };

    fn set(text: &str, width: f32) -> Result<Vec<Rc<Line>>, PaperError> {
        Typesetter::new(&[], Language::English).set(text, PLAIN, width)
    }

    #[test]
    fn long_text_breaks_within_its_column() {
        let words = "Take one capsule with water after each meal. ".repeat(12);
        let endless = "x".repeat(300);
        for text in [words, endless] {
            let lines = set(&text, 120.0).expect("lines");
            assert!(lines.len() > 5);
            assert!(
                lines.iter().all(|line| line.width <= 120.01),
                "{:?}",
                lines.iter().map(|l| l.width).max_by(f32::total_cmp)
            );
            assert!(lines.iter().all(|line| line.baseline > 0.0 && line.baseline < line.height));
        }
        assert_eq!(set("a\n\nb", 120.0).expect("lines").len(), 3);
    }

    #[test]
    fn each_script_that_is_shipped_has_glyphs() {
        for text in ["Größe", "δισκίο", "таблетка", "≥ 38 °C → ½", "e\u{301}"] {
            let lines = set(text, 200.0).expect(text);
            let glyphs: usize = lines.iter().flat_map(|line| &line.runs).map(|run| run.glyphs.len()).sum();
            assert!(glyphs > 0, "{text}");
        }
    }

    #[test]
    fn a_character_without_a_font_is_refused() {
        for (text, script) in
            [("حبة", "Arabic"), ("錠", "Han"), ("a\u{e000}", "no script (private use or unassigned)")]
        {
            match set(text, 200.0) {
                Err(PaperError::FontMissing(missing)) => assert_eq!(missing.name(), script),
                other => panic!("{text}: {:?}", other.map(|lines| lines.len())),
            }
        }
        assert!(set("a\u{200d}\u{2060}b\u{fe0f}", 200.0).is_ok(), "what is not seen needs no font");
    }
}
