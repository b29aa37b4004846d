//! A prescription or a report as a PDF (PDF/A-2b), in any script that there is a font for, with a code that leads to its check.
//!
//! Pure: whoever calls reads the files of fonts. [`Face`] says what a font has without keeping it, [`choose`] says
//! which fonts a text needs, [`is_usable`] tries one out, and [`render`] makes the same bytes of the same document
//! and fonts. A character that no font has is an error: a box on paper is a word that nobody can read.
#![deny(missing_docs)]

mod code;
mod draw;
mod face;
mod flow;
mod labels;
mod paper;
mod prescription;
mod report;
mod script;
mod sheet;
#[cfg(test)]
mod tests;
mod typeset;
mod words;

use std::sync::Arc;

pub use face::{Face, choose, needs_fonts};
pub use labels::Language;
pub use paper::{Paper, Printed, Proof, Standing};
pub use script::MissingScript;

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
pub enum PaperError {
    /// No font has a character of it.
    #[error("no font has the characters of {0}")]
    FontMissing(MissingScript),
    /// A font was refused by what embeds it, or the code holds too much.
    #[error("the PDF cannot be made: {0}")]
    Refused(String),
}

/// Whether a PDF can be made with a font that [`choose`] names for a text: some that can be read are refused by what embeds
/// them. Tried with one character of the text.
pub fn is_usable(font: &Arc<Vec<u8>>, face: &Face, text: &str) -> bool {
    let Some(character) = face::wanted_of(text, face) else { return false };
    let mut typesetter = typeset::Typesetter::new(std::slice::from_ref(font), Language::English);
    let lines = typesetter.set(&character.to_string(), sheet::BODY, flow::PAGE_WIDTH);
    lines.is_ok_and(draw::is_drawable)
}

/// The PDF. The fonts are those of [`choose`], for [`Paper::text`]; what the shipped ones have needs none.
///
/// # Errors
/// See [`PaperError`].
pub fn render<C: Printed>(paper: &Paper<'_, C>, fonts: &[Arc<Vec<u8>>]) -> Result<Vec<u8>, PaperError> {
    let mut typesetter = typeset::Typesetter::new(fonts, paper.language);
    let pages = sheet::lay_out(paper, &mut typesetter)?;
    draw::pdf(paper, &pages)
}
