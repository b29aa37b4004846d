//! `POST /doctors/{id}/availability/holds`: keeps a time free for a few minutes, while a booking is being made.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use database::{BookingError, DatabaseError, Hold, NewHold, Span};
use serde::{Deserialize, Serialize};
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    consultations::{
        change::not_booked,
        create_consultation::{DURATION_DEFAULT_MINUTES, check_duration, check_start},
    },
    doctors::require_doctor_in_reach,
    input::{
        check::{Checks, kept},
        json::JsonBody,
        path::PathParameters,
    },
    policy::{CreateConsultation, Permit},
    state::AppState,
};

/// How long a time is held when the request does not say, in minutes.
const MINUTES_DEFAULT: u32 = 5;
/// Longest time for which it is held, in minutes.
const MINUTES_MAX: u32 = 60;
/// Times that one account holds at once.
const HOLDS_MAX: u32 = 20;

/// The time to hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateHold {
    /// Start (RFC 3339).
    scheduled_at: DateTime<Utc>,
    /// Length of the appointment in minutes, 30 when left out.
    #[schema(minimum = 5, maximum = 480)]
    duration_minutes: Option<u32>,
    /// For how long it is held, 5 when left out.
    #[schema(minimum = 1, maximum = 60)]
    minutes: Option<u32>,
}

/// A time that is held.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hold)]
pub struct HoldBody {
    /// Identity: give it as `hold_id` when booking.
    id: Uuid,
    /// The doctor.
    doctor_id: Uuid,
    /// Begins.
    starts_at: DateTime<Utc>,
    /// Ends.
    ends_at: DateTime<Utc>,
    /// It is free again by itself then.
    expires_at: DateTime<Utc>,
}

impl From<Hold> for HoldBody {
    fn from(Hold { id, doctor_id, span, expires_at }: Hold) -> Self {
        Self { id, doctor_id, starts_at: span.starts_at, ends_at: span.ends_at, expires_at }
    }
}

/// Hold a time
///
/// Nobody else can book it until the hold expires or is given back. Book with `hold_id` to take its place.
#[utoipa::path(
    post,
    path = "/doctors/{id}/availability/holds",
    tag = "availability",
    security(("bearer" = ["create_consultation"])),
    params(("id" = Uuid, Path, description = "Doctor")),
    request_body = CreateHold,
    responses(
        (status = 201, description = "Held", body = HoldBody),
        (status = 409, description = "The time is taken, or the account holds too many", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn create_hold(
    State(state): State<AppState>,
    permit: Permit<CreateConsultation>,
    PathParameters(doctor_id): PathParameters<Uuid>,
    JsonBody(request): JsonBody<CreateHold>,
) -> Result<(StatusCode, Json<HoldBody>), Problem> {
    let mut checks = Checks::new();
    check_start(&mut checks, request.scheduled_at, state.clock.now());
    check_duration(&mut checks, request.duration_minutes);
    let minutes = request.minutes.unwrap_or(MINUTES_DEFAULT);
    checks.require((1..=MINUTES_MAX).contains(&minutes), "minutes", "must be 1 to 60");
    checks.finish()?;
    let doctor = require_doctor_in_reach(&state, &permit.scope, doctor_id).await?;
    if !doctor.active {
        return Err(Problem::conflict("this doctor takes no consultations at present"));
    }
    let length = request.duration_minutes.unwrap_or(DURATION_DEFAULT_MINUTES);
    let starts_at = kept(request.scheduled_at);
    let ends_at = starts_at + TimeDelta::minutes(i64::from(length));
    let new = NewHold {
        doctor_id,
        span: Span { starts_at, ends_at },
        lasts: TimeDelta::minutes(i64::from(minutes)),
    };
    let held = state.database().create_hold(&permit.scope, new, HOLDS_MAX, &permit.caller.actor()).await;
    let hold = held.map_err(|error| match error {
        BookingError::Database(DatabaseError::Conflict(_)) => {
            Problem::conflict("this account holds too many times; give one back").kind("too-many-holds")
        }
        other => not_booked(other),
    })?;
    Ok((StatusCode::CREATED, Json(hold.into())))
}
