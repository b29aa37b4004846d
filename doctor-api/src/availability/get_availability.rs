//! `GET /doctors/{id}/availability`: the free slots of a period.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use model::schedule::{Clocks, Slot, time_zone};
use serde::{Deserialize, Serialize};
use service::http::{json::written, problem::Problem};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{around, free, slot_of};
use crate::{
    consultations::create_consultation::DURATION_MAX_MINUTES,
    errors,
    input::{check::Checks, path::PathParameters, query::QueryParameters},
    policy::{Permit, ReadDoctor},
    state::AppState,
};

/// Room for a slot.
const SLOT_LENGTH: usize =
    r#",{"starts_at":"2027-03-28T09:00:00+02:00","ends_at":"2027-03-28T09:30:00+02:00"}"#.len();
/// Longest period in days.
const PERIOD_MAX_DAYS: i64 = 62;

/// Which slots.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AvailabilityQuery {
    /// They begin at or after this time (RFC 3339).
    from: DateTime<Utc>,
    /// They begin before this time (RFC 3339); at most 62 days later.
    to: DateTime<Utc>,
    /// Length of a slot in minutes; as long as the doctor's slots when left out.
    #[param(minimum = 5, maximum = 480)]
    duration: Option<u16>,
    /// IANA time zone in which times are shown; the doctor's when left out.
    time_zone: Option<String>,
}

/// Free slots.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `Answer` writes")]
pub struct Availability {
    /// The doctor.
    doctor_id: Uuid,
    /// In which times are shown.
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
    /// Length of a slot.
    duration_minutes: u16,
    /// The slots, in order; some may overlap, and booking one takes those from the list.
    slots: Vec<SlotBody>,
}

/// A free slot.
#[derive(ToSchema)]
#[schema(as = Slot)]
#[expect(dead_code, reason = "describes what `Answer` writes")]
pub struct SlotBody {
    /// Begins (RFC 3339, with the offset of the time zone then).
    #[schema(example = "2027-03-28T09:00:00+02:00")]
    starts_at: String,
    /// Ends.
    #[schema(example = "2027-03-28T09:30:00+02:00")]
    ends_at: String,
}

/// An [`Availability`] on its way out. The slots, hundreds of one shape, whose times need no escapes, are written by hand: serde would
/// look at every sign of them.
struct Answer<'a> {
    head: Head<'a>,
    clocks: Clocks<'a>,
    slots: Vec<Slot>,
}

/// All but the slots.
#[derive(Serialize)]
struct Head<'a> {
    doctor_id: Uuid,
    time_zone: &'a str,
    duration_minutes: u16,
}

impl IntoResponse for Answer<'_> {
    fn into_response(mut self) -> Response {
        let mut text = match serde_json::to_string(&self.head) {
            Ok(text) => text,
            Err(error) => return Problem::internal(&error).into_response(),
        };
        // The slots come before the last brace.
        text.pop();
        text.push_str(",\"slots\":[");
        text.reserve(self.slots.len() * SLOT_LENGTH);
        for (number, slot) in self.slots.iter().enumerate() {
            text.push_str(if number == 0 { "{\"starts_at\":\"" } else { ",{\"starts_at\":\"" });
            self.clocks.write(slot.starts_at, &mut text);
            text.push_str("\",\"ends_at\":\"");
            self.clocks.write(slot.ends_at, &mut text);
            text.push_str("\"}");
        }
        text.push_str("]}");
        written(text)
    }
}

/// List a doctor's free slots
///
/// Out of the weekly hours and the days that differ, less what is booked or held, with the doctor's notice and buffer.
#[utoipa::path(
    get,
    path = "/doctors/{id}/availability",
    tag = "availability",
    security(("bearer" = ["read_doctor"])),
    params(("id" = Uuid, Path, description = "Doctor"), AvailabilityQuery),
    responses((status = 200, description = "The free slots", body = Availability))
)]
pub async fn get_availability(
    State(state): State<AppState>,
    _permit: Permit<ReadDoctor>,
    PathParameters(id): PathParameters<Uuid>,
    QueryParameters(query): QueryParameters<AvailabilityQuery>,
) -> Result<Response, Problem> {
    let mut checks = Checks::new();
    checks.period("to", Some(query.from), Some(query.to));
    let near = query.to - query.from <= TimeDelta::days(PERIOD_MAX_DAYS);
    checks.require(near, "to", "lies more than 62 days after from");
    let asked = query.time_zone.as_deref().filter(|name| !name.is_empty());
    checks.require(asked.is_none_or(|name| time_zone(name).is_some()), "time_zone", "is no IANA time zone");
    let possible = |minutes: u16| minutes >= 5 && u32::from(minutes) <= DURATION_MAX_MINUTES;
    checks.require(query.duration.is_none_or(possible), "duration", "must be 5 to 480");
    checks.finish_query()?;
    let period = (query.from, query.to);
    let (within, walk_in) = around(period);
    let found = state.database().doctor_calendar(id, within, walk_in).await.map_err(errors::database)?;
    let (doctor, schedule, busy) = found.ok_or_else(Problem::not_found)?;
    let duration_minutes = query.duration.unwrap_or(schedule.rules.slot_minutes);
    let duration = TimeDelta::minutes(i64::from(duration_minutes));
    let busy: Vec<_> = busy.into_iter().map(slot_of).collect();
    let slots = free((&doctor, &schedule), &busy, period, duration, state.clock.now());
    let name = asked.unwrap_or(&doctor.time_zone);
    let zone = time_zone(name).ok_or_else(Problem::not_found)?;
    let head =
        Head { doctor_id: id, time_zone: if name.is_empty() { "UTC" } else { name }, duration_minutes };
    Ok(Answer { head, clocks: Clocks::new(&zone), slots }.into_response())
}
