//! What a report says, on paper: running text under headings, over as many pages as it needs.

use model::clinical::ReportContent;

use crate::{
    PaperError,
    flow::{MARGIN, height},
    labels::{DocumentLabels, Labels},
    paper::Printed,
    sheet::{BODY, HEADING, LABEL, SMALL, Sheet, WIDTH},
    typeset::Style,
    words,
};

/// What stands below a heading before the page may be turned: two lines.
const BELOW_HEADING: f32 = 28.0;

impl Printed for ReportContent {
    fn labels(labels: &'static Labels) -> &'static DocumentLabels {
        &labels.report
    }

    fn texts(&self) -> Vec<&str> {
        let mut texts = vec![self.clinical_information.as_str(), &self.technique, &self.comparison];
        texts.extend([self.findings.as_str(), &self.impression, &self.critical_result]);
        texts.extend(self.codes.iter().map(|coding| coding.text.as_str()));
        texts
    }

    fn lay_out(&self, sheet: &mut Sheet<'_>) -> Result<(), PaperError> {
        let labels = sheet.labels;
        if self.critical {
            // Large, and before anything else: who reads no further has read this.
            section(sheet, labels.critical, &self.critical_result, HEADING)?;
        }
        let studies = sheet.set(&self.study_instance_uids.join("\n"), SMALL, WIDTH - LABEL)?;
        sheet.labelled(labels.studies, studies)?;
        sheet.flow.space(9.0);
        for (heading, text) in [
            (labels.clinical_information, &self.clinical_information),
            (labels.technique, &self.technique),
            (labels.comparison, &self.comparison),
            (labels.findings, &self.findings),
            (labels.impression, &self.impression),
        ] {
            section(sheet, heading, text, BODY)?;
        }
        let codes: Vec<String> = self.codes.iter().map(words::coding).collect();
        section(sheet, labels.diagnoses, &codes.join("\n"), BODY)
    }
}

/// A heading with its text; nothing for an empty text.
fn section(sheet: &mut Sheet<'_>, heading: &str, text: &str, style: Style) -> Result<(), PaperError> {
    if text.trim().is_empty() {
        return Ok(());
    }
    let heading = sheet.set(heading, HEADING, WIDTH)?;
    // A heading is not left behind at the foot of a page.
    sheet.flow.keep(height(&heading) + BELOW_HEADING);
    sheet.flow.row(&[(MARGIN, heading)]);
    sheet.flow.space(2.0);
    sheet.text(text, style, WIDTH)?;
    sheet.flow.space(9.0);
    Ok(())
}
