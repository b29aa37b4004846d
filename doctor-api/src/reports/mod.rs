//! Radiology reports: drafts, signatures, what takes their place, and whether one is genuine.

pub mod cancel_report;
mod check;
mod content;
pub mod create_report;
pub mod finalize_report;
pub mod get_report;
pub mod get_report_pdf;
pub mod replace_report;
pub mod update_report;
pub mod verify_report;

use axum::{http::StatusCode, response::Response};
use chrono::NaiveDate;
use model::clinical::Report;
use serde::Serialize;
use service::http::problem::Problem;
use utoipa::ToSchema;

use self::content::CodingBody;
use crate::{
    documents::{
        DocumentBody,
        licence::{self, DocumentWarningBody},
        tagged,
    },
    state::AppState,
};

/// A report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Report)]
pub struct ReportBody {
    /// Where it stands, whose it is.
    #[serde(flatten)]
    document: DocumentBody,
    /// Study Instance UIDs (0020,000D) of what was read.
    study_instance_uids: Vec<String>,
    /// Why the images were made.
    clinical_information: String,
    /// How they were made.
    technique: String,
    /// With which earlier ones they were compared.
    comparison: String,
    /// What is seen.
    #[schema(example = "Consolidation of the right lower lobe.")]
    findings: String,
    /// What it means.
    #[schema(example = "Pneumonia of the right lower lobe.")]
    impression: String,
    /// The diagnoses, as codes.
    codes: Vec<CodingBody>,
    /// Somebody has to act at once.
    critical: bool,
    /// Why; empty unless it is critical.
    critical_result: String,
    /// What to look at before signing; it forbids nothing.
    warnings: Vec<DocumentWarningBody>,
}

/// The report with what to look at, and its ETag.
async fn answer(state: &AppState, status: StatusCode, report: Report) -> Result<Response, Problem> {
    let licence_ended = licence::ended_of_draft(state, &report).await?;
    Ok(answer_with(state, status, report, licence_ended))
}

/// The same when it is known whether the doctor's licences are over, and since which day.
fn answer_with(
    state: &AppState,
    status: StatusCode,
    report: Report,
    licence_ended: Option<NaiveDate>,
) -> Response {
    let version = report.version;
    let (document, content) = DocumentBody::split(state, report);
    let body = ReportBody {
        document,
        study_instance_uids: content.study_instance_uids,
        clinical_information: content.clinical_information,
        technique: content.technique,
        comparison: content.comparison,
        findings: content.findings,
        impression: content.impression,
        codes: content.codes.into_iter().map(Into::into).collect(),
        critical: content.critical,
        critical_result: content.critical_result,
        warnings: licence_ended.map(Into::into).into_iter().collect(),
    };
    tagged(status, version, body)
}
