//! `POST /doctors/{id}/consultation`: books a meeting for a time to come, or starts one now.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header},
};
use chrono::{DateTime, TimeDelta, Utc};
use database::NewConsultation;
use model::clinical::ConsultationStatus;
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ConsultationBody, require_doctor};
use crate::{
    errors,
    input::{check::Checks, json::JsonBody, path::PathParameters},
    policy::{CreateConsultation, Permit},
    state::AppState,
};

/// Longest name of a patient in characters: three component groups of PS3.5 6.2, PN.
const PATIENT_NAME_LENGTH_MAX: usize = 3 * 64 + 2;
/// Longest reason in characters.
const REASON_LENGTH_MAX: usize = 2_000;
/// How far clocks may be apart before a booking lies in the past, in seconds.
const PAST_LEEWAY_SECONDS: i64 = 300;
/// How far ahead a booking may lie, in days.
const AHEAD_MAX_DAYS: i64 = 730;

/// Who comes to the doctor, and when.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BookConsultation {
    /// Patient ID (0010,0020) as the X-ray machine has it.
    #[schema(example = "P-1001", min_length = 1, max_length = 64)]
    patient_id: String,
    /// Issuer of Patient ID (0010,0021); leave it out to take any.
    #[serde(default)]
    #[schema(max_length = 64)]
    issuer_of_patient_id: String,
    /// Name of the patient, for people.
    #[serde(default)]
    #[schema(example = "Mensah^Kofi", max_length = 194)]
    patient_name: String,
    /// Start (RFC 3339); leave it out to start now.
    scheduled_at: Option<DateTime<Utc>>,
    /// Why the patient comes.
    #[serde(default)]
    #[schema(example = "Cough for three weeks", max_length = 2000)]
    reason: String,
}

/// Book or start a consultation
#[utoipa::path(
    post,
    path = "/doctors/{id}/consultation",
    tag = "consultations",
    security(("bearer" = ["create_consultation"])),
    params(("id" = Uuid, Path, description = "Doctor")),
    request_body = BookConsultation,
    responses(
        (status = 201, description = "Booked or started", body = ConsultationBody,
         headers(("Location" = String, description = "Where the consultation is"))),
        (status = 409, description = "The doctor takes no consultations", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn create_consultation(
    State(state): State<AppState>,
    permit: Permit<CreateConsultation>,
    PathParameters(doctor_id): PathParameters<Uuid>,
    JsonBody(request): JsonBody<BookConsultation>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<ConsultationBody>), Problem> {
    let now = state.clock.now();
    check(&request, now)?;
    let doctor = require_doctor(&state, &permit.scope, doctor_id).await?;
    if !doctor.active {
        return Err(Problem::conflict("this doctor takes no consultations at present"));
    }
    let status = match request.scheduled_at {
        Some(_) => ConsultationStatus::Booked,
        None => ConsultationStatus::InProgress,
    };
    let new = NewConsultation {
        doctor_id,
        patient_id: request.patient_id,
        issuer_of_patient_id: request.issuer_of_patient_id,
        patient_name: request.patient_name,
        status,
        scheduled_at: request.scheduled_at.unwrap_or(now),
        reason: request.reason,
    };
    let created = state.database().create_consultation(&permit.scope, new, &permit.caller.actor()).await;
    let consultation = created.map_err(errors::database)?;
    let location = format!("/consultations/{}", consultation.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(consultation.into())))
}

fn check(request: &BookConsultation, now: DateTime<Utc>) -> Result<(), Problem> {
    let mut checks = Checks::new();
    checks.require(!request.patient_id.trim().is_empty(), "patient_id", "is empty");
    checks.patient_id("patient_id", &request.patient_id);
    checks.patient_id("issuer_of_patient_id", &request.issuer_of_patient_id);
    checks.line("patient_name", &request.patient_name, PATIENT_NAME_LENGTH_MAX);
    checks.text("reason", &request.reason, REASON_LENGTH_MAX);
    if let Some(at) = request.scheduled_at {
        checks.require(
            at >= now - TimeDelta::seconds(PAST_LEEWAY_SECONDS),
            "scheduled_at",
            "lies in the past",
        );
        let near = at <= now + TimeDelta::days(AHEAD_MAX_DAYS);
        checks.require(near, "scheduled_at", "lies more than two years ahead");
    }
    checks.finish()
}
