//! Time zones that a calendar names: by their IANA names, or as the calendar itself describes them (RFC 5545 3.6.5).

use std::{collections::HashMap, rc::Rc};

use chrono::{DateTime, Datelike as _, FixedOffset, NaiveDateTime, TimeDelta, Timelike as _, Utc};
use jiff::{Timestamp, civil, tz::TimeZone};
use model::schedule::time_zone;

use super::{
    Refused,
    component::{Calendar, Event, WrittenZone},
    line::Line,
    moment::date_time,
    recurrence,
};

/// Longest name that an answer repeats, in characters.
const NAME_SHOWN_MAX: usize = 60;
/// Changes of its clocks that a written zone may have, before those that are left out.
const CHANGES_MAX: u16 = 1_000;
/// The last year of changes that are reckoned.
const LAST_YEAR: i32 = 2200;

/// What clocks show somewhere.
#[derive(Debug, Clone)]
pub(super) enum Zone {
    Known(TimeZone),
    Written(Rc<[Change]>),
}

/// Clocks are put from one offset to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Change {
    /// As the clocks stood that were changed.
    at: NaiveDateTime,
    from: i32,
    to: i32,
}

impl Change {
    fn instant(self) -> Option<NaiveDateTime> {
        self.at.checked_sub_signed(TimeDelta::seconds(i64::from(self.from)))
    }
}

impl Zone {
    /// When clocks show this; of two such times the first, and in a gap as if clocks had not been put forward.
    pub(super) fn to_utc(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        match self {
            Self::Known(zone) => {
                let at = zone.to_ambiguous_timestamp(to_civil(wall)?).compatible().ok()?;
                DateTime::from_timestamp(at.as_second(), 0)
            }
            Self::Written(changes) => {
                let offset = offset_at(changes, |change| change.at <= wall)?;
                wall.and_local_timezone(offset).single().map(|at| at.to_utc())
            }
        }
    }

    /// What clocks show then.
    pub(super) fn to_wall(&self, at: DateTime<Utc>) -> Option<NaiveDateTime> {
        match self {
            Self::Known(zone) => from_civil(zone.to_datetime(Timestamp::from_second(at.timestamp()).ok()?)),
            Self::Written(changes) => {
                let offset = offset_at(changes, |change| {
                    change.instant().is_some_and(|change| change <= at.naive_utc())
                })?;
                Some(at.with_timezone(&offset).naive_local())
            }
        }
    }

    /// Its IANA name; none of zones that a calendar describes.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Known(zone) => zone.iana_name(),
            Self::Written(_) => None,
        }
    }
}

fn offset_at(changes: &[Change], begun: impl Fn(&Change) -> bool) -> Option<FixedOffset> {
    let offset = changes.iter().rev().find(|change| begun(change)).map(|change| change.to);
    FixedOffset::east_opt(offset.or_else(|| changes.first().map(|change| change.from))?)
}

/// The zones of a calendar by name.
pub(super) struct Zones<'a> {
    written: HashMap<&'a str, &'a WrittenZone>,
    read: HashMap<String, Zone>,
}

impl<'a> Zones<'a> {
    pub(super) fn of(calendar: &'a Calendar) -> Self {
        let written = calendar.zones.iter().map(|zone| (zone.id.trim(), zone)).collect();
        Self { written, read: HashMap::new() }
    }

    /// The zone that a line names.
    pub(super) fn get(&mut self, line: &Line, name: &str) -> Result<Zone, Refused> {
        let name = name.trim();
        if let Some(zone) = self.read.get(name) {
            return Ok(zone.clone());
        }
        let written = self.written.get(name).copied();
        let zone = match (known(name), written) {
            (Some(zone), _) => zone,
            (None, Some(written)) => read_zone(written)?,
            (None, None) => {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(NAME_SHOWN_MAX).collect();
                return Err(line.refused(format!(
                    "the time zone '{shown}' is no IANA name, as Europe/Berlin is, and no VTIMEZONE describes it"
                )));
            }
        };
        self.read.insert(name.to_owned(), zone.clone());
        Ok(zone)
    }
}

/// By its IANA name, also behind the path of a registry: `/example.org/Europe/Berlin`.
fn known(name: &str) -> Option<Zone> {
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).collect();
    let names = (0..parts.len()).map(|begin| parts[begin..].join("/"));
    let mut names = names.take(if name.starts_with('/') { parts.len() } else { 1 });
    names.find_map(|name| time_zone(&name)).map(Zone::Known)
}

fn read_zone(written: &WrittenZone) -> Result<Zone, Refused> {
    if let Some(zone) = known(written.location.trim()) {
        return Ok(zone);
    }
    let mut changes = Vec::new();
    for observance in &written.observances {
        read_observance(observance, &mut changes)?;
    }
    changes.sort_unstable();
    if changes.is_empty() {
        let why = "a VTIMEZONE without STANDARD or DAYLIGHT describes no time zone";
        return Err(Refused { line: 1, why: why.to_owned() });
    }
    Ok(Zone::Written(changes.into()))
}

fn read_observance(observance: &Event, changes: &mut Vec<Change>) -> Result<(), Refused> {
    let part = |name: &str| {
        observance.line(name).ok_or_else(|| observance.refused(format!("an observance without {name}")))
    };
    let start = part("DTSTART")?;
    let at = date_time(start.value.trim()).ok_or_else(|| start.refused("is no time"))?;
    let (from, to) = (offset(part("TZOFFSETFROM")?)?, offset(part("TZOFFSETTO")?)?);
    let mut times = vec![at];
    for line in observance.lines("RDATE") {
        let more = line.value.split(',').map(|value| date_time(value.trim()));
        times.extend(more.collect::<Option<Vec<_>>>().ok_or_else(|| line.refused("is no time"))?);
    }
    if let Some(rule) = observance.line("RRULE") {
        let last = at.with_year(LAST_YEAR).unwrap_or(NaiveDateTime::MAX);
        let found = recurrence::starts(&rule.value, (at, false), (at, last), CHANGES_MAX, |until| {
            until.checked_add_signed(TimeDelta::seconds(i64::from(from)))
        });
        times.extend(found.map_err(|why| rule.refused(why))?);
    }
    changes.extend(times.into_iter().map(|at| Change { at, from, to }));
    Ok(())
}

/// RFC 5545 3.3.14: `+0530`, in seconds.
fn offset(line: &Line) -> Result<i32, Refused> {
    let read = || {
        let text = line.value.trim();
        let (sign, digits) = match text.split_at_checked(1)? {
            ("+", digits) => (1, digits),
            ("-", digits) => (-1, digits),
            _ => return None,
        };
        if !matches!(digits.len(), 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number = |range| digits.get(range).and_then(|part: &str| part.parse::<i32>().ok());
        let (hours, minutes) = (number(0..2)?, number(2..4)?);
        let seconds = if digits.len() == 6 { number(4..6)? } else { 0 };
        (hours < 24 && minutes < 60 && seconds < 60)
            .then_some(sign * (hours * 3_600 + minutes * 60 + seconds))
    };
    read().ok_or_else(|| line.refused("is no offset such as +0100"))
}

fn to_civil(wall: NaiveDateTime) -> Option<civil::DateTime> {
    let (year, month, day) = (wall.year(), wall.month(), wall.day());
    let date = civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()?;
    let (hour, minute, second) = (wall.hour(), wall.minute(), wall.second());
    Some(date.at(hour.try_into().ok()?, minute.try_into().ok()?, second.try_into().ok()?, 0))
}

fn from_civil(wall: civil::DateTime) -> Option<NaiveDateTime> {
    let (year, month, day) = (i32::from(wall.year()), wall.month(), wall.day());
    let date = chrono::NaiveDate::from_ymd_opt(year, month.try_into().ok()?, day.try_into().ok()?)?;
    date.and_hms_opt(
        wall.hour().try_into().ok()?,
        wall.minute().try_into().ok()?,
        wall.second().try_into().ok()?,
    )
}
