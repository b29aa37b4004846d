//! `POST /doctors/{id}/consultation`: books a meeting for a time to come, or starts one now.

use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, TimeDelta, Utc};
use database::NewConsultation;
use model::clinical::ConsultationStatus;
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    ConsultationBody, answer,
    change::{not_booked, takes_no_consultations},
};
use crate::{
    doctors::require_doctor_in_reach,
    input::{
        check::{Checks, kept},
        json::JsonBody,
        path::PathParameters,
    },
    location::at,
    policy::{CreateConsultation, Permit},
    state::AppState,
};

/// Length of an appointment when the request does not say, in minutes.
pub const DURATION_DEFAULT_MINUTES: u32 = 30;
/// Longest appointment, in minutes.
pub const DURATION_MAX_MINUTES: u32 = 480;
/// Shortest appointment, in minutes.
const DURATION_MIN_MINUTES: u32 = 5;
/// Longest name of a patient in characters: three component groups of PS3.5 6.2, PN.
pub const PATIENT_NAME_LENGTH_MAX: usize = 3 * 64 + 2;
/// Longest reason in characters.
pub const REASON_LENGTH_MAX: usize = 2_000;
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
    /// Length of an appointment in minutes, 30 when left out. What starts now takes no time in the calendars.
    #[schema(minimum = 5, maximum = 480)]
    duration_minutes: Option<u32>,
    /// Only ask for it: the doctor confirms it, and no time is taken before. Needs `scheduled_at`.
    #[serde(default)]
    proposed: bool,
    /// A hold of yours on this time (`POST /doctors/{id}/availability/holds`), which the booking takes the place of.
    hold_id: Option<Uuid>,
    /// Why the patient comes.
    #[serde(default)]
    #[schema(example = "Cough for three weeks", max_length = 2000)]
    reason: String,
}

/// Book or start a consultation
///
/// No two appointments of a doctor, and no two of a patient, overlap. A consultation that starts now is not an
/// appointment: emergencies come between.
///
/// A booking is checked against other bookings and against holds, and against nothing else: hours, time off, notice and
/// buffer say what `GET /doctors/{id}/availability` shows as free and are not enforced, so that staff can book outside of
/// them. Who must not do so books what is shown there.
#[utoipa::path(
    post,
    path = "/doctors/{id}/consultation",
    tag = "consultations",
    security(("bearer" = ["create_consultation"])),
    params(("id" = Uuid, Path, description = "Doctor")),
    request_body = BookConsultation,
    responses(
        (status = 201, description = "Booked or started", body = ConsultationBody,
         headers(("Location" = String, description = "Where the consultation is"),
                 ("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "The time is taken, the hold is over, or the doctor takes no consultations", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn create_consultation(
    State(state): State<AppState>,
    permit: Permit<CreateConsultation>,
    PathParameters(doctor_id): PathParameters<Uuid>,
    JsonBody(request): JsonBody<BookConsultation>,
) -> Result<Response, Problem> {
    let now = state.clock.now();
    check(&request, now)?;
    let doctor = require_doctor_in_reach(&state, &permit.scope, doctor_id).await?;
    if !doctor.active {
        return Err(takes_no_consultations());
    }
    let scheduled_at = request.scheduled_at.map(kept);
    let status = match scheduled_at {
        Some(_) if request.proposed => ConsultationStatus::Proposed,
        Some(_) => ConsultationStatus::Booked,
        None => ConsultationStatus::InProgress,
    };
    let length = TimeDelta::minutes(i64::from(request.duration_minutes.unwrap_or(DURATION_DEFAULT_MINUTES)));
    let new = NewConsultation {
        doctor_id,
        patient_id: request.patient_id,
        issuer_of_patient_id: request.issuer_of_patient_id,
        patient_name: request.patient_name,
        status,
        scheduled_at: scheduled_at.unwrap_or(now),
        ends_at: scheduled_at.map(|at| at + length),
        hold_id: request.hold_id,
        reason: request.reason,
    };
    let created = state.database().create_consultation(&permit.scope, new, &permit.caller.actor()).await;
    let consultation = created.map_err(not_booked)?;
    let location = format!("/consultations/{}", consultation.id);
    Ok(at(&location, answer(StatusCode::CREATED, consultation)))
}

fn check(request: &BookConsultation, now: DateTime<Utc>) -> Result<(), Problem> {
    let mut checks = Checks::new();
    checks.require(!request.patient_id.trim().is_empty(), "patient_id", "is empty");
    checks.patient_id("patient_id", &request.patient_id);
    checks.patient_id("issuer_of_patient_id", &request.issuer_of_patient_id);
    checks.line("patient_name", &request.patient_name, PATIENT_NAME_LENGTH_MAX);
    checks.text("reason", &request.reason, REASON_LENGTH_MAX);
    if let Some(at) = request.scheduled_at {
        check_start(&mut checks, at, now);
    }
    check_duration(&mut checks, request.duration_minutes);
    let appointed = request.scheduled_at.is_some();
    checks.require(appointed || !request.proposed, "scheduled_at", "is needed for what is only proposed");
    checks.require(appointed || request.hold_id.is_none(), "scheduled_at", "is needed with a hold");
    checks.finish()
}

/// An appointment lies ahead, and not too far.
pub fn check_start(checks: &mut Checks, at: DateTime<Utc>, now: DateTime<Utc>) {
    let past = at < now - TimeDelta::seconds(PAST_LEEWAY_SECONDS);
    checks.require(!past, "scheduled_at", "lies in the past");
    let near = at <= now + TimeDelta::days(AHEAD_MAX_DAYS);
    checks.require(near, "scheduled_at", "lies more than two years ahead");
}

/// How long an appointment can be.
pub fn check_duration(checks: &mut Checks, minutes: Option<u32>) {
    if !minutes.is_none_or(|minutes| (DURATION_MIN_MINUTES..=DURATION_MAX_MINUTES).contains(&minutes)) {
        let bounds = format!("must be {DURATION_MIN_MINUTES} to {DURATION_MAX_MINUTES}");
        checks.refuse("duration_minutes", bounds);
    }
}
