//! Hours that come again each week, out of a calendar: events of the category AVAILABILITY.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _, Utc};
use jiff::tz::TimeZone;
use model::schedule::{TimeOfDay, Weekday, WeeklyHours};

use super::{
    Refused,
    component::{Event, read_calendar},
    line::Line,
    moment::{Length, Moment, date, date_time},
    occurrence::Reckoner,
    recurrence::{last, parts, starts},
    zone::Zone,
};
use crate::availability::calendar::VALID_FROM;

/// Most times of a rule with COUNT.
const COUNT_MAX: u16 = 1_000;

/// The weekly hours of a calendar, in the doctor's time zone.
pub fn weekly_hours(text: &str, home: TimeZone) -> Result<Vec<WeeklyHours>, Refused> {
    let calendar = read_calendar(text)?;
    let home = Zone::Known(home);
    // Nobody is asked which times are in a period.
    let never = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MIN_UTC);
    let mut reckoner = Reckoner::new(&calendar, home.clone(), never)?;
    let mut hours = Vec::new();
    for event in &calendar.events {
        let Some(rule) = event.line("RRULE").filter(|_| event.has("CATEGORIES", "AVAILABILITY")) else {
            continue;
        };
        let (start, length) = reckoner.first(event)?;
        check(event, rule, (&start, &home))?;
        hours.extend(hours_of(event, rule, (&start, length))?);
    }
    if hours.is_empty() {
        let why = "there are no weekly hours in the calendar: they are events with CATEGORIES:AVAILABILITY and \
                   RRULE:FREQ=WEEKLY";
        return Err(Refused { line: 1, why: why.to_owned() });
    }
    Ok(hours)
}

/// What weekly hours cannot say.
fn check(event: &Event, rule: &Line, (start, home): (&Moment, &Zone)) -> Result<(), Refused> {
    for other in ["EXDATE", "RDATE", "RECURRENCE-ID"] {
        if let Some(line) = event.line(other) {
            return Err(line.refused("weekly hours have no days that differ; those are the exceptions"));
        }
    }
    let here = start.zone.name().is_some() && start.zone.name() == home.name();
    if start.is_day || !here {
        let zone = home.name().unwrap_or("UTC");
        return Err(
            rule.refused(format!("weekly hours are times of a clock in the doctor's time zone, {zone}"))
        );
    }
    let parts = parts(&rule.value).map_err(|why| rule.refused(why))?;
    if parts.frequency != "WEEKLY" || !["", "1"].contains(&parts.interval) || parts.more {
        return Err(rule.refused("weekly hours have a rule of FREQ=WEEKLY, BYDAY, and UNTIL or COUNT alone"));
    }
    Ok(())
}

fn hours_of(
    event: &Event,
    rule: &Line,
    (start, length): (&Moment, Length),
) -> Result<Vec<WeeklyHours>, Refused> {
    let refused = |why: &str| rule.refused(why);
    let parts = parts(&rule.value).map_err(|why| rule.refused(why))?;
    let (from, to) = clock_times(event, start, length)
        .ok_or_else(|| refused("hours are whole minutes of one day; those over midnight are two events"))?;
    let to_wall = |until: NaiveDateTime| start.zone.to_wall(until.and_utc());
    let mut until = last(parts.until, false, to_wall).map_err(|why| rule.refused(why))?;
    if !parts.count.is_empty() {
        let all = (start.wall, NaiveDateTime::MAX);
        let found = starts(&rule.value, (start.wall, false), all, COUNT_MAX, to_wall);
        let found = found.map_err(|why| rule.refused(why))?;
        if found.is_empty() || found.len() >= usize::from(COUNT_MAX) {
            return Err(refused("COUNT of weekly hours is 1 to 999"));
        }
        until = found.last().copied();
    }
    // The last day counts when its hours begin before the end.
    let ended = until.and_then(|until| {
        let late = until.time() < start.wall.time();
        if late { until.date().pred_opt() } else { Some(until.date()) }
    });
    let days: Vec<Weekday> = if parts.days.is_empty() {
        vec![weekday(chrono::Datelike::weekday(&start.wall))]
    } else {
        let read = parts.days.split(',').map(|day| named(day.trim()));
        read.collect::<Option<_>>().ok_or_else(|| refused("BYDAY of weekly hours is a list as MO,TU"))?
    };
    let valid_from = valid_from(event, start.wall.date());
    let hours = |weekday| WeeklyHours { weekday, from, to, valid_from, valid_until: ended };
    Ok(days.into_iter().map(hours).collect())
}

/// The first day on which they hold: as our own calendar says, while the event begins as it was written there; else the day on which
/// it begins.
fn valid_from(event: &Event, begins: NaiveDate) -> Option<NaiveDate> {
    match event.value(VALID_FROM).split_once('/') {
        Some((first, valid_from)) if date(first) == Some(begins) => {
            (!valid_from.is_empty()).then(|| date(valid_from).unwrap_or(begins))
        }
        _ => Some(begins),
    }
}

/// From when until when by the clock.
fn clock_times(event: &Event, start: &Moment, length: Length) -> Option<(TimeOfDay, TimeOfDay)> {
    // As it is written: on a day that loses or gains an hour the length says something else.
    let written = event.line("DTEND").filter(|end| is_as_the_start(event, end));
    let written = written.and_then(|end| date_time(end.value.trim().trim_end_matches('Z')));
    let ends = written.or_else(|| start.zone.to_wall(length.after(start.wall, &start.zone)?))?;
    let midnight = start.wall.date().succ_opt()?.and_time(NaiveTime::MIN);
    if ends > midnight || start.wall.second() != 0 || ends.second() != 0 || ends <= start.wall {
        return None;
    }
    let show = |at: NaiveDateTime| {
        if at == midnight { "24:00".to_owned() } else { at.format("%H:%M").to_string() }
    };
    Some((show(start.wall).parse().ok()?, show(ends).parse().ok()?))
}

/// Whether an end is written in the zone of the start.
fn is_as_the_start(event: &Event, end: &Line) -> bool {
    let zone = |line: &Line| (line.parameter("TZID").map(str::to_owned), line.value.trim().ends_with('Z'));
    event.line("DTSTART").is_some_and(|start| zone(start) == zone(end))
}

fn weekday(day: chrono::Weekday) -> Weekday {
    match day {
        chrono::Weekday::Mon => Weekday::Monday,
        chrono::Weekday::Tue => Weekday::Tuesday,
        chrono::Weekday::Wed => Weekday::Wednesday,
        chrono::Weekday::Thu => Weekday::Thursday,
        chrono::Weekday::Fri => Weekday::Friday,
        chrono::Weekday::Sat => Weekday::Saturday,
        chrono::Weekday::Sun => Weekday::Sunday,
    }
}

fn named(day: &str) -> Option<Weekday> {
    Some(match day.to_ascii_uppercase().as_str() {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    })
}
