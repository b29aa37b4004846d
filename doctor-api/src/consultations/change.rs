//! What the commands share: the remark that goes into the history, and what a refusal says.

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use database::{BookingError, Calendar, ChangeConsultation, ChangeError};
use model::clinical::{ConsultationCommand, ConsultationStatus};
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use super::answer;
use crate::{
    errors,
    input::{
        check::Checks,
        etag::{changed_meanwhile, expected_version},
    },
    policy::{Permit, UpdateConsultation},
    state::AppState,
};

/// Longest remark in characters.
pub const REMARK_LENGTH_MAX: usize = 500;

/// Why it is done, for the history. The body may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Remark {
    /// In a few words.
    #[serde(default)]
    #[schema(example = "The patient called", max_length = 500)]
    pub remark: String,
}

/// Carries out a command that needs nothing but a remark.
pub async fn command(
    state: &AppState,
    permit: &Permit<UpdateConsultation>,
    (id, headers): (Uuid, &HeaderMap),
    command: ConsultationCommand,
    remark: Remark,
) -> Result<Response, Problem> {
    let change = ChangeConsultation { remark: remark.remark, ..ChangeConsultation::new(command) };
    carry_out(state, permit, (id, headers), Checks::new(), change).await
}

/// Carries out a command; `checks` are those of what it needs.
pub async fn carry_out(
    state: &AppState,
    permit: &Permit<UpdateConsultation>,
    (id, headers): (Uuid, &HeaderMap),
    mut checks: Checks,
    mut change: ChangeConsultation,
) -> Result<Response, Problem> {
    checks.text("remark", &change.remark, REMARK_LENGTH_MAX);
    checks.finish()?;
    if headers.contains_key(header::IF_MATCH) {
        change.expected_version = Some(expected_version(headers)?);
    }
    let actor = permit.caller.actor();
    let changed = state.database().change_consultation(&permit.scope, id, change, &actor).await;
    Ok(answer(StatusCode::OK, changed.map_err(refusal)?))
}

/// Total on purpose, as [`errors::database`].
pub fn refusal(error: ChangeError) -> Problem {
    match error {
        ChangeError::Illegal(status) => illegal(status),
        ChangeError::DoctorHasTo => Problem::conflict("its doctor has to do this").kind("doctor-has-to"),
        ChangeError::Changed => changed_meanwhile(),
        ChangeError::DoctorInactive => takes_no_consultations(),
        ChangeError::Taken(whose) => taken(whose),
        ChangeError::Database(error) => errors::database(error),
    }
}

/// The same for a booking.
pub fn not_booked(error: BookingError) -> Problem {
    match error {
        BookingError::Taken(whose) => taken(whose),
        BookingError::HoldGone => Problem::conflict("the hold is over, or is not yours").kind("hold-gone"),
        BookingError::Database(error) => errors::database(error),
    }
}

/// What a booking is refused with, and what asks for a doctor as a booking does.
pub fn takes_no_consultations() -> Problem {
    Problem::conflict("this doctor takes no consultations at present")
}

fn illegal(status: ConsultationStatus) -> Problem {
    let legal: Vec<&str> = status.legal_commands().map(ConsultationCommand::as_str).collect();
    let legal = if legal.is_empty() { "none".to_owned() } else { legal.join(", ") };
    let detail = format!("the consultation is {}; what can be done with it: {legal}", status.as_str());
    Problem::conflict(detail).kind("illegal-transition")
}

fn taken(whose: Calendar) -> Problem {
    match whose {
        Calendar::Doctor => {
            Problem::conflict("the doctor has another consultation then, or the time is held")
                .kind("doctor-taken")
        }
        Calendar::Patient => {
            Problem::conflict("the patient has another consultation then").kind("patient-taken")
        }
    }
}
