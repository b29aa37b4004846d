//! `GET /doctors/{id}/calendar.ics`: a doctor's time for other calendars.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use database::ConsultationFilter;
use model::access::Action;
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::IntoParams;
use uuid::Uuid;

use super::calendar::{CalendarContent, write_calendar};
use crate::{
    doctors::require_doctor_in_reach,
    errors,
    input::{check::Checks, path::PathParameters, query::QueryParameters},
    policy::{Permit, ReadConsultation},
    state::AppState,
};

/// Days before now, when the request does not say.
const DAYS_BEFORE: i64 = 30;
/// Days after now, when the request does not say.
const DAYS_AFTER: i64 = 366;
/// Longest period.
const PERIOD_MAX_DAYS: i64 = 800;
/// Most consultations of one calendar.
const CONSULTATIONS_MAX: u32 = 5_000;

/// Which period.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CalendarQuery {
    /// Consultations that start at or after this time (RFC 3339); 30 days ago when left out.
    from: Option<DateTime<Utc>>,
    /// Consultations that start before this time (RFC 3339); in 366 days when left out.
    to: Option<DateTime<Utc>>,
}

/// Export a doctor's calendar
///
/// iCalendar (RFC 5545): the consultations of the period that the caller may see, with nothing of the patient, and all weekly hours,
/// without an end when they have none. The doctor's own export has the time off and the extra hours of the period, too.
#[utoipa::path(
    get,
    path = "/doctors/{id}/calendar.ics",
    tag = "availability",
    security(("bearer" = ["read_consultation"])),
    params(("id" = Uuid, Path, description = "Doctor"), CalendarQuery),
    responses((status = 200, description = "The calendar", body = String, content_type = "text/calendar",
               example = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n..."))
)]
pub async fn export_calendar(
    State(state): State<AppState>,
    permit: Permit<ReadConsultation>,
    PathParameters(id): PathParameters<Uuid>,
    QueryParameters(query): QueryParameters<CalendarQuery>,
) -> Result<Response, Problem> {
    let (from, until) = period(&query, state.clock.now())?;
    let doctor = require_doctor_in_reach(&state, &permit.scope, id).await?;
    let filter = ConsultationFilter {
        from: Some(from),
        to: Some(until),
        limit: CONSULTATIONS_MAX + 1,
        ..ConsultationFilter::default()
    };
    let database = state.database();
    let consultations = database.consultations_of_doctor(&permit.scope, id, &filter).await;
    let consultations = consultations.map_err(errors::database)?;
    if consultations.len() > CONSULTATIONS_MAX as usize {
        return Err(Problem::bad_request(
            "there are more than 5000 consultations in it; choose a shorter period",
        ));
    }
    let schedule = database.schedule(id).await.map_err(errors::database)?;
    // Others see what is free, not why something is not.
    let own = permit.caller.principal.authorize(Action::UpdateDoctor);
    let own = own.is_ok_and(|scope| scope.includes_doctor(id));
    let calendar = write_calendar(&CalendarContent {
        name: &doctor.name,
        doctor_id: id,
        time_zone: &doctor.time_zone,
        consultations: &consultations,
        weekly: &schedule.rules.weekly,
        exceptions: if own { &schedule.exceptions } else { &[] },
        from,
        until,
        now: state.clock.now(),
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"calendar.ics\"")),
    ];
    Ok((headers, calendar).into_response())
}

fn period(query: &CalendarQuery, now: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>), Problem> {
    let mut checks = Checks::new();
    checks.period("to", query.from, query.to);
    let from = query.from.or_else(|| now.checked_sub_signed(TimeDelta::days(DAYS_BEFORE))).unwrap_or(now);
    let until = query.to.or_else(|| now.checked_add_signed(TimeDelta::days(DAYS_AFTER))).unwrap_or(now);
    let length = until.signed_duration_since(from);
    checks.require(length >= TimeDelta::zero(), "to", "lies before the start of the period");
    checks.require(
        length <= TimeDelta::days(PERIOD_MAX_DAYS),
        "to",
        "lies more than 800 days after the start",
    );
    checks.finish_query()?;
    Ok((from, until))
}
