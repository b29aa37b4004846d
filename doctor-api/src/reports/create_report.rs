//! `POST /doctors/{id}/report`: a draft for a consultation that has begun.

use axum::{extract::State, http::StatusCode, response::Response};
use model::clinical::ReportContent;
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    ReportBody, answer,
    check::check,
    content::{CodingBody, ReportContentBody},
};
use crate::{
    documents::{commands::create, patient::PatientBody},
    input::{json::JsonBody, path::PathParameters},
    location::at,
    policy::{Permit, WriteReport},
    state::AppState,
};

/// What is reported, in which consultation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateReport {
    /// The consultation: one of the doctor's that is in progress, or was completed lately.
    consultation_id: Uuid,
    /// Study Instance UIDs (0020,000D) of what was read: studies of the consultation, or of its patient.
    #[schema(min_items = 1, max_items = 50, example = json!(["1.2.826.0.1.3680043.8.498.1"]))]
    study_instance_uids: Vec<String>,
    /// Why the images were made.
    #[serde(default)]
    #[schema(max_length = 5000, example = "Cough and fever for three days.")]
    clinical_information: String,
    /// How they were made.
    #[serde(default)]
    #[schema(max_length = 5000, example = "Chest, PA and lateral.")]
    technique: String,
    /// With which earlier ones they were compared.
    #[serde(default)]
    #[schema(max_length = 5000, example = "None.")]
    comparison: String,
    /// What is seen; needed to sign.
    #[serde(default)]
    #[schema(max_length = 20000, example = "Consolidation of the right lower lobe.")]
    findings: String,
    /// What it means; needed to sign.
    #[serde(default)]
    #[schema(max_length = 5000, example = "Pneumonia of the right lower lobe.")]
    impression: String,
    /// The diagnoses, as codes.
    #[serde(default)]
    #[schema(max_items = 50)]
    codes: Vec<CodingBody>,
    /// Somebody has to act at once: the event says so, and the paper says it first.
    #[serde(default)]
    critical: bool,
    /// Why, and whom you told; only when it is critical.
    #[serde(default)]
    #[schema(max_length = 2000)]
    critical_result: String,
    /// Whom it is about, as it is printed; left out, as the booking says, or the images that the doctor may see.
    #[serde(default)]
    patient: Option<PatientBody>,
}

impl From<CreateReport> for ReportContentBody {
    fn from(request: CreateReport) -> Self {
        Self {
            study_instance_uids: request.study_instance_uids,
            clinical_information: request.clinical_information,
            technique: request.technique,
            comparison: request.comparison,
            findings: request.findings,
            impression: request.impression,
            codes: request.codes,
            critical: request.critical,
            critical_result: request.critical_result,
            patient: request.patient,
        }
    }
}

/// Begin a report
///
/// It is a draft, which nobody else sees, until `/finalize` signs it.
#[utoipa::path(
    post,
    path = "/doctors/{id}/report",
    tag = "reports",
    security(("bearer" = ["write_report"])),
    params(("id" = Uuid, Path, description = "Doctor")),
    request_body = CreateReport,
    responses(
        (status = 201, description = "A draft", body = ReportBody,
         headers(("Location" = String, description = "Where the report is"),
                 ("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "The consultation has not begun, or was not held", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn create_report(
    State(state): State<AppState>,
    permit: Permit<WriteReport>,
    PathParameters(doctor_id): PathParameters<Uuid>,
    JsonBody(request): JsonBody<CreateReport>,
) -> Result<Response, Problem> {
    let consultation_id = request.consultation_id;
    let content = ReportContent::from(ReportContentBody::from(request));
    check(&content, state.clock.now())?;
    let draft = create(&state, &permit, (doctor_id, consultation_id), content).await?;
    let location = format!("/reports/{}", draft.id);
    Ok(at(&location, answer(&state, StatusCode::CREATED, draft).await?))
}
