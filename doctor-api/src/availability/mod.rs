//! When doctors see patients: hours, days that differ, what is free, and times that are held.

pub mod calendar;
pub mod create_hold;
pub mod export_calendar;
pub mod get_availability;
pub mod get_exceptions;
pub mod get_rules;
pub mod import;
pub mod put_exceptions;
pub mod put_rules;
pub mod release_hold;

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use database::{DatabaseError, ScheduleRow, ScheduleUpdate, Span};
use jiff::tz::TimeZone;
use model::{
    clinical::Doctor,
    schedule::{
        Exception, ExceptionKind, Question, Rules, Slot, TimeOfDay, Weekday, WeeklyHours, free_slots,
        time_zone,
    },
};
use serde::{Deserialize, Serialize};
use service::http::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    consultations::create_consultation::{DURATION_DEFAULT_MINUTES, DURATION_MAX_MINUTES},
    doctors::require_doctor,
    errors,
    input::{
        check::Checks,
        etag::{changed_meanwhile, entity_tag, expected_version},
    },
    policy::{Permit, UpdateDoctor},
    state::AppState,
};

/// Weekly hours, and how consultations are put into them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AvailabilityRules)]
pub struct RulesBody {
    /// A slot can begin so often, counted from the beginning of the hours.
    #[serde(default = "half_an_hour")]
    #[schema(minimum = 5, maximum = 480, example = 30)]
    slot_minutes: u16,
    /// Time between booking and the beginning of the slot, at least.
    #[serde(default)]
    #[schema(maximum = 43_200, example = 120)]
    minimum_notice_minutes: u32,
    /// Time between two consultations, at least.
    #[serde(default)]
    #[schema(maximum = 240, example = 10)]
    buffer_minutes: u16,
    /// The hours, in the time zone of the doctor's profile.
    #[schema(max_items = 100)]
    weekly: Vec<WeeklyHoursBody>,
}

fn half_an_hour() -> u16 {
    30
}

/// Hours on one day of each week.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WeeklyHours)]
pub struct WeeklyHoursBody {
    /// `monday` to `sunday`.
    #[schema(value_type = String, example = "monday")]
    weekday: Weekday,
    /// They begin.
    #[schema(value_type = String, example = "09:00")]
    from: TimeOfDay,
    /// They end before; `24:00` is the end of the day.
    #[schema(value_type = String, example = "12:30")]
    to: TimeOfDay,
    /// First day on which they hold.
    #[serde(default)]
    valid_from: Option<NaiveDate>,
    /// Last day on which they hold.
    #[serde(default)]
    valid_until: Option<NaiveDate>,
}

impl From<Rules> for RulesBody {
    fn from(rules: Rules) -> Self {
        let Rules { slot_minutes, minimum_notice_minutes, buffer_minutes, weekly } = rules;
        let hours = |WeeklyHours { weekday, from, to, valid_from, valid_until }| WeeklyHoursBody {
            weekday,
            from,
            to,
            valid_from,
            valid_until,
        };
        let weekly = weekly.into_iter().map(hours).collect();
        Self { slot_minutes, minimum_notice_minutes, buffer_minutes, weekly }
    }
}

impl From<RulesBody> for Rules {
    fn from(body: RulesBody) -> Self {
        let RulesBody { slot_minutes, minimum_notice_minutes, buffer_minutes, weekly } = body;
        let hours = |WeeklyHoursBody { weekday, from, to, valid_from, valid_until }| WeeklyHours {
            weekday,
            from,
            to,
            valid_from,
            valid_until,
        };
        let weekly = weekly.into_iter().map(hours).collect();
        Self { slot_minutes, minimum_notice_minutes, buffer_minutes, weekly }
    }
}

/// Times that differ from the weekly hours.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AvailabilityExceptions)]
pub struct ExceptionsBody {
    /// The times.
    #[schema(max_items = 500)]
    exceptions: Vec<ExceptionBody>,
}

/// A time that differs from the weekly hours.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AvailabilityException)]
pub struct ExceptionBody {
    /// `time_off` or `extra_hours`.
    #[schema(value_type = String, example = "time_off")]
    kind: ExceptionKind,
    /// Begins (RFC 3339).
    from: DateTime<Utc>,
    /// Ends before (RFC 3339).
    to: DateTime<Utc>,
    /// What for; only the doctor and administrators see it.
    #[serde(default)]
    #[schema(max_length = 200)]
    note: String,
}

impl From<Exception> for ExceptionBody {
    fn from(Exception { kind, from, to, note }: Exception) -> Self {
        Self { kind, from, to, note }
    }
}

impl From<ExceptionBody> for Exception {
    fn from(ExceptionBody { kind, from, to, note }: ExceptionBody) -> Self {
        Self { kind, from, to, note }
    }
}

/// Replaces hours or exceptions when they are still those that the ETag names; gives their new ETag and what is kept now.
async fn replace(
    state: &AppState,
    permit: &Permit<UpdateDoctor>,
    (id, headers): (Uuid, &HeaderMap),
    update: ScheduleUpdate,
) -> Result<([(HeaderName, HeaderValue); 1], ScheduleRow), Problem> {
    let (version, actor) = (expected_version(headers)?, permit.caller.actor());
    let updated = state.database().update_schedule(id, version, &update, &actor).await;
    let version = updated.map_err(|error| match error {
        DatabaseError::Conflict(_) => changed_meanwhile(),
        other => errors::database(other),
    })?;
    let schedule = state.database().schedule(id).await.map_err(errors::database)?;
    Ok(([(header::ETAG, entity_tag(version))], schedule))
}

/// Reads a calendar where it holds up nobody else; 422 that says what is wrong with it.
async fn read_calendar<T: Send + 'static>(
    state: &AppState,
    doctor: Uuid,
    read: impl FnOnce(TimeZone) -> Result<T, import::Refused> + Send + 'static,
) -> Result<T, Problem> {
    let doctor = require_doctor(state, doctor).await?;
    let home = time_zone(&doctor.time_zone).unwrap_or(TimeZone::UTC);
    let read = tokio::task::spawn_blocking(move || read(home)).await;
    let read = read.map_err(|error| Problem::internal(&error))?;
    read.map_err(|refused| Problem::unprocessable().field("calendar", refused.message()))
}

fn refuse_all(refusals: Vec<(String, String)>) -> Result<(), Problem> {
    let mut checks = Checks::new();
    for (field, message) in refusals {
        checks.refuse(&field, message);
    }
    checks.finish()
}

/// Longest time between two consultations, as `check_rules` has it.
const BUFFER_MAX_MINUTES: u32 = 240;

/// What is taken of doctors' time around a period.
pub struct Busy(HashMap<Uuid, Vec<Slot>>);

fn slot_of(Span { starts_at, ends_at }: Span) -> Slot {
    Slot { starts_at, ends_at }
}

/// Where to look for what may reach into a period, and how long a consultation takes that was begun without an appointment.
fn around((from, until): (DateTime<Utc>, DateTime<Utc>)) -> (Span, TimeDelta) {
    // What ended before the period has its buffer in it. The last slot begins in the period, ends after it, and has its buffer then.
    let before = TimeDelta::minutes(i64::from(BUFFER_MAX_MINUTES));
    let after = TimeDelta::minutes(i64::from(DURATION_MAX_MINUTES + BUFFER_MAX_MINUTES));
    let walk_in = TimeDelta::minutes(i64::from(DURATION_DEFAULT_MINUTES));
    (Span { starts_at: from - before, ends_at: until + after }, walk_in)
}

/// Asks for all of them at once.
pub async fn busy(
    state: &AppState,
    doctors: &[Uuid],
    period: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Busy, Problem> {
    let (within, walk_in) = around(period);
    let spans = state.database().busy_spans(doctors, within, walk_in).await.map_err(errors::database)?;
    let mut busy: HashMap<Uuid, Vec<Slot>> = HashMap::new();
    for (doctor, span) in spans {
        busy.entry(doctor).or_default().push(slot_of(span));
    }
    Ok(Busy(busy))
}

impl Busy {
    /// Of one of them.
    pub fn of(&self, doctor: Uuid) -> &[Slot] {
        self.0.get(&doctor).map_or(&[], Vec::as_slice)
    }
}

/// What is free of a doctor's time in a period, of which `busy` is taken.
pub fn free(
    (doctor, schedule): (&Doctor, &ScheduleRow),
    busy: &[Slot],
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    duration: TimeDelta,
    now: DateTime<Utc>,
) -> Vec<Slot> {
    let zone = time_zone(&doctor.time_zone);
    let Some(zone) = zone.filter(|_| doctor.active) else { return Vec::new() };
    let ScheduleRow { rules, exceptions, .. } = schedule;
    free_slots(&Question { rules, exceptions, zone: &zone, busy, from, until, duration, now })
}
