//! What doctors reported on the studies of a consultation, in short.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use model::{
    access::Action,
    clinical::{Consultation, DocumentStatus, Report},
};
use serde::Serialize;
use service::http::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{errors, policy::Caller, state::AppState};

/// Most reports of the patient that are looked through, the newest.
const REPORTS_MAX: u32 = 1_000;

/// A signed report on a study, in short. One that was taken back, or whose place another one took, is none.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StudyFinding {
    /// The report.
    id: Uuid,
    /// By whom.
    doctor_id: Uuid,
    /// When it was signed.
    finalized_at: DateTime<Utc>,
    /// What it means.
    impression: String,
    /// Somebody has to act at once.
    critical: bool,
}

/// Findings by Study Instance UID.
pub(super) struct Findings(HashMap<String, Vec<StudyFinding>>);

impl Findings {
    /// Those on a study, the newest first.
    pub(super) fn take(&mut self, study_instance_uid: &str) -> Vec<StudyFinding> {
        self.0.remove(study_instance_uid).unwrap_or_default()
    }
}

/// The patient's findings, as far as the caller may read reports.
pub(super) async fn findings_of(
    state: &AppState,
    caller: &Caller,
    consultation: &Consultation,
) -> Result<Findings, Problem> {
    let mut findings: HashMap<String, Vec<StudyFinding>> = HashMap::new();
    let Ok(scope) = caller.principal.authorize(Action::ReadReport) else { return Ok(Findings(findings)) };
    let of = (consultation.patient_id.as_str(), Some(consultation.issuer_of_patient_id.as_str()));
    let reports = state.database().documents_of_patient(&scope, of.0, of.1, REPORTS_MAX).await;
    let reports: Vec<Report> = reports.map_err(errors::database)?;
    for report in reports.into_iter().filter(|report| report.status == DocumentStatus::Finalized) {
        let Some(signed) = report.signed else { continue };
        let finding = StudyFinding {
            id: report.id,
            doctor_id: report.doctor_id,
            finalized_at: signed.finalized_at,
            impression: report.content.impression,
            critical: report.content.critical,
        };
        for uid in report.content.study_instance_uids {
            findings.entry(uid).or_default().push(finding.clone());
        }
    }
    for of_study in findings.values_mut() {
        of_study.sort_by_key(|finding| std::cmp::Reverse(finding.finalized_at));
    }
    Ok(Findings(findings))
}
