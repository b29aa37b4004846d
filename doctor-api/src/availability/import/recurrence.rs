//! Rules of what comes again (RFC 5545 3.3.10). The `rrule` crate reckons them on the times that clocks show, so that
//! nine o'clock stays nine o'clock; here stands what it may be asked.

use chrono::{NaiveDateTime, NaiveTime};
use rrule::{RRule, Tz, Unvalidated};

use super::moment::{date, date_time};

/// Longest rule in bytes.
const RULE_LENGTH_MAX: usize = 512;
/// Times of one day.
const TIMES_A_DAY_MAX: usize = 24;

/// What of a rule is asked for by itself.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    pub frequency: String,
    pub interval: &'a str,
    pub days: &'a str,
    pub until: &'a str,
    pub count: &'a str,
    /// There are others.
    pub more: bool,
}

/// Cuts a rule; what makes it dear to reckon is refused.
pub(super) fn parts(rule: &str) -> Result<Parts<'_>, String> {
    if rule.len() > RULE_LENGTH_MAX || !rule.is_ascii() {
        return Err("a rule has at most 512 characters of ASCII".to_owned());
    }
    let mut parts = Parts::default();
    let mut times = 1;
    for part in rule.trim().split(';').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').ok_or("a part of the rule has no value")?;
        match key.trim().to_ascii_uppercase().as_str() {
            "FREQ" => parts.frequency = value.trim().to_ascii_uppercase(),
            "INTERVAL" => parts.interval = value.trim(),
            "BYDAY" => parts.days = value.trim(),
            "UNTIL" => parts.until = value.trim(),
            "COUNT" => parts.count = value.trim(),
            "WKST" => {}
            "BYHOUR" | "BYMINUTE" => {
                times *= value.split(',').count();
                parts.more = true;
            }
            "BYSECOND" => return Err("rules with BYSECOND are not taken".to_owned()),
            _ => parts.more = true,
        }
    }
    if !["DAILY", "WEEKLY", "MONTHLY", "YEARLY"].contains(&parts.frequency.as_str()) {
        return Err("FREQ is one of DAILY, WEEKLY, MONTHLY, YEARLY".to_owned());
    }
    if times > TIMES_A_DAY_MAX {
        return Err("a rule may name at most 24 times of a day".to_owned());
    }
    Ok(parts)
}

/// What clocks show at the beginnings within `within`, both ends included, at most `count_max` of them. `to_wall` says
/// what they show at a time in UTC.
pub(super) fn starts(
    rule: &str,
    (start, is_day): (NaiveDateTime, bool),
    within: (NaiveDateTime, NaiveDateTime),
    count_max: u16,
    to_wall: impl Fn(NaiveDateTime) -> Option<NaiveDateTime>,
) -> Result<Vec<NaiveDateTime>, String> {
    let parts = parts(rule)?;
    let until = last(parts.until, is_day, to_wall)?;
    if until.is_some_and(|until| until < start) {
        return Ok(Vec::new());
    }
    let others = rule.trim().split(';').filter(|part| !is_until(part));
    let mut asked = others.collect::<Vec<_>>().join(";").to_ascii_uppercase();
    if let Some(until) = until {
        asked.push_str(&until.format(";UNTIL=%Y%m%dT%H%M%SZ").to_string());
    }
    let at = |wall: NaiveDateTime| wall.and_utc().with_timezone(&Tz::UTC);
    let unclear = |_| "the rule is none that RFC 5545 knows".to_owned();
    let rule = asked.parse::<RRule<Unvalidated>>().map_err(unclear)?;
    let rule = rule.build(at(start)).map_err(unclear)?;
    let found = rule.clone().after(at(within.0)).before(at(within.1)).all(count_max);
    // To look for a day that never comes is dear: whoever asks for one asks for no second.
    if found.dates.is_empty() && rule.all(1).dates.is_empty() {
        return Err("the rule names days that never come".to_owned());
    }
    Ok(found.dates.into_iter().map(|date| date.naive_utc()).collect())
}

fn is_until(part: &str) -> bool {
    part.split_once('=').is_some_and(|(key, _)| key.trim().eq_ignore_ascii_case("UNTIL"))
}

/// The last time that a rule may name, as clocks show it.
pub(super) fn last(
    until: &str,
    is_day: bool,
    to_wall: impl Fn(NaiveDateTime) -> Option<NaiveDateTime>,
) -> Result<Option<NaiveDateTime>, String> {
    const END_OF_DAY: NaiveTime = NaiveTime::from_hms_opt(23, 59, 59).expect("a time");
    if until.is_empty() {
        return Ok(None);
    }
    let read = match (date(until), until.strip_suffix('Z')) {
        (Some(day), _) => Some(day.and_time(END_OF_DAY)),
        // Days have no zone; some write UNTIL with a time nevertheless.
        (None, Some(text)) if is_day => date_time(text),
        (None, Some(text)) => date_time(text).and_then(to_wall),
        (None, None) => date_time(until),
    };
    read.map(Some).ok_or_else(|| "UNTIL is no time".to_owned())
}
