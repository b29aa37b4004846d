//! `PUT /doctors/{id}/availability/rules`: replaces a doctor's weekly hours.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
};
use database::ScheduleUpdate;
use model::schedule::{Rules, check_rules};
use service::http::{json::Json, problem::Problem};
use uuid::Uuid;

use super::{RulesBody, import, read_calendar, refuse_all, replace};
use crate::{
    doctors::require_own,
    errors,
    input::{calendar::JsonOrCalendar, path::PathParameters},
    policy::{Permit, UpdateDoctor},
    state::AppState,
};

/// Replace a doctor's weekly hours
///
/// Consultations that are booked stay as they are. A calendar (RFC 5545) replaces the weekly hours alone: its events with the category
/// AVAILABILITY and a rule of FREQ=WEEKLY. Those of `GET /doctors/{id}/calendar.ics` come back as they were.
#[utoipa::path(
    put,
    path = "/doctors/{id}/availability/rules",
    tag = "availability",
    security(("bearer" = ["update_doctor"])),
    params(
        ("id" = Uuid, Path, description = "Doctor"),
        ("If-Match" = String, Header, description = "ETag of those that these replace; \"0\" for the first")
    ),
    request_body(content(
        (RulesBody = "application/json"),
        (String = "text/calendar", example = json!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n..."))
    )),
    responses(
        (status = 200, description = "As they are now", body = RulesBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 412, description = "They were changed meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn put_rules(
    State(state): State<AppState>,
    permit: Permit<UpdateDoctor>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
    body: JsonOrCalendar<RulesBody>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<RulesBody>), Problem> {
    require_own(&state, &permit, id).await?;
    let rules = match body {
        JsonOrCalendar::Json(body) => Rules::from(body),
        JsonOrCalendar::Calendar(text) => {
            let kept = state.database().schedule(id).await.map_err(errors::database)?.rules;
            let weekly = read_calendar(&state, id, move |home| import::weekly_hours(&text, home)).await?;
            Rules { weekly, ..kept }
        }
    };
    refuse_all(check_rules(&rules))?;
    let update = ScheduleUpdate::Rules(rules);
    let (tag, schedule) = replace(&state, &permit, (id, &headers), update).await?;
    Ok((tag, Json(schedule.rules.into())))
}
