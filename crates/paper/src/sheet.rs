//! What of a document stands where: who wrote it, whom it is for, what it says, how anybody finds out whether it is genuine.

use std::rc::Rc;

use crate::{
    PaperError,
    code::Code,
    flow::{Flow, MARGIN, Mark, PAGE_WIDTH, Page},
    labels::Labels,
    paper::{Paper, Printed, Standing},
    typeset::{Line, Style, Typesetter},
    words,
};

/// Of the text.
pub const WIDTH: f32 = PAGE_WIDTH - 2.0 * MARGIN;
/// Side of the square code: 4 cm, so that cheap cameras read it.
const CODE_SIDE: f32 = 113.0;
/// Of what stands beside the code.
const BESIDE_CODE: f32 = WIDTH - CODE_SIDE - 18.0;
/// Width of labels.
pub const LABEL: f32 = 96.0;
const FOOT: f32 = 802.0;

const TITLE: Style = Style { size: 22.0, bold: true, grey: 0 };
/// Of whom and what it is about.
pub const HEADING: Style = Style { size: 12.0, bold: true, grey: 0 };
/// Of what was written.
pub const BODY: Style = Style { size: 10.0, bold: false, grey: 0 };
/// Of labels.
pub const FAINT: Style = Style { size: 9.0, bold: false, grey: 90 };
/// Of what few read.
pub const SMALL: Style = Style { size: 8.0, bold: false, grey: 60 };
const BANNER: Style = Style { size: 12.0, bold: true, grey: 255 };

/// The pages.
///
/// # Errors
/// A character has no font, or the code holds too much.
pub fn lay_out<C: Printed>(
    paper: &Paper<'_, C>,
    typesetter: &mut Typesetter,
) -> Result<Vec<Page>, PaperError> {
    let (labels, of_kind) = (paper.language.labels(), paper.labels());
    let banner = match paper.standing {
        Standing::Valid => Vec::new(),
        Standing::Draft => typesetter.set(of_kind.draft, BANNER, WIDTH - 20.0)?,
        Standing::Cancelled => typesetter.set(of_kind.cancelled, BANNER, WIDTH - 20.0)?,
        Standing::Superseded => typesetter.set(of_kind.superseded, BANNER, WIDTH - 20.0)?,
        Standing::NotGenuine => typesetter.set(of_kind.not_genuine, BANNER, WIDTH - 20.0)?,
    };
    let mut sheet = Sheet { flow: Flow::new(banner), typesetter, labels };
    sheet.head(paper)?;
    sheet.particulars(paper)?;
    paper.document.content.lay_out(&mut sheet)?;
    sheet.proof(paper)?;
    let Sheet { flow, typesetter, .. } = sheet;
    let mut pages = flow.finish();
    let count = pages.len();
    for (index, page) in pages.iter_mut().enumerate() {
        let words = format!("{} {}", of_kind.title, paper.document.id);
        let number = format!("{} {} / {count}", labels.page, index + 1);
        for (text, is_right) in [(words, false), (number, true)] {
            for line in typesetter.set(&text, SMALL, WIDTH)? {
                let x = if is_right { PAGE_WIDTH - MARGIN - line.width } else { MARGIN };
                page.marks.push(Mark::Text(line, x, FOOT));
            }
        }
    }
    Ok(pages)
}

/// Pages being filled, with what makes lines.
pub struct Sheet<'a> {
    pub flow: Flow,
    typesetter: &'a mut Typesetter,
    pub labels: &'static Labels,
}

impl Sheet<'_> {
    /// Lines no wider than that.
    pub fn set(&mut self, text: &str, style: Style, width: f32) -> Result<Vec<Rc<Line>>, PaperError> {
        self.typesetter.set(text, style, width)
    }

    /// Lines below each other; nothing for an empty text.
    pub fn text(&mut self, text: &str, style: Style, width: f32) -> Result<(), PaperError> {
        if !text.is_empty() {
            let lines = self.set(text, style, width)?;
            self.flow.row(&[(MARGIN, lines)]);
        }
        Ok(())
    }

    /// Label and value; nothing for an empty value.
    pub fn field(&mut self, x: f32, label: &str, value: &str, right: f32) -> Result<(), PaperError> {
        if value.is_empty() {
            return Ok(());
        }
        let label = self.set(label, FAINT, LABEL - 6.0)?;
        let value = self.set(value, BODY, right - x - LABEL)?;
        self.flow.row(&[(x, label), (x + LABEL, value)]);
        Ok(())
    }

    /// A label of the left margin with lines beside it.
    pub fn labelled(&mut self, label: &str, lines: Vec<Rc<Line>>) -> Result<(), PaperError> {
        let label = self.set(label, FAINT, LABEL - 6.0)?;
        self.flow.row(&[(MARGIN, label), (MARGIN + LABEL, lines)]);
        Ok(())
    }

    /// Who wrote it, and the code beside it.
    fn head<C: Printed>(&mut self, paper: &Paper<'_, C>) -> Result<(), PaperError> {
        let labels = self.labels;
        let (page, top) = self.flow.place();
        let mut bottom = top;
        if let Some(proof) = &paper.proof {
            let code = Rc::new(Code::of(&proof.link)?);
            let left = PAGE_WIDTH - MARGIN - CODE_SIDE;
            self.flow.code(&code, (left, top), CODE_SIDE);
            bottom = top + CODE_SIDE + 4.0;
        }
        let right = MARGIN + BESIDE_CODE;
        self.text(paper.labels().title, TITLE, BESIDE_CODE)?;
        self.flow.space(6.0);
        let (name, licence) = paper.signer;
        self.text(name, HEADING, BESIDE_CODE)?;
        self.text(&paper.profile.specialties.join(", "), BODY, BESIDE_CODE)?;
        self.flow.space(3.0);
        self.field(MARGIN, labels.licence, licence, right)?;
        for other in &paper.profile.licences {
            let until = other.expires_on.map(|day| format!(", {} {day}", labels.until)).unwrap_or_default();
            self.field(
                MARGIN,
                labels.licence,
                &format!("{} ({}{until})", other.number, other.issuer),
                right,
            )?;
        }
        for contact in &paper.profile.contacts {
            self.field(MARGIN, labels.contact, contact, right)?;
        }
        self.flow.descend_to((page, bottom));
        self.flow.rule();
        Ok(())
    }

    /// Whom it is for, and since when it is good.
    fn particulars<C: Printed>(&mut self, paper: &Paper<'_, C>) -> Result<(), PaperError> {
        let (labels, of_kind, right) = (self.labels, paper.labels(), MARGIN + WIDTH);
        let document = paper.document;
        let patient = document.content.patient();
        let name = patient.map(|patient| patient.name.as_str()).filter(|name| !name.trim().is_empty());
        // Whom it is for is large: by name, or else as the archive knows the patient.
        let (label, who) =
            name.map_or((labels.patient_id, document.patient_id.as_str()), |name| (labels.patient, name));
        let who = self.set(who, HEADING, WIDTH - LABEL)?;
        self.labelled(label, who)?;
        if let Some(birth_date) = patient.and_then(|patient| patient.birth_date) {
            self.field(MARGIN, labels.birth_date, &birth_date.to_string(), right)?;
        }
        if name.is_some() {
            self.field(MARGIN, labels.patient_id, &document.patient_id, right)?;
        }
        self.field(MARGIN, labels.issuer, &document.issuer_of_patient_id, right)?;
        self.field(MARGIN, of_kind.begun, &words::moment(document.created_at), right)?;
        if let Some(proof) = &paper.proof {
            self.field(MARGIN, of_kind.signed, &words::moment(proof.finalized_at), right)?;
        }
        if let Some(replaced) = document.supersedes {
            self.field(MARGIN, of_kind.replaces, &replaced.to_string(), right)?;
        }
        if let Some(cancelled_at) = document.cancelled_at {
            let words = format!("{} {}", words::moment(cancelled_at), document.remark);
            self.field(MARGIN, labels.remark, words.trim_end(), right)?;
        }
        self.flow.rule();
        Ok(())
    }

    /// How anybody finds out whether it is genuine.
    fn proof<C: Printed>(&mut self, paper: &Paper<'_, C>) -> Result<(), PaperError> {
        let (labels, right) = (self.labels, MARGIN + WIDTH);
        let Some(proof) = &paper.proof else { return Ok(()) };
        self.flow.keep(110.0);
        self.flow.rule();
        let signed = format!("{}, {}", paper.signer.0, words::moment(proof.finalized_at));
        self.field(MARGIN, paper.labels().signed, &signed, right)?;
        self.field(MARGIN, labels.check_code, &proof.code, right)?;
        self.field(MARGIN, labels.check_at, &proof.link, right)?;
        self.field(MARGIN, labels.content_hash, &proof.content_sha256, right)?;
        self.field(MARGIN, labels.key, &proof.key_id, right)
    }
}
