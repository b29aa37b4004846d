//! Rows of text on as many pages as they need. Lengths are points of 1/72 inch, from the top left.

use std::rc::Rc;

use crate::{code::Code, typeset::Line};

/// ISO 216 A4.
pub const PAGE_WIDTH: f32 = 595.28;
/// ISO 216 A4.
pub const PAGE_HEIGHT: f32 = 841.89;
/// Left and right of the text.
pub const MARGIN: f32 = 48.0;
/// Where text begins.
const TOP: f32 = 44.0;
/// Where text ends; the number of the page stands below.
const BOTTOM: f32 = 786.0;

/// Something at its place on a page.
pub enum Mark {
    /// A line, by its left and its top.
    Text(Rc<Line>, f32, f32),
    /// A filled rectangle: left, top, width, height, grey.
    Fill(f32, f32, f32, f32, u8),
    /// The square code: left, top, side.
    Code(Rc<Code>, f32, f32, f32),
}

/// What stands on one page.
#[derive(Default)]
pub struct Page {
    pub marks: Vec<Mark>,
}

/// A text in a column: its left, and its lines.
pub type Cell = (f32, Vec<Rc<Line>>);

/// Pages being filled.
pub struct Flow {
    pages: Vec<Page>,
    banner: Vec<Rc<Line>>,
    y: f32,
}

impl Flow {
    /// The banner stands on every page, white on black; nothing for none.
    pub fn new(banner: Vec<Rc<Line>>) -> Self {
        let mut flow = Self { pages: Vec::new(), banner, y: TOP };
        flow.turn();
        flow
    }

    /// Begins a page.
    fn turn(&mut self) {
        self.pages.push(Page::default());
        self.y = TOP;
        if self.banner.is_empty() {
            return;
        }
        let (lines, padding) = (self.banner.clone(), 7.0);
        let height = height(&lines) + 2.0 * padding;
        self.mark(Mark::Fill(MARGIN, self.y, PAGE_WIDTH - 2.0 * MARGIN, height, 0));
        self.y += padding;
        self.column(MARGIN + 10.0, &lines);
        self.y += height - padding + 14.0;
    }

    fn mark(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.marks.push(mark);
        }
    }

    fn column(&mut self, x: f32, lines: &[Rc<Line>]) {
        let mut y = self.y;
        for line in lines {
            self.mark(Mark::Text(Rc::clone(line), x, y));
            y += line.height;
        }
    }

    /// Where the next row goes: page and height.
    pub fn place(&self) -> (usize, f32) {
        (self.pages.len(), self.y)
    }

    /// Goes down to a height, on the page that it is of.
    pub fn descend_to(&mut self, (page, y): (usize, f32)) {
        if self.pages.len() == page {
            self.y = self.y.max(y);
        }
    }

    /// Turns the page unless so much fits on it.
    pub fn keep(&mut self, height: f32) {
        if self.y + height > BOTTOM {
            self.turn();
        }
    }

    /// Leaves room.
    pub fn space(&mut self, height: f32) {
        self.y += height;
    }

    /// A line across the page, with room around it.
    pub fn rule(&mut self) {
        self.space(7.0);
        self.keep(1.0);
        self.mark(Mark::Fill(MARGIN, self.y, PAGE_WIDTH - 2.0 * MARGIN, 0.6, 150));
        self.space(8.0);
    }

    /// Columns beside each other. What does not fit goes on, line by line, on the next page.
    pub fn row(&mut self, cells: &[Cell]) {
        let lines = cells.iter().map(|(_, lines)| lines.len()).max().unwrap_or_default();
        for index in 0..lines {
            let of_row = cells.iter().filter_map(|(x, lines)| Some((*x, lines.get(index)?)));
            let of_row: Vec<(f32, Rc<Line>)> = of_row.map(|(x, line)| (x, Rc::clone(line))).collect();
            let height = of_row.iter().map(|(_, line)| line.height).fold(0.0, f32::max);
            self.keep(height);
            let y = self.y;
            let baseline = of_row.iter().map(|(_, line)| line.baseline).fold(0.0, f32::max);
            for (x, line) in of_row {
                let top = y + baseline - line.baseline;
                self.mark(Mark::Text(line, x, top));
            }
            self.space(height);
        }
    }

    /// The code at a place of the page that is being filled.
    pub fn code(&mut self, code: &Rc<Code>, (x, y): (f32, f32), side: f32) {
        self.mark(Mark::Code(Rc::clone(code), x, y, side));
    }

    /// The pages.
    pub fn finish(self) -> Vec<Page> {
        self.pages
    }
}

/// Of lines below each other.
pub fn height(lines: &[Rc<Line>]) -> f32 {
    lines.iter().map(|line| line.height).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Rc<Line> {
        Rc::new(Line { text: "".into(), runs: Vec::new(), grey: 0, height: 20.0, baseline: 15.0, width: 1.0 })
    }

    #[test]
    fn a_row_goes_on_over_pages_and_each_has_the_banner() {
        let mut flow = Flow::new(vec![line()]);
        let (page, y) = flow.place();
        assert!(page == 1 && y > TOP + 20.0);
        let lines: Vec<Rc<Line>> = (0..90).map(|_| line()).collect();
        flow.row(&[(MARGIN, vec![line()]), (200.0, lines)]);
        let pages = flow.finish();
        assert_eq!(pages.len(), 3);
        let texts = pages.iter().flat_map(|page| &page.marks);
        let tops: Vec<f32> =
            texts.filter_map(|mark| if let Mark::Text(_, _, y) = mark { Some(*y) } else { None }).collect();
        assert_eq!(tops.len(), 3 + 1 + 90);
        assert!(tops.iter().all(|y| *y >= TOP && *y + 20.0 <= BOTTOM));
        assert!(pages.iter().all(|page| matches!(page.marks[0], Mark::Fill(.., 0))));
    }

    #[test]
    fn what_belongs_together_begins_on_the_next_page() {
        let mut flow = Flow::new(Vec::new());
        flow.space(700.0);
        flow.keep(30.0);
        assert_eq!(flow.place().0, 1);
        let place = flow.place();
        flow.keep(100.0);
        assert_eq!(flow.place(), (2, TOP));
        flow.descend_to(place);
        assert_eq!(flow.place(), (2, TOP), "another page's height means nothing here");
    }
}
