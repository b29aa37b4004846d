//! What of a prescription stands where.

use std::rc::Rc;

use model::clinical::PrescriptionItem;

use crate::{
    PaperError,
    code::Code,
    flow::{Flow, MARGIN, Mark, PAGE_WIDTH, Page, height},
    labels::Labels,
    paper::{Paper, Standing},
    typeset::{Line, Style, Typesetter},
    words,
};

const WIDTH: f32 = PAGE_WIDTH - 2.0 * MARGIN;
/// Side of the square code: 4 cm, so that cheap cameras read it.
const CODE_SIDE: f32 = 113.0;
/// Of what stands beside the code.
const BESIDE_CODE: f32 = WIDTH - CODE_SIDE - 18.0;
/// Width of labels.
const LABEL: f32 = 96.0;
/// Medicines are set in from their number.
const INDENT: f32 = 20.0;
const FOOT: f32 = 802.0;

const TITLE: Style = Style { size: 22.0, bold: true, grey: 0 };
const HEADING: Style = Style { size: 12.0, bold: true, grey: 0 };
/// Of what was prescribed.
pub const BODY: Style = Style { size: 10.0, bold: false, grey: 0 };
const FAINT: Style = Style { size: 9.0, bold: false, grey: 90 };
const SMALL: Style = Style { size: 8.0, bold: false, grey: 60 };
const BANNER: Style = Style { size: 12.0, bold: true, grey: 255 };

/// The pages.
///
/// # Errors
/// A character has no font, or the code holds too much.
pub fn lay_out(paper: &Paper<'_>, typesetter: &mut Typesetter) -> Result<Vec<Page>, PaperError> {
    let labels = paper.labels();
    let banner = match paper.standing {
        Standing::Valid => Vec::new(),
        Standing::Draft => typesetter.set(labels.draft, BANNER, WIDTH - 20.0)?,
        Standing::Cancelled => typesetter.set(labels.cancelled, BANNER, WIDTH - 20.0)?,
        Standing::Superseded => typesetter.set(labels.superseded, BANNER, WIDTH - 20.0)?,
        Standing::NotGenuine => typesetter.set(labels.not_genuine, BANNER, WIDTH - 20.0)?,
    };
    let mut sheet = Sheet { flow: Flow::new(banner), typesetter, labels, paper };
    sheet.head()?;
    sheet.particulars()?;
    for (index, item) in paper.prescription.content.items.iter().enumerate() {
        sheet.item(index, item)?;
    }
    sheet.notes()?;
    sheet.proof()?;
    let Sheet { flow, typesetter, .. } = sheet;
    let mut pages = flow.finish();
    let count = pages.len();
    for (index, page) in pages.iter_mut().enumerate() {
        let words = format!("{} {}", labels.prescription, paper.prescription.id);
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

struct Sheet<'a, 'p> {
    flow: Flow,
    typesetter: &'a mut Typesetter,
    labels: &'static Labels,
    paper: &'a Paper<'p>,
}

impl Sheet<'_, '_> {
    fn set(&mut self, text: &str, style: Style, width: f32) -> Result<Vec<Rc<Line>>, PaperError> {
        self.typesetter.set(text, style, width)
    }

    fn text(&mut self, text: &str, style: Style, width: f32) -> Result<(), PaperError> {
        if !text.is_empty() {
            let lines = self.set(text, style, width)?;
            self.flow.row(&[(MARGIN, lines)]);
        }
        Ok(())
    }

    /// Label and value; nothing for an empty value.
    fn field(&mut self, x: f32, label: &str, value: &str, right: f32) -> Result<(), PaperError> {
        if value.is_empty() {
            return Ok(());
        }
        let label = self.set(label, FAINT, LABEL - 6.0)?;
        let value = self.set(value, BODY, right - x - LABEL)?;
        self.flow.row(&[(x, label), (x + LABEL, value)]);
        Ok(())
    }

    /// Who prescribes, and the code beside it.
    fn head(&mut self) -> Result<(), PaperError> {
        let (paper, labels) = (self.paper, self.labels);
        let (page, top) = self.flow.place();
        let mut bottom = top;
        if let Some(proof) = &paper.proof {
            let code = Rc::new(Code::of(&proof.link)?);
            let left = PAGE_WIDTH - MARGIN - CODE_SIDE;
            self.flow.code(&code, (left, top), CODE_SIDE);
            bottom = top + CODE_SIDE + 4.0;
        }
        let right = MARGIN + BESIDE_CODE;
        self.text(labels.prescription, TITLE, BESIDE_CODE)?;
        self.flow.space(6.0);
        let (name, licence) = paper.signer;
        self.text(name, HEADING, BESIDE_CODE)?;
        let specialties: Vec<&str> = paper.doctor.specialties.iter().map(|one| one.text.as_str()).collect();
        self.text(&specialties.join(", "), BODY, BESIDE_CODE)?;
        self.flow.space(3.0);
        self.field(MARGIN, labels.licence, licence, right)?;
        for other in &paper.doctor.details.licences {
            let until = other.expires_on.map(|day| format!(", {} {day}", labels.until)).unwrap_or_default();
            self.field(
                MARGIN,
                labels.licence,
                &format!("{} ({}{until})", other.number, other.issuer),
                right,
            )?;
        }
        let details = &paper.doctor.details;
        for contact in [&paper.doctor.contact, &details.phone, &details.email] {
            self.field(MARGIN, labels.contact, contact, right)?;
        }
        self.flow.descend_to((page, bottom));
        self.flow.rule();
        Ok(())
    }

    /// Whom it is for, and since when it is good.
    fn particulars(&mut self) -> Result<(), PaperError> {
        let (paper, labels, right) = (self.paper, self.labels, MARGIN + WIDTH);
        let prescription = paper.prescription;
        let patient = prescription.content.patient.as_ref();
        let name = patient.map(|patient| patient.name.as_str()).filter(|name| !name.trim().is_empty());
        // Whom it is for is large: by name, or else as the archive knows the patient.
        let (label, who) =
            name.map_or((labels.patient_id, prescription.patient_id.as_str()), |name| (labels.patient, name));
        let (label, who) = (self.set(label, FAINT, LABEL - 6.0)?, self.set(who, HEADING, WIDTH - LABEL)?);
        self.flow.row(&[(MARGIN, label), (MARGIN + LABEL, who)]);
        if let Some(birth_date) = patient.and_then(|patient| patient.birth_date) {
            self.field(MARGIN, labels.birth_date, &birth_date.to_string(), right)?;
        }
        if name.is_some() {
            self.field(MARGIN, labels.patient_id, &prescription.patient_id, right)?;
        }
        self.field(MARGIN, labels.issuer, &prescription.issuer_of_patient_id, right)?;
        self.field(MARGIN, labels.begun, &words::moment(prescription.created_at), right)?;
        if let Some(proof) = &paper.proof {
            self.field(MARGIN, labels.signed, &words::moment(proof.finalized_at), right)?;
        }
        if let Some(replaced) = prescription.supersedes {
            self.field(MARGIN, labels.replaces, &replaced.to_string(), right)?;
        }
        if let Some(cancelled_at) = prescription.cancelled_at {
            let words = format!("{} {}", words::moment(cancelled_at), prescription.remark);
            self.field(MARGIN, labels.remark, words.trim_end(), right)?;
        }
        self.flow.rule();
        Ok(())
    }

    fn item(&mut self, index: usize, item: &PrescriptionItem) -> Result<(), PaperError> {
        let (labels, left, right) = (self.labels, MARGIN + INDENT, MARGIN + WIDTH);
        let number = self.set(&format!("{}.", index + 1), HEADING, INDENT)?;
        let medication = self.set(&item.medication.text, HEADING, WIDTH - INDENT)?;
        // A medicine's name is not left behind at the foot of a page.
        self.flow.keep(height(&medication) + 80.0);
        self.flow.row(&[(MARGIN, number), (left, medication)]);
        let code = words::code(&item.medication);
        if !code.is_empty() {
            let code = self.set(&code, SMALL, WIDTH - INDENT)?;
            self.flow.row(&[(left, code)]);
        }
        let duration = item.duration_days.map_or(labels.until_used_up.to_owned(), |days| days.to_string());
        let substitution = if item.substitution_allowed { labels.allowed } else { labels.not_allowed };
        let frequency = words::frequency(&item.frequency, labels.as_needed);
        self.pair((labels.dose, &words::quantity(&item.dose)), (labels.route, &item.route))?;
        self.field(left, labels.frequency, &frequency, right)?;
        self.pair((labels.duration, &duration), (labels.quantity, &words::quantity(&item.quantity)))?;
        self.pair((labels.refills, &item.refills.to_string()), (labels.substitution, substitution))?;
        self.field(left, labels.instructions, &item.instructions, right)?;
        self.flow.space(9.0);
        Ok(())
    }

    /// Two labels with their values beside each other.
    fn pair(&mut self, one: (&str, &str), other: (&str, &str)) -> Result<(), PaperError> {
        let half = (WIDTH - INDENT) / 2.0;
        let mut cells = Vec::new();
        for (x, (label, value)) in [(MARGIN + INDENT, one), (MARGIN + INDENT + half, other)] {
            cells.push((x, self.set(label, FAINT, LABEL - 6.0)?));
            cells.push((x + LABEL, self.set(value, BODY, half - LABEL - 8.0)?));
        }
        self.flow.row(&cells);
        Ok(())
    }

    /// What is not about one medicine.
    fn notes(&mut self) -> Result<(), PaperError> {
        let (labels, right) = (self.labels, MARGIN + WIDTH);
        let content = &self.paper.prescription.content;
        let allergies = content.declared_allergies.join(", ");
        let allergies = if allergies.is_empty() { labels.none_declared } else { &allergies };
        self.field(MARGIN, labels.allergies, allergies, right)?;
        self.field(MARGIN, labels.note, &content.note, right)
    }

    /// How anybody finds out whether it is genuine.
    fn proof(&mut self) -> Result<(), PaperError> {
        let (labels, right) = (self.labels, MARGIN + WIDTH);
        let Some(proof) = &self.paper.proof else { return Ok(()) };
        self.flow.keep(110.0);
        self.flow.rule();
        let signed = format!("{}, {}", self.paper.signer.0, words::moment(proof.finalized_at));
        self.field(MARGIN, labels.signed, &signed, right)?;
        self.field(MARGIN, labels.check_code, &proof.code, right)?;
        self.field(MARGIN, labels.check_at, &proof.link, right)?;
        self.field(MARGIN, labels.content_hash, &proof.content_sha256, right)?;
        self.field(MARGIN, labels.key, &proof.key_id, right)
    }
}
