//! A time zone as a calendar carries it (RFC 5545 3.6.5): every change of its clocks within a period, written out.

use chrono::{DateTime, TimeDelta, Utc};
use jiff::{
    Timestamp,
    tz::{Dst, Offset, TimeZone},
};

use super::line::Lines;

/// Changes that are written at most: two a year, over longer periods than are asked for.
const CHANGES_MAX: usize = 64;

pub(super) fn write_zone(
    lines: &mut Lines,
    zone: &TimeZone,
    name: &str,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
) {
    // A day more: the period begins and ends within days of the zone.
    let day = TimeDelta::days(1);
    let Ok(from) = Timestamp::from_second((from - day).timestamp()) else { return };
    let until = Timestamp::from_second((until + day).timestamp()).unwrap_or(Timestamp::MAX);
    lines.add("BEGIN", "VTIMEZONE");
    lines.add("TZID", name);
    let start = zone.to_offset_info(from);
    let mut before = start.offset();
    write_observance(lines, from, (before, before), (start.abbreviation(), start.dst()));
    for change in zone.following(from).take_while(|change| change.timestamp() <= until).take(CHANGES_MAX) {
        let named = (change.abbreviation(), change.dst());
        write_observance(lines, change.timestamp(), (before, change.offset()), named);
        before = change.offset();
    }
    lines.add("END", "VTIMEZONE");
}

fn write_observance(
    lines: &mut Lines,
    at: Timestamp,
    (before, after): (Offset, Offset),
    (abbreviation, dst): (&str, Dst),
) {
    let kind = if dst.is_dst() { "DAYLIGHT" } else { "STANDARD" };
    lines.add("BEGIN", kind);
    // As the clocks stood that are changed.
    lines.add("DTSTART", &before.to_datetime(at).strftime("%Y%m%dT%H%M%S").to_string());
    lines.add("TZOFFSETFROM", &offset(before));
    lines.add("TZOFFSETTO", &offset(after));
    lines.add_text("TZNAME", abbreviation);
    lines.add("END", kind);
}

fn offset(offset: Offset) -> String {
    let (seconds, sign) = (offset.seconds().abs(), if offset.seconds() < 0 { '-' } else { '+' });
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let rest = if rest == 0 { String::new() } else { format!("{rest:02}") };
    format!("{sign}{hours:02}{minutes:02}{rest}")
}
