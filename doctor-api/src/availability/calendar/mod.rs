//! A doctor's time as an iCalendar object (RFC 5545): bookings without anything of the patient, weekly hours, days that
//! differ.

mod line;
mod zone;

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc};
use jiff::{Timestamp, civil, tz::TimeZone};
use model::{
    clinical::{Consultation, ConsultationStatus},
    schedule::{Exception, ExceptionKind, TimeOfDay, Weekday, WeeklyHours, time_zone},
};
use uuid::Uuid;

use self::{line::Lines, zone::write_zone};

/// Property of hours: the day on which the event begins, `/`, and the first day on which they hold, nothing for always. An event has to
/// begin on some day; hours need not.
pub const VALID_FROM: &str = "X-MAXRAY-VALID-FROM";
/// Days around the period for which the clocks of the zone are told at most, where there are hours: ten years.
const ZONE_DAYS_MAX: i64 = 3_653;

/// What goes into a calendar.
#[derive(Debug, Clone, Copy)]
pub struct CalendarContent<'a> {
    /// Name of the calendar.
    pub name: &'a str,
    /// The doctor.
    pub doctor_id: Uuid,
    /// The doctor's time zone (IANA); what is not known counts as UTC.
    pub time_zone: &'a str,
    /// Meetings.
    pub consultations: &'a [Consultation],
    /// Hours, in the doctor's time.
    pub weekly: &'a [WeeklyHours],
    /// Times that differ.
    pub exceptions: &'a [Exception],
    /// Times that differ end after this one, and hours that go on begin on its day or later ...
    pub from: DateTime<Utc>,
    /// ... and times that differ begin before this one. Hours have the end that they have.
    pub until: DateTime<Utc>,
    /// The time now: DTSTAMP of what has none of its own.
    pub now: DateTime<Utc>,
}

/// Writes the calendar; every line ends in CRLF.
pub fn write_calendar(content: &CalendarContent<'_>) -> String {
    let zone = time_zone(content.time_zone).unwrap_or(TimeZone::UTC);
    let mut lines = Lines::default();
    lines.add("BEGIN", "VCALENDAR");
    lines.add("VERSION", "2.0");
    lines.add("PRODID", "-//MaxRay//calendar//EN");
    lines.add("CALSCALE", "GREGORIAN");
    lines.add("METHOD", "PUBLISH");
    lines.add_text("NAME", content.name);
    lines.add_text("X-WR-CALNAME", content.name);
    let start = local_date(&zone, content.from);
    let hours = content.weekly.iter().filter_map(|weekly| hours_from(weekly, start?));
    let hours: Vec<Hours<'_>> = hours.collect();
    if let Some(name) = zone.iana_name().filter(|name| *name != "UTC" && !hours.is_empty()) {
        write_zone(&mut lines, &zone, name, zone_period(&hours, &zone, content));
    }
    for consultation in content.consultations {
        write_consultation(&mut lines, consultation);
    }
    for (index, hours) in hours.iter().enumerate() {
        let uid = format!("hours-{index}-{}@maxray", content.doctor_id);
        write_hours(&mut lines, hours, &zone, (&uid, content.now));
    }
    for exception in content.exceptions.iter().filter(|one| one.to > content.from && one.from < content.until)
    {
        write_exception(&mut lines, exception, content);
    }
    lines.add("END", "VCALENDAR");
    lines.finish()
}

fn write_consultation(lines: &mut Lines, consultation: &Consultation) {
    use ConsultationStatus::{Arrived, Booked, Cancelled, Completed, InProgress, NoShow, Proposed};
    let (status, transparency) = match consultation.status {
        Proposed => ("TENTATIVE", "TRANSPARENT"),
        Booked | Arrived | InProgress | Completed => ("CONFIRMED", "OPAQUE"),
        Cancelled | NoShow => ("CANCELLED", "TRANSPARENT"),
    };
    lines.add("BEGIN", "VEVENT");
    lines.add("UID", &format!("consultation-{}@maxray", consultation.id));
    lines.add("DTSTAMP", &utc(consultation.updated_at));
    lines.add("CREATED", &utc(consultation.created_at));
    lines.add("LAST-MODIFIED", &utc(consultation.updated_at));
    lines.add("SEQUENCE", &(consultation.version - 1).max(0).to_string());
    lines.add("DTSTART", &utc(consultation.scheduled_at));
    if let Some(ends_at) = consultation.ends_at {
        lines.add("DTEND", &utc(ends_at));
    }
    lines.add_text("SUMMARY", "Consultation");
    lines.add("STATUS", status);
    lines.add("TRANSP", transparency);
    lines.add("CLASS", "PRIVATE");
    lines.add("END", "VEVENT");
}

/// Hours of one weekday.
struct Hours<'a> {
    weekly: &'a WeeklyHours,
    /// The first day that is written.
    first: civil::Date,
    /// The last day on which they hold; `None` when they have no end.
    last: Option<civil::Date>,
    day: &'static str,
}

/// Hours that go on are written from `start` on, the others on a day of theirs; `None` when there is no such day.
fn hours_from(weekly: &WeeklyHours, start: civil::Date) -> Option<Hours<'_>> {
    let last = match weekly.valid_until {
        // Beyond the years of calendars is no end.
        Some(day) if day.year() < 10_000 => Some(to_civil(day)?),
        _ => None,
    };
    let week = jiff::SignedDuration::from_hours(6 * 24);
    let mut first = last.map_or(start, |last| start.min(last.saturating_sub(week)));
    if let Some(day) = weekly.valid_from {
        first = first.max(to_civil(day)?);
    }
    let (weekday, day) = day_of(weekly.weekday);
    while first.weekday() != weekday {
        first = first.tomorrow().ok()?;
    }
    last.is_none_or(|last| first <= last).then_some(Hours { weekly, first, last, day })
}

/// From when until when a calendar tells what clocks show: as long as its hours go on, and for ten years when they have no end. Programs
/// know the zone by its name, too.
fn zone_period(
    hours: &[Hours<'_>],
    zone: &TimeZone,
    content: &CalendarContent<'_>,
) -> (DateTime<Utc>, DateTime<Utc>) {
    let (from, until, margin) = (content.from, content.until, TimeDelta::days(ZONE_DAYS_MAX));
    let first = hours.iter().filter_map(|one| midnight(zone, one.first)).min().unwrap_or(from);
    let ends = hours.iter().map(|one| one.last.and_then(|last| midnight(zone, last)));
    let last = ends.map(|end| end.unwrap_or(DateTime::<Utc>::MAX_UTC)).max().unwrap_or(until);
    (first.clamp(from - margin, from), last.clamp(until, until + margin))
}

fn write_hours(lines: &mut Lines, hours: &Hours<'_>, zone: &TimeZone, (uid, now): (&str, DateTime<Utc>)) {
    let WeeklyHours { from, to, valid_from, .. } = *hours.weekly;
    let (Some(starts), Some(ends)) = (at_clock(hours.first, from), at_clock(hours.first, to)) else {
        return;
    };
    lines.add("BEGIN", "VEVENT");
    lines.add("UID", uid);
    lines.add("DTSTAMP", &utc(now));
    for (name, time) in [("DTSTART", starts), ("DTEND", ends)] {
        let local = time.strftime("%Y%m%dT%H%M%S").to_string();
        match zone.iana_name().filter(|name| *name != "UTC") {
            Some(zone) => lines.add(&format!("{name};TZID={zone}"), &local),
            None => lines.add(name, &format!("{local}Z")),
        }
    }
    let mut rule = format!("FREQ=WEEKLY;BYDAY={}", hours.day);
    // RFC 5545 3.3.10: in UTC when the start has a zone; the last second of the last day. Without it the rule has no end.
    let after = hours.last.and_then(|last| midnight(zone, last.tomorrow().ok()?));
    if let Some(after) = after {
        rule.push_str(";UNTIL=");
        rule.push_str(&utc(after - TimeDelta::seconds(1)));
    }
    lines.add("RRULE", &rule);
    let valid_from = valid_from.map(|day| day.format("%Y%m%d").to_string()).unwrap_or_default();
    lines.add(VALID_FROM, &format!("{}/{valid_from}", hours.first.strftime("%Y%m%d")));
    lines.add_text("SUMMARY", "Hours");
    lines.add("TRANSP", "TRANSPARENT");
    lines.add("CATEGORIES", "AVAILABILITY");
    lines.add("END", "VEVENT");
}

fn write_exception(lines: &mut Lines, exception: &Exception, content: &CalendarContent<'_>) {
    let (kind, summary, transparency) = match exception.kind {
        ExceptionKind::TimeOff => ("off", "Time off", "OPAQUE"),
        ExceptionKind::ExtraHours => ("extra", "Extra hours", "TRANSPARENT"),
    };
    lines.add("BEGIN", "VEVENT");
    lines.add("UID", &format!("{kind}-{}-{}@maxray", exception.from.timestamp(), content.doctor_id));
    lines.add("DTSTAMP", &utc(content.now));
    lines.add("DTSTART", &utc(exception.from));
    lines.add("DTEND", &utc(exception.to));
    lines.add_text("SUMMARY", summary);
    lines.add("TRANSP", transparency);
    lines.add("CATEGORIES", "AVAILABILITY");
    lines.add("END", "VEVENT");
}

fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

fn local_date(zone: &TimeZone, at: DateTime<Utc>) -> Option<civil::Date> {
    Some(zone.to_datetime(Timestamp::from_second(at.timestamp()).ok()?).date())
}

fn to_civil(date: NaiveDate) -> Option<civil::Date> {
    let (year, month, day) = (date.year(), date.month(), date.day());
    civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()
}

/// When that day begins.
fn midnight(zone: &TimeZone, day: civil::Date) -> Option<DateTime<Utc>> {
    let at = zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0)).compatible().ok()?;
    DateTime::from_timestamp(at.as_second(), 0)
}

fn at_clock(date: civil::Date, time: TimeOfDay) -> Option<civil::DateTime> {
    date.at(0, 0, 0, 0).checked_add(jiff::SignedDuration::from_mins(i64::from(time.minutes()))).ok()
}

fn day_of(weekday: Weekday) -> (civil::Weekday, &'static str) {
    match weekday {
        Weekday::Monday => (civil::Weekday::Monday, "MO"),
        Weekday::Tuesday => (civil::Weekday::Tuesday, "TU"),
        Weekday::Wednesday => (civil::Weekday::Wednesday, "WE"),
        Weekday::Thursday => (civil::Weekday::Thursday, "TH"),
        Weekday::Friday => (civil::Weekday::Friday, "FR"),
        Weekday::Saturday => (civil::Weekday::Saturday, "SA"),
        Weekday::Sunday => (civil::Weekday::Sunday, "SU"),
    }
}
