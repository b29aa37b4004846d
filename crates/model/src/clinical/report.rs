//! A radiology report (after FHIR DiagnosticReport): what a doctor saw in a patient's studies, and what it means.

use serde::{Deserialize, Serialize};

use super::document::{ClinicalDocument, DocumentContent, DocumentPatient};
use crate::event::Event;

/// A report.
pub type Report = ClinicalDocument<ReportContent>;

/// What is reported, in the order in which radiologists write it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportContent {
    /// Study Instance UIDs (0020,000D) of what was read.
    pub study_instance_uids: Vec<String>,
    /// Why the images were made.
    #[serde(default)]
    pub clinical_information: String,
    /// How they were made.
    #[serde(default)]
    pub technique: String,
    /// With which earlier ones they were compared.
    #[serde(default)]
    pub comparison: String,
    /// What is seen; may be empty in a draft.
    #[serde(default)]
    pub findings: String,
    /// What it means; may be empty in a draft.
    #[serde(default)]
    pub impression: String,
    /// The diagnoses, as codes.
    #[serde(default)]
    pub codes: Vec<Coding>,
    /// Somebody has to act at once.
    #[serde(default)]
    pub critical: bool,
    /// Why; empty unless it is critical.
    #[serde(default)]
    pub critical_result: String,
    /// Whom it is about, as people read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<DocumentPatient>,
}

impl DocumentContent for ReportContent {
    const NOUN: &'static str = "report";

    fn patient(&self) -> Option<&DocumentPatient> {
        self.patient.as_ref()
    }

    fn patient_mut(&mut self) -> &mut Option<DocumentPatient> {
        &mut self.patient
    }

    fn study_instance_uids(&self) -> &[String] {
        &self.study_instance_uids
    }

    fn finalized(report: &Report) -> Event {
        Event::ReportFinalized {
            report_id: report.id,
            consultation_id: report.consultation_id,
            doctor_id: report.doctor_id,
            critical: report.content.critical,
        }
    }

    fn cancelled(report: &Report) -> Event {
        Event::ReportCancelled {
            report_id: report.id,
            consultation_id: report.consultation_id,
            doctor_id: report.doctor_id,
        }
    }
}

/// A diagnosis as a code of a system, with its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coding {
    /// [`ICD_10`], [`ICD_10_CM`], [`SNOMED_CT`] or [`RADLEX`].
    pub system: String,
    /// The code.
    pub code: String,
    /// What it stands for.
    pub text: String,
}

/// The WHO's ICD-10 as a code system of FHIR.
pub const ICD_10: &str = "http://hl7.org/fhir/sid/icd-10";
/// The clinical modification of ICD-10 that is used in the United States, as a code system of FHIR.
pub const ICD_10_CM: &str = "http://hl7.org/fhir/sid/icd-10-cm";
/// SNOMED CT as a code system of FHIR.
pub const SNOMED_CT: &str = "http://snomed.info/sct";
/// RadLex (PS3.16 8, `RADLEX`).
pub const RADLEX: &str = "http://www.radlex.org";

/// Whether a code has the form of its system.
pub fn is_diagnosis_code(system: &str, code: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match system {
        ICD_10 | ICD_10_CM => is_icd_10(code),
        // The last digit is a check digit; shorter ones than six there are none.
        SNOMED_CT => (6..=18).contains(&code.len()) && digits(code) && !code.starts_with('0'),
        RADLEX => code.len() <= 12 && code.strip_prefix("RID").is_some_and(digits),
        _ => false,
    }
}

/// `J18`, `J18.9`, `S52.501A`: a letter, a digit, a digit or letter, and up to four more behind a point.
fn is_icd_10(code: &str) -> bool {
    let (category, detail) = code.split_once('.').map_or((code, None), |(one, other)| (one, Some(other)));
    let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let is_category = matches!(category.as_bytes(), [letter, digit, third]
        if letter.is_ascii_uppercase() && digit.is_ascii_digit() && upper(*third));
    is_category && detail.is_none_or(|detail| (1..=4).contains(&detail.len()) && detail.bytes().all(upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_diagnoses() {
        for (system, code) in [
            (ICD_10, "J18"),
            (ICD_10, "J18.9"),
            (ICD_10_CM, "S52.501A"),
            (ICD_10_CM, "C7A.1"),
            (SNOMED_CT, "233604007"),
            (RADLEX, "RID5350"),
        ] {
            assert!(is_diagnosis_code(system, code), "{system} {code}");
        }
        for (system, code) in [
            (ICD_10, ""),
            (ICD_10, "j18.9"),
            (ICD_10, "J18."),
            (ICD_10, "J18.12345"),
            (ICD_10, "118"),
            (SNOMED_CT, "12345"),
            (SNOMED_CT, "23360400x"),
            (RADLEX, "RID"),
            (RADLEX, "5350"),
            ("http://x", "J18"),
            ("", ""),
        ] {
            assert!(!is_diagnosis_code(system, code), "{system} {code}");
        }
    }

    #[test]
    fn a_report_reads_what_it_writes() {
        let written = ReportContent {
            study_instance_uids: vec!["1.2.3".into()],
            impression: "No fracture.".into(),
            codes: vec![Coding { system: ICD_10.into(), code: "Z01.6".into(), text: "X-ray".into() }],
            ..ReportContent::default()
        };
        let json = serde_json::to_string(&written).expect("JSON");
        assert_eq!(serde_json::from_str::<ReportContent>(&json).expect("a report"), written);
        assert!(serde_json::from_str::<ReportContent>(&json.replace("technique", "technics")).is_err());
    }
}
