//! Calendars of others (RFC 5545), and our own that come back, as times that differ and as weekly hours.

mod component;
mod line;
mod moment;
mod occurrence;
mod recurrence;
#[cfg(test)]
mod tests;
mod weekly;
mod zone;

use chrono::{DateTime, Utc};
use jiff::tz::TimeZone;
use model::schedule::{Exception, ExceptionKind};

pub use self::weekly::weekly_hours;
use self::{
    component::{Event, read_calendar},
    occurrence::Reckoner,
    zone::Zone,
};

/// Longest note that is kept of an event, in characters.
const NOTE_LENGTH_MAX: usize = 200;
/// Most times that differ.
const EXCEPTIONS_MAX: usize = 500;

/// Why a calendar is not taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// Counted from 1.
    line: usize,
    why: String,
}

impl Refused {
    /// For people.
    pub fn message(&self) -> String {
        format!("line {}: {}", self.line, self.why)
    }
}

/// The times of a calendar that differ from the weekly hours, within a period: what takes the doctor's time is time off; extra hours are
/// those of our own calendars.
pub fn exceptions(
    text: &str,
    home: TimeZone,
    within: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Exception>, Refused> {
    let calendar = read_calendar(text)?;
    let mut reckoner = Reckoner::new(&calendar, Zone::Known(home), within)?;
    let mut exceptions: Vec<Exception> = Vec::new();
    for event in &calendar.events {
        let Some(kind) = kind(event) else { continue };
        let note = note(event);
        let times = reckoner.times(event)?.into_iter();
        exceptions.extend(times.map(|(from, to)| Exception { kind, from, to, note: note.clone() }));
        if exceptions.len() > EXCEPTIONS_MAX {
            return Err(event.refused(
                "with this event the calendar takes the doctor's time more than 500 times within a year; leave out \
                 what the weekly hours say already",
            ));
        }
    }
    exceptions.sort_by(|one, other| (one.from, one.to, &one.note).cmp(&(other.from, other.to, &other.note)));
    exceptions.dedup();
    Ok(exceptions)
}

/// What an event says of the doctor's time; `None` when nothing.
fn kind(event: &Event) -> Option<ExceptionKind> {
    let uid = event.value("UID");
    // Bookings that come back are known already, and what is cancelled takes no time.
    let ours = uid.starts_with("consultation-") && uid.ends_with("@maxray");
    if ours || event.value("STATUS").eq_ignore_ascii_case("CANCELLED") {
        return None;
    }
    if !event.value("TRANSP").eq_ignore_ascii_case("TRANSPARENT") {
        return Some(ExceptionKind::TimeOff);
    }
    let extra = event.has("CATEGORIES", "AVAILABILITY") && event.line("RRULE").is_none();
    extra.then_some(ExceptionKind::ExtraHours)
}

/// What for; nothing of what its owner keeps from others, nor of what our own calendars call all of them.
fn note(event: &Event) -> String {
    let class = event.value("CLASS");
    let kept = class.eq_ignore_ascii_case("PRIVATE") || class.eq_ignore_ascii_case("CONFIDENTIAL");
    if kept || event.value("UID").ends_with("@maxray") {
        return String::new();
    }
    let text = event.line("SUMMARY").map(line::Line::text).unwrap_or_default();
    text.chars().take(NOTE_LENGTH_MAX).collect::<String>().trim_end().to_owned()
}
