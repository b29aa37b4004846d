//! `POST /break-glass`: an emergency access to one patient.

use axum::{extract::State, http::StatusCode};
use database::{BreakGlassRefused, NewBreakGlass};
use serde::Deserialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;

use super::BreakGlassBody;
use crate::{
    audit, errors,
    input::{check::Checks, json::JsonBody},
    policy::{BreakGlass, Permit},
    state::AppState,
};

/// Shortest reason in characters.
const REASON_LENGTH_MIN: usize = 20;
/// Longest reason in characters.
const REASON_LENGTH_MAX: usize = 2_000;

/// Whose X-rays, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Emergency {
    /// Patient ID (0010,0020).
    #[schema(example = "P-1001", min_length = 1, max_length = 64)]
    patient_id: String,
    /// Issuer of Patient ID (0010,0021); leave it out to take any.
    #[serde(default)]
    #[schema(max_length = 64)]
    issuer_of_patient_id: String,
    /// Why; somebody else will read it.
    #[schema(
        example = "Unconscious after a fall, earlier thorax images are needed",
        min_length = 20,
        max_length = 2000
    )]
    reason: String,
}

/// Read a patient's X-rays in an emergency
///
/// Thirty minutes, this patient, reading only; administrators are alerted at once and review it. Three a day
/// (`[access]`). The answer is the same whether the patient is known or not.
#[utoipa::path(
    post,
    path = "/break-glass",
    tag = "break-glass",
    security(("bearer" = ["break_glass"])),
    request_body = Emergency,
    responses(
        (status = 201, description = "Begun", body = BreakGlassBody),
        (status = 409, description = "Those of a day are used up, or an earlier one waits too long for its review",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn start_break_glass(
    State(state): State<AppState>,
    permit: Permit<BreakGlass>,
    JsonBody(request): JsonBody<Emergency>,
) -> Result<(StatusCode, Json<BreakGlassBody>), Problem> {
    let mut checks = Checks::new();
    checks.require(!request.patient_id.trim().is_empty(), "patient_id", "is empty");
    checks.patient_id("patient_id", &request.patient_id);
    checks.patient_id("issuer_of_patient_id", &request.issuer_of_patient_id);
    checks.text("reason", &request.reason, REASON_LENGTH_MAX);
    let long_enough = request.reason.trim().chars().count() >= REASON_LENGTH_MIN;
    checks.require(long_enough, "reason", "has fewer than 20 characters");
    checks.finish()?;
    let caller = &permit.caller.principal;
    let new = NewBreakGlass {
        user_id: caller.user_id,
        doctor_id: caller.doctor_id.ok_or_else(Problem::forbidden)?,
        patient_id: request.patient_id,
        issuer_of_patient_id: request.issuer_of_patient_id,
        reason: request.reason,
    };
    match state.database().start_break_glass(new, &permit.caller.actor()).await {
        Ok(access) => Ok((StatusCode::CREATED, Json(access.into()))),
        Err(BreakGlassRefused::Database(error)) => Err(errors::database(error)),
        Err(refusal) => {
            audit::refused(&state, &permit.caller, "start_break_glass").await?;
            let kind = match refusal {
                BreakGlassRefused::Unreviewed => "break-glass-unreviewed",
                BreakGlassRefused::UsedUp | BreakGlassRefused::Database(_) => "break-glass-used-up",
            };
            Err(Problem::conflict(refusal.to_string()).kind(kind))
        }
    }
}
