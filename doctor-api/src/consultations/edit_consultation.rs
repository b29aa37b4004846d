//! `PATCH /consultations/{id}`: changes what a consultation says, until it is over.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use database::ConsultationEdit;
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    ConsultationBody, answer,
    change::refusal,
    create_consultation::{PATIENT_NAME_LENGTH_MAX, REASON_LENGTH_MAX},
};
use crate::{
    input::{check::Checks, etag::expected_version, json::JsonBody, path::PathParameters},
    policy::{Permit, UpdateConsultation},
    state::AppState,
};

/// What to change; what is left out stays. Time, doctor and status have commands of their own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditConsultation {
    /// Name of the patient, for people.
    #[schema(example = "Mensah^Kofi", max_length = 194)]
    patient_name: Option<String>,
    /// Why the patient comes.
    #[schema(example = "Cough for three weeks", max_length = 2000)]
    reason: Option<String>,
}

/// Change what a consultation says
///
/// Until it is over; a paramedic changes an own case until its doctor is in it.
#[utoipa::path(
    patch,
    path = "/consultations/{id}",
    tag = "consultations",
    security(("bearer" = ["update_consultation"])),
    params(
        ("id" = Uuid, Path, description = "Consultation"),
        ("If-Match" = String, Header, description = "ETag of what the change is made on")
    ),
    request_body = EditConsultation,
    responses(
        (status = 200, description = "Changed", body = ConsultationBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "It is over, or its doctor has to do this", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 412, description = "It was changed meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn edit_consultation(
    State(state): State<AppState>,
    permit: Permit<UpdateConsultation>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<EditConsultation>,
) -> Result<Response, Problem> {
    let EditConsultation { patient_name, reason } = request;
    let mut checks = Checks::new();
    checks.line("patient_name", patient_name.as_deref().unwrap_or_default(), PATIENT_NAME_LENGTH_MAX);
    checks.text("reason", reason.as_deref().unwrap_or_default(), REASON_LENGTH_MAX);
    checks.finish()?;
    let edit = (expected_version(&headers)?, ConsultationEdit { patient_name, reason });
    let edited = state.database().edit_consultation(&permit.scope, id, edit, &permit.caller.actor()).await;
    Ok(answer(StatusCode::OK, edited.map_err(refusal)?))
}
