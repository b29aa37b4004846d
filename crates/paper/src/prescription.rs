//! What a prescription says, on paper: medicines, allergies, a note.

use model::clinical::{PrescriptionContent, PrescriptionItem};

use crate::{
    PaperError,
    flow::{MARGIN, height},
    labels::{DocumentLabels, Labels},
    paper::Printed,
    sheet::{BODY, FAINT, HEADING, LABEL, SMALL, Sheet, WIDTH},
    words,
};

/// Medicines are set in from their number.
const INDENT: f32 = 20.0;

impl Printed for PrescriptionContent {
    fn labels(labels: &'static Labels) -> &'static DocumentLabels {
        &labels.prescription
    }

    fn texts(&self) -> Vec<&str> {
        let mut texts = vec![self.note.as_str()];
        texts.extend(self.declared_allergies.iter().map(String::as_str));
        for PrescriptionItem { medication, dose, route, frequency, quantity, instructions, .. } in &self.items
        {
            texts.extend([medication.text.as_str(), &dose.unit, route, &frequency.text]);
            texts.extend([quantity.unit.as_str(), instructions]);
        }
        texts
    }

    fn lay_out(&self, sheet: &mut Sheet<'_>) -> Result<(), PaperError> {
        for (index, item) in self.items.iter().enumerate() {
            lay_out_item(sheet, index, item)?;
        }
        let (labels, right) = (sheet.labels, MARGIN + WIDTH);
        let allergies = self.declared_allergies.join(", ");
        let allergies = if allergies.is_empty() { labels.none_declared } else { &allergies };
        sheet.field(MARGIN, labels.allergies, allergies, right)?;
        sheet.field(MARGIN, labels.note, &self.note, right)
    }
}

fn lay_out_item(sheet: &mut Sheet<'_>, index: usize, item: &PrescriptionItem) -> Result<(), PaperError> {
    let (labels, left, right) = (sheet.labels, MARGIN + INDENT, MARGIN + WIDTH);
    let number = sheet.set(&format!("{}.", index + 1), HEADING, INDENT)?;
    let medication = sheet.set(&item.medication.text, HEADING, WIDTH - INDENT)?;
    // A medicine's name is not left behind at the foot of a page.
    sheet.flow.keep(height(&medication) + 80.0);
    sheet.flow.row(&[(MARGIN, number), (left, medication)]);
    let code = words::code(&item.medication);
    if !code.is_empty() {
        let code = sheet.set(&code, SMALL, WIDTH - INDENT)?;
        sheet.flow.row(&[(left, code)]);
    }
    let duration = item.duration_days.map_or(labels.until_used_up.to_owned(), |days| days.to_string());
    let substitution = if item.substitution_allowed { labels.allowed } else { labels.not_allowed };
    let frequency = words::frequency(&item.frequency, labels.as_needed);
    pair(sheet, (labels.dose, &words::quantity(&item.dose)), (labels.route, &item.route))?;
    sheet.field(left, labels.frequency, &frequency, right)?;
    pair(sheet, (labels.duration, &duration), (labels.quantity, &words::quantity(&item.quantity)))?;
    pair(sheet, (labels.refills, &item.refills.to_string()), (labels.substitution, substitution))?;
    sheet.field(left, labels.instructions, &item.instructions, right)?;
    sheet.flow.space(9.0);
    Ok(())
}

/// Two labels with their values beside each other.
fn pair(sheet: &mut Sheet<'_>, one: (&str, &str), other: (&str, &str)) -> Result<(), PaperError> {
    let half = (WIDTH - INDENT) / 2.0;
    let mut cells = Vec::new();
    for (x, (label, value)) in [(MARGIN + INDENT, one), (MARGIN + INDENT + half, other)] {
        cells.push((x, sheet.set(label, FAINT, LABEL - 6.0)?));
        cells.push((x + LABEL, sheet.set(value, BODY, half - LABEL - 8.0)?));
    }
    sheet.flow.row(&cells);
    Ok(())
}
