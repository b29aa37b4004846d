//! `PUT /doctors/{id}/availability/exceptions`: replaces time off and extra hours, also by what a calendar says.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
};
use chrono::TimeDelta;
use database::ScheduleUpdate;
use model::schedule::{Exception, check_exceptions};
use service::http::{json::Json, problem::Problem};
use uuid::Uuid;

use super::{ExceptionsBody, import, read_calendar, refuse_all, replace};
use crate::{
    doctors::require_own,
    input::{calendar::JsonOrCalendar, check::Checks, path::PathParameters},
    policy::{Permit, UpdateDoctor},
    state::AppState,
};

/// How far into the future the events of a calendar are taken.
const IMPORTED_DAYS: i64 = 366;

/// Replace a doctor's time off and extra hours
///
/// Consultations that are booked stay as they are. A calendar (RFC 5545) says when the doctor's time is taken: each of its events within
/// the next 366 days becomes time off, with its SUMMARY as the note, unless it is TRANSPARENT, cancelled, or a consultation of
/// this server; events that are TRANSPARENT, have the category AVAILABILITY and do not come again are extra hours. Times without a
/// zone are those of the doctor's.
#[utoipa::path(
    put,
    path = "/doctors/{id}/availability/exceptions",
    tag = "availability",
    security(("bearer" = ["update_doctor"])),
    params(
        ("id" = Uuid, Path, description = "Doctor"),
        ("If-Match" = String, Header, description = "ETag of those that these replace; \"0\" for the first")
    ),
    request_body(content(
        (ExceptionsBody = "application/json"),
        (String = "text/calendar", example = json!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n..."))
    )),
    responses(
        (status = 200, description = "As they are now", body = ExceptionsBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 412, description = "They were changed meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn put_exceptions(
    State(state): State<AppState>,
    permit: Permit<UpdateDoctor>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
    body: JsonOrCalendar<ExceptionsBody>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<ExceptionsBody>), Problem> {
    require_own(&state, &permit, id).await?;
    let exceptions: Vec<Exception> = match body {
        JsonOrCalendar::Json(body) => body.exceptions.into_iter().map(Into::into).collect(),
        JsonOrCalendar::Calendar(text) => {
            let now = state.clock.now();
            let until = now.checked_add_signed(TimeDelta::days(IMPORTED_DAYS)).unwrap_or(now);
            let read = move |home| import::exceptions(&text, home, (now, until));
            read_calendar(&state, id, read).await?
        }
    };
    let mut checks = Checks::new();
    for (index, exception) in exceptions.iter().enumerate() {
        checks.time(&format!("exceptions[{index}].from"), exception.from);
        checks.time(&format!("exceptions[{index}].to"), exception.to);
    }
    checks.finish()?;
    refuse_all(check_exceptions(&exceptions))?;
    let update = ScheduleUpdate::Exceptions(exceptions);
    let (tag, schedule) = replace(&state, &permit, (id, &headers), update).await?;
    let exceptions = schedule.exceptions.into_iter().map(Into::into).collect();
    Ok((tag, Json(ExceptionsBody { exceptions })))
}
