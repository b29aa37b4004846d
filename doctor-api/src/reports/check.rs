//! What a report cannot say: each refusal with the path of its field.

use chrono::{DateTime, Utc};
use model::{
    StudyInstanceUid,
    clinical::{ReportContent, is_diagnosis_code},
};
use service::http::problem::Problem;

use crate::{documents::patient, input::check::Checks};

/// Most studies of a report, and most codes.
const LIST_LENGTH_MAX: usize = 50;
/// Longest findings in characters.
const FINDINGS_LENGTH_MAX: usize = 20_000;
/// Longest other section in characters.
const SECTION_LENGTH_MAX: usize = 5_000;
/// Longest critical result in characters.
const CRITICAL_RESULT_LENGTH_MAX: usize = 2_000;
/// Longest words of a code in characters.
const CODE_TEXT_LENGTH_MAX: usize = 300;

/// # Errors
/// 422 that names every refused field.
pub fn check(content: &ReportContent, now: DateTime<Utc>) -> Result<(), Problem> {
    let mut checks = Checks::new();
    check_studies(&mut checks, &content.study_instance_uids);
    for (field, text) in [
        ("clinical_information", &content.clinical_information),
        ("technique", &content.technique),
        ("comparison", &content.comparison),
        ("impression", &content.impression),
    ] {
        checks.text(field, text, SECTION_LENGTH_MAX);
    }
    checks.text("findings", &content.findings, FINDINGS_LENGTH_MAX);
    check_codes(&mut checks, content);
    checks.text("critical_result", &content.critical_result, CRITICAL_RESULT_LENGTH_MAX);
    let is_said = !content.critical_result.trim().is_empty();
    let message = if content.critical { "is empty" } else { "is for critical results: set critical, too" };
    checks.require(is_said == content.critical, "critical_result", message);
    if let Some(patient) = &content.patient {
        patient::check(&mut checks, patient, now);
    }
    checks.finish()
}

/// What a signed report says, and a draft may lack.
///
/// # Errors
/// 422 that names every field that is missing.
pub fn is_whole(content: &ReportContent) -> Result<(), Problem> {
    let mut checks = Checks::new();
    checks.require(!content.findings.trim().is_empty(), "findings", "is empty");
    checks.require(!content.impression.trim().is_empty(), "impression", "is empty");
    checks.finish()
}

fn check_studies(checks: &mut Checks, uids: &[String]) {
    checks.require(!uids.is_empty(), "study_instance_uids", "is empty");
    if uids.len() > LIST_LENGTH_MAX {
        checks.refuse("study_instance_uids", format!("has more than {LIST_LENGTH_MAX} entries"));
    }
    for (index, uid) in uids.iter().take(LIST_LENGTH_MAX).enumerate() {
        let field = format!("study_instance_uids[{index}]");
        if let Err(error) = StudyInstanceUid::parse(uid) {
            checks.refuse(&field, error.to_string());
        }
        checks.require(!uids[..index].contains(uid), &field, "stands there twice");
    }
}

fn check_codes(checks: &mut Checks, content: &ReportContent) {
    if content.codes.len() > LIST_LENGTH_MAX {
        checks.refuse("codes", format!("has more than {LIST_LENGTH_MAX} entries"));
    }
    for (index, coding) in content.codes.iter().take(LIST_LENGTH_MAX).enumerate() {
        checks.filled_line(&format!("codes[{index}].text"), &coding.text, CODE_TEXT_LENGTH_MAX);
        let message = "is no code of ICD-10, SNOMED CT or RadLex; name its system as FHIR does";
        let known = is_diagnosis_code(&coding.system, &coding.code);
        checks.require(known, &format!("codes[{index}].code"), message);
    }
}
