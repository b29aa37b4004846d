//! The pages as PDF/A-2b (ISO 19005-2): every font embedded, colours independent of devices.

use std::rc::Rc;

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use krilla::{
    Document, SerializeSettings,
    color::luma,
    configure::{Archival, ConfigurationBuilder},
    geom::{Path, PathBuilder, Point, Rect},
    metadata::{self, Metadata},
    num::NormalizedF32,
    page::PageSettings,
    paint::{Fill, FillRule},
    surface::Surface,
};

use crate::{
    PaperError,
    code::{Code, QUIET_MODULES},
    flow::{MARGIN, Mark, PAGE_HEIGHT, PAGE_WIDTH, Page},
    paper::{Paper, Printed},
    typeset::Line,
};

/// The bytes: the same for the same pages.
pub fn pdf<C: Printed>(paper: &Paper<'_, C>, pages: &[Page]) -> Result<Vec<u8>, PaperError> {
    write(metadata(paper), pages)
}

/// Whether a page with these lines can be made: some fonts that can be read cannot be embedded.
pub fn is_drawable(lines: Vec<Rc<Line>>) -> bool {
    let marks = lines.into_iter().map(|line| Mark::Text(line, MARGIN, MARGIN)).collect();
    let metadata = Metadata::new()
        .title("MaxRay".to_owned())
        .language("en".to_owned())
        .document_id("MaxRay".to_owned())
        .creation_date(moment(DateTime::UNIX_EPOCH));
    write(metadata, &[Page { marks }]).is_ok()
}

fn write(metadata: Metadata, pages: &[Page]) -> Result<Vec<u8>, PaperError> {
    let configuration = ConfigurationBuilder::new().with_archival_validator(Archival::A2_B).finish();
    let configuration = configuration.map_err(|_| refused("PDF/A is not known"))?;
    let settings = SerializeSettings { xmp_metadata: true, configuration, ..SerializeSettings::default() };
    let mut document = Document::new_with(settings);
    document.set_metadata(metadata);
    for page in pages {
        let size = PageSettings::from_wh(PAGE_WIDTH, PAGE_HEIGHT).ok_or_else(|| refused("no such page"))?;
        let mut sheet = document.start_page_with(size);
        let mut surface = sheet.surface();
        for mark in &page.marks {
            draw(&mut surface, mark);
        }
        surface.finish();
        sheet.finish();
    }
    document.finish().map_err(|error| refused(&error.to_string()))
}

fn refused(what: &str) -> PaperError {
    PaperError::Refused(what.to_owned())
}

fn metadata<C: Printed>(paper: &Paper<'_, C>) -> Metadata {
    let document = paper.document;
    let made_at = paper.proof.as_ref().map_or(document.updated_at, |proof| proof.finalized_at);
    Metadata::new()
        .title(format!("{} {}", paper.labels().title, document.id))
        .language(paper.language.tag().to_owned())
        .authors(vec![paper.signer.0.to_owned()])
        .creator("MaxRay".to_owned())
        .document_id(format!("{} {}", document.id, document.version))
        .creation_date(moment(made_at))
}

fn moment(time: DateTime<Utc>) -> metadata::DateTime {
    let byte = |value: u32| u8::try_from(value).unwrap_or_default();
    metadata::DateTime::new(u16::try_from(time.year()).unwrap_or_default())
        .month(byte(time.month()))
        .day(byte(time.day()))
        .hour(byte(time.hour()))
        .minute(byte(time.minute()))
        .second(byte(time.second()))
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}

fn draw(surface: &mut Surface<'_>, mark: &Mark) {
    match mark {
        Mark::Text(line, x, y) => draw_line(surface, line, (*x, *y)),
        Mark::Fill(x, y, width, height, grey) => {
            let path = path([(*x, *y, *width, *height)].into_iter());
            fill(surface, path, *grey);
        }
        Mark::Code(code, x, y, side) => fill(surface, path(modules(code, (*x, *y), *side)), 0),
    }
}

fn draw_line(surface: &mut Surface<'_>, line: &Line, (x, y): (f32, f32)) {
    surface.set_fill(Some(ink(line.grey)));
    for run in line.runs.iter().filter(|run| !run.glyphs.is_empty()) {
        let start = Point::from_xy(x + run.x, y + line.baseline);
        surface.draw_glyphs(start, &run.glyphs, run.font.clone(), &line.text, run.size, false);
    }
}

fn fill(surface: &mut Surface<'_>, path: Option<Path>, grey: u8) {
    if let Some(path) = path {
        surface.set_fill(Some(ink(grey)));
        surface.draw_path(&path);
    }
}

fn ink(grey: u8) -> Fill {
    Fill { paint: luma::Color::new(grey).into(), opacity: NormalizedF32::ONE, rule: FillRule::NonZero }
}

/// One path for all of them: seams between neighbours that are drawn one by one show on some screens.
fn path(rectangles: impl Iterator<Item = (f32, f32, f32, f32)>) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (x, y, width, height) in rectangles {
        path.push_rect(Rect::from_xywh(x, y, width, height)?);
    }
    path.finish()
}

/// The dark modules within a square that has the quiet zone in it.
fn modules(code: &Code, (x, y): (f32, f32), side: f32) -> impl Iterator<Item = (f32, f32, f32, f32)> {
    let module = side / (code.width + 2 * QUIET_MODULES) as f32;
    let at = move |index: usize| (index + QUIET_MODULES) as f32 * module;
    let runs = code.runs().into_iter();
    runs.map(move |(row, column, length)| (x + at(column), y + at(row), length as f32 * module, module))
}
