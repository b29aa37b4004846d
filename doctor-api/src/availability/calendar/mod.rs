//! A doctor's time as an iCalendar object (RFC 5545): bookings without anything of the patient, weekly hours, days that
//! differ.

mod line;
mod zone;

use chrono::{DateTime, NaiveDate, Utc};
use jiff::{Timestamp, civil, tz::TimeZone};
use model::{
    clinical::{Consultation, ConsultationStatus},
    schedule::{Exception, ExceptionKind, TimeOfDay, Weekday, WeeklyHours, time_zone},
};
use uuid::Uuid;

use self::{line::Lines, zone::write_zone};

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
    /// Hours are written from the day of this time ...
    pub from: DateTime<Utc>,
    /// ... until the day of this one.
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
    let hours: Vec<Hours> =
        content.weekly.iter().filter_map(|weekly| hours_within(weekly, &zone, content)).collect();
    if let Some(name) = zone.iana_name().filter(|name| *name != "UTC" && !hours.is_empty()) {
        write_zone(&mut lines, &zone, name, (content.from, content.until));
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

/// Hours of one weekday, from their first day in the period to their last.
struct Hours {
    first: civil::Date,
    last: civil::Date,
    from: TimeOfDay,
    to: TimeOfDay,
    day: &'static str,
}

fn hours_within(weekly: &WeeklyHours, zone: &TimeZone, content: &CalendarContent<'_>) -> Option<Hours> {
    let bound = |day: Option<NaiveDate>, end: civil::Date| day.map_or(Some(end), to_civil);
    let (start, end) = (local_date(zone, content.from)?, local_date(zone, content.until)?);
    let mut first = start.max(bound(weekly.valid_from, start)?);
    let last = end.min(bound(weekly.valid_until, end)?);
    let (weekday, day) = day_of(weekly.weekday);
    while first.weekday() != weekday {
        first = first.tomorrow().ok()?;
    }
    (first <= last).then_some(Hours { first, last, from: weekly.from, to: weekly.to, day })
}

fn write_hours(lines: &mut Lines, hours: &Hours, zone: &TimeZone, (uid, now): (&str, DateTime<Utc>)) {
    let (Some(starts), Some(ends), Ok(after)) =
        (at_clock(hours.first, hours.from), at_clock(hours.first, hours.to), hours.last.tomorrow())
    else {
        return;
    };
    // RFC 5545 3.3.10: in UTC when the start has a zone; the last second of the last day.
    let Ok(until) = zone.to_ambiguous_timestamp(after.at(0, 0, 0, 0)).compatible() else { return };
    let until = DateTime::from_timestamp(until.as_second() - 1, 0).unwrap_or(now);
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
    lines.add("RRULE", &format!("FREQ=WEEKLY;BYDAY={};UNTIL={}", hours.day, utc(until)));
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
    use chrono::Datelike;
    let (year, month, day) = (date.year(), date.month(), date.day());
    civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()
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
