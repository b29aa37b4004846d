//! `POST /consultations/{id}/reschedule`: another time, taken in the same step in which the old one becomes free.

use axum::{extract::State, http::HeaderMap, response::Response};
use chrono::{DateTime, TimeDelta, Utc};
use database::ChangeConsultation;
use model::clinical::ConsultationCommand;
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    ConsultationBody,
    change::carry_out,
    create_consultation::{check_duration, check_start},
};
use crate::{
    input::{
        check::{Checks, kept},
        json::JsonBody,
        path::PathParameters,
    },
    policy::{Permit, UpdateConsultation},
    state::AppState,
};

/// The new time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reschedule {
    /// Start (RFC 3339).
    scheduled_at: DateTime<Utc>,
    /// Length in minutes; as long as before when left out.
    #[schema(minimum = 5, maximum = 480)]
    duration_minutes: Option<u32>,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 500)]
    remark: String,
}

/// Give a consultation another time
///
/// For one that is proposed or booked. When the new time is taken, the old one stays. As a booking it is checked against other
/// bookings and holds, and not against the doctor's hours.
#[utoipa::path(
    post,
    path = "/consultations/{id}/reschedule",
    tag = "consultations",
    security(("bearer" = ["update_consultation"])),
    params(
        ("id" = Uuid, Path, description = "Consultation"),
        ("If-Match" = Option<String>, Header, description = "ETag that it must still have")
    ),
    request_body = Reschedule,
    responses(
        (status = 200, description = "Moved", body = ConsultationBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "The time is taken, the doctor takes no consultations, or it is not legal where the consultation stands",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
        (status = 412, description = "It was changed meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn reschedule_consultation(
    State(state): State<AppState>,
    permit: Permit<UpdateConsultation>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<Reschedule>,
) -> Result<Response, Problem> {
    let mut checks = Checks::new();
    check_start(&mut checks, request.scheduled_at, state.clock.now());
    check_duration(&mut checks, request.duration_minutes);
    let length = request.duration_minutes.map(|minutes| TimeDelta::minutes(i64::from(minutes)));
    let change = ChangeConsultation {
        time: Some((kept(request.scheduled_at), length)),
        remark: request.remark,
        ..ChangeConsultation::new(ConsultationCommand::Reschedule)
    };
    carry_out(&state, &permit, (id, &headers), checks, change).await
}
