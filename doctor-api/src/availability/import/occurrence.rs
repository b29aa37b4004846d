//! When an event is, each time that it is (RFC 5545 3.8.5).

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::{
    Refused,
    component::{Calendar, Event},
    line::Line,
    moment::{Length, Moment, length, moment},
    recurrence,
    zone::{Zone, Zones},
};

/// Longest event in days, as the longest exception.
const DAYS_MAX: i64 = 366;
/// Times that one event is, within the period that is asked for.
const TIMES_MAX: u16 = 1_000;
/// Events with a rule in one calendar.
const RULES_MAX: usize = 500;

/// From when until when.
pub(super) type Span = (DateTime<Utc>, DateTime<Utc>);

/// Asks when the events of a calendar are.
pub(super) struct Reckoner<'a> {
    zones: Zones<'a>,
    home: Zone,
    within: Span,
    /// Times of which another event of the same UID says when they are instead.
    moved: HashMap<&'a str, HashSet<DateTime<Utc>>>,
    rules: usize,
}

impl<'a> Reckoner<'a> {
    pub(super) fn new(calendar: &'a Calendar, home: Zone, within: Span) -> Result<Self, Refused> {
        let zones = Zones::of(calendar);
        let mut reckoner = Self { zones, home, within, moved: HashMap::new(), rules: 0 };
        for event in &calendar.events {
            if let Some(line) = event.line("RECURRENCE-ID") {
                if line.parameter("RANGE").is_some() {
                    return Err(line.refused("changes of all later times (RANGE) are not taken"));
                }
                let at = reckoner.moment(line, &line.value)?.instant(line)?;
                reckoner.moved.entry(event.value("UID")).or_default().insert(at);
            }
        }
        Ok(reckoner)
    }

    fn moment(&mut self, line: &Line, value: &str) -> Result<Moment, Refused> {
        moment(line, value, &mut self.zones, &self.home)
    }

    /// When it begins first, and how long it is each time.
    pub(super) fn first(&mut self, event: &'a Event) -> Result<(Moment, Length), Refused> {
        let line = event.line("DTSTART").ok_or_else(|| event.refused("an event without DTSTART"))?;
        let start = self.moment(line, &line.value)?;
        let length = match (event.line("DTEND"), event.line("DURATION")) {
            (Some(end), _) => {
                let ends = self.moment(end, &end.value)?;
                if start.is_day {
                    Length { days: (ends.wall - start.wall).num_days(), time: TimeDelta::zero() }
                } else {
                    Length { days: 0, time: ends.instant(end)? - start.instant(line)? }
                }
            }
            (None, Some(lasts)) => {
                length(&lasts.value).ok_or_else(|| lasts.refused("is no length such as PT30M"))?
            }
            // RFC 5545 3.6.1: a day lasts a day, anything else no time.
            (None, None) => Length { days: i64::from(start.is_day), time: TimeDelta::zero() },
        };
        check(line, length)?;
        Ok((start, length))
    }

    /// Every time within the period that is asked for.
    pub(super) fn times(&mut self, event: &'a Event) -> Result<Vec<Span>, Refused> {
        let (start, length) = self.first(event)?;
        let mut walls = vec![(start.wall, start.zone.clone(), length)];
        if let Some(rule) = event.line("RRULE") {
            self.rules += 1;
            if self.rules > RULES_MAX {
                return Err(rule.refused("the calendar has more than 500 events with rules"));
            }
            let found = self.by_rule(rule, &start)?;
            walls = found.into_iter().map(|wall| (wall, start.zone.clone(), length)).collect();
        }
        for line in event.lines("RDATE") {
            for value in line.value.split(',') {
                walls.push(self.added(line, value, length)?);
            }
        }
        let left_out = self.left_out(event)?;
        let mut times = Vec::new();
        for (wall, zone, length) in walls {
            // Beyond what a calendar holds is out of every period.
            let span = zone.to_utc(wall).zip(length.after(wall, &zone));
            if let Some((from, to)) = span.filter(|(from, to)| !left_out.contains(from) && from < to)
                && to > self.within.0
                && from < self.within.1
            {
                times.push((from, to));
            }
        }
        Ok(times)
    }

    fn by_rule(&self, rule: &Line, start: &Moment) -> Result<Vec<NaiveDateTime>, Refused> {
        let margin = TimeDelta::days(DAYS_MAX + 1);
        let begin = self.within.0.checked_sub_signed(margin).unwrap_or(self.within.0).naive_utc();
        let end = self.within.1.checked_add_signed(TimeDelta::days(1)).unwrap_or(self.within.1).naive_utc();
        let to_wall = |until: NaiveDateTime| start.zone.to_wall(until.and_utc());
        let first = (start.wall, start.is_day);
        let found = recurrence::starts(&rule.value, first, (begin, end), TIMES_MAX, to_wall);
        found.map_err(|why| rule.refused(why))
    }

    /// A time beside the rule: a beginning, or a period with its end.
    fn added(
        &mut self,
        line: &Line,
        value: &str,
        usual: Length,
    ) -> Result<(NaiveDateTime, Zone, Length), Refused> {
        let (begins, ends) = value.split_once('/').map_or((value, None), |(from, to)| (from, Some(to)));
        let begins = self.moment(line, begins)?;
        let length = match ends {
            None => usual,
            Some(ends) => {
                if let Some(length) = length(ends) {
                    length
                } else {
                    let ends = self.moment(line, ends)?.instant(line)?;
                    Length { days: 0, time: ends - begins.instant(line)? }
                }
            }
        };
        check(line, length)?;
        Ok((begins.wall, begins.zone, length))
    }

    fn left_out(&mut self, event: &'a Event) -> Result<HashSet<DateTime<Utc>>, Refused> {
        let mut left_out = HashSet::new();
        if event.line("RECURRENCE-ID").is_some() {
            return Ok(left_out);
        }
        if let Some(moved) = self.moved.get(event.value("UID")) {
            left_out.extend(moved);
        }
        for line in event.lines("EXDATE") {
            for value in line.value.split(',') {
                left_out.insert(self.moment(line, value)?.instant(line)?);
            }
        }
        Ok(left_out)
    }
}

fn check(line: &Line, length: Length) -> Result<(), Refused> {
    let whole = TimeDelta::days(length.days) + length.time;
    if whole < TimeDelta::zero() || whole > TimeDelta::days(DAYS_MAX) {
        return Err(line.refused("the event ends before it begins, or lasts more than 366 days"));
    }
    Ok(())
}
