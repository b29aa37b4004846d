//! When something is (RFC 5545 3.3.4, 3.3.5, 3.3.6): days, times of a clock somewhere, and how long.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use jiff::tz::TimeZone;

use super::{
    Refused,
    line::Line,
    zone::{Zone, Zones},
};

/// A day, or a time that clocks show somewhere.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    pub wall: NaiveDateTime,
    pub zone: Zone,
    /// The whole day is meant.
    pub is_day: bool,
}

impl Moment {
    pub(super) fn instant(&self, line: &Line) -> Result<DateTime<Utc>, Refused> {
        self.zone.to_utc(self.wall).ok_or_else(|| line.refused("lies beyond the times of a calendar"))
    }
}

/// A time without anything after its seconds.
pub(super) fn date_time(text: &str) -> Option<NaiveDateTime> {
    let (day, time) = text.split_once('T')?;
    Some(date(day)?.and_time(clock(time)?))
}

pub(super) fn date(text: &str) -> Option<NaiveDate> {
    let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = |range| text.get(range).and_then(|part: &str| part.parse::<u32>().ok());
    if !digits {
        return None;
    }
    NaiveDate::from_ymd_opt(number(0..4)?.try_into().ok()?, number(4..6)?, number(6..8)?)
}

fn clock(text: &str) -> Option<NaiveTime> {
    let digits = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = |range| text.get(range).and_then(|part: &str| part.parse::<u32>().ok());
    if !digits {
        return None;
    }
    // A leap second is the second before it.
    NaiveTime::from_hms_opt(number(0..2)?, number(2..4)?, number(4..6)?.min(59))
}

/// One value of a line; without a zone it is a time where the doctor is.
pub(super) fn moment(
    line: &Line,
    value: &str,
    zones: &mut Zones<'_>,
    home: &Zone,
) -> Result<Moment, Refused> {
    let value = value.trim();
    if let Some(day) = date(value) {
        return Ok(Moment { wall: day.and_time(NaiveTime::MIN), zone: home.clone(), is_day: true });
    }
    let (text, zone) = match value.strip_suffix('Z') {
        Some(text) => (text, Zone::Known(TimeZone::UTC)),
        None => match line.parameter("TZID") {
            Some(name) => (value, zones.get(line, name)?),
            None => (value, home.clone()),
        },
    };
    let wall = date_time(text).ok_or_else(|| line.refused("expected a time such as 20270131T093000Z"))?;
    Ok(Moment { wall, zone, is_day: false })
}

/// How long something is: days as a calendar has them, and time as a clock runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Length {
    pub days: i64,
    pub time: TimeDelta,
}

impl Length {
    /// The end of what begins then, where clocks show that.
    pub(super) fn after(self, wall: NaiveDateTime, zone: &Zone) -> Option<DateTime<Utc>> {
        let day = zone.to_utc(wall.checked_add_signed(TimeDelta::days(self.days))?)?;
        day.checked_add_signed(self.time)
    }
}

/// RFC 5545 3.3.6: `PT1H30M`, `P2D`, `P1W`; nothing that runs backwards.
pub(super) fn length(text: &str) -> Option<Length> {
    let text = text.trim();
    let rest = text.strip_prefix('+').unwrap_or(text).strip_prefix('P')?;
    let (date, time) = rest.split_once('T').map_or((rest, None), |(date, time)| (date, Some(time)));
    if date.is_empty() && time.is_none_or(str::is_empty) {
        return None;
    }
    let days = sum(date, &[('W', 7), ('D', 1)])?;
    let seconds = sum(time.unwrap_or_default(), &[('H', 3_600), ('M', 60), ('S', 1)])?;
    Some(Length { days, time: TimeDelta::try_seconds(seconds)? })
}

/// Numbers before units, each at most once and in their order.
fn sum(text: &str, units: &[(char, i64)]) -> Option<i64> {
    let (mut rest, mut total) = (text, 0_i64);
    for (unit, worth) in units {
        if let Some((number, left)) = rest.split_once(*unit) {
            if number.is_empty() || number.len() > 6 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            total += number.parse::<i64>().ok()? * worth;
            rest = left;
        }
    }
    rest.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        let is = |days, seconds| Some(Length { days, time: TimeDelta::seconds(seconds) });
        for (text, expected) in [
            ("PT1H30M", is(0, 5_400)),
            ("P2D", is(2, 0)),
            ("P1W", is(7, 0)),
            ("+P1DT12H", is(1, 43_200)),
            ("P0D", is(0, 0)),
            ("-PT1H", None),
            ("P", None),
            ("PT", None),
            ("PT1M1H", None),
            ("P99999999999D", None),
            ("PT1", None),
        ] {
            assert_eq!(length(text), expected, "{text}");
        }
    }

    #[test]
    fn times() {
        assert!(date_time("20270131T093000").is_some() && date("20280229").is_some());
        for text in ["20270229", "2027-01-31", "20270131T", "20270131T2500", "+2270131", "２０２７０１３１"]
        {
            assert!(date(text).is_none() && date_time(text).is_none(), "{text}");
        }
    }
}
