//! When a doctor sees patients: weekly hours in the doctor's own time zone, days that differ, and what is free of it.

mod check;
mod free;
mod shown;

use std::{fmt, str::FromStr};

use chrono::{DateTime, NaiveDate, Utc};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub use self::{
    check::{check_exceptions, check_rules},
    free::{Question, Slot, free_slots},
    shown::Clocks,
};

/// The time zone of an IANA name, out of the tables that the program carries; an empty name is UTC.
pub fn time_zone(name: &str) -> Option<TimeZone> {
    if name.is_empty() { Some(TimeZone::UTC) } else { TimeZone::get(name).ok() }
}

/// Weekly hours, and how consultations are put into them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// A slot can begin so often, counted from the beginning of the hours.
    pub slot_minutes: u16,
    /// Time between booking and the beginning of the slot, at least.
    pub minimum_notice_minutes: u32,
    /// Time between two consultations, at least.
    pub buffer_minutes: u16,
    /// The hours.
    pub weekly: Vec<WeeklyHours>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { slot_minutes: 30, minimum_notice_minutes: 0, buffer_minutes: 0, weekly: Vec::new() }
    }
}

/// Hours on one day of each week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeeklyHours {
    /// The day.
    pub weekday: Weekday,
    /// They begin.
    pub from: TimeOfDay,
    /// They end before.
    pub to: TimeOfDay,
    /// First day on which they hold; `None` for always.
    #[serde(default)]
    pub valid_from: Option<NaiveDate>,
    /// Last day on which they hold; `None` for ever.
    #[serde(default)]
    pub valid_until: Option<NaiveDate>,
}

/// A day of the week (ISO 8601).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "their names say it")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// A time on a clock: `09:30`, and `24:00` for the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TimeOfDay(u16);

/// The end of a day.
const DAY_MINUTES: u16 = 24 * 60;

impl TimeOfDay {
    /// Minutes since midnight, at most 1440.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

/// A text that is no time on a clock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid time, expected a time such as 09:30")]
pub struct NoTimeOfDay;

impl FromStr for TimeOfDay {
    type Err = NoTimeOfDay;
    fn from_str(text: &str) -> Result<Self, NoTimeOfDay> {
        let digits = |part: &str| {
            (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<u16>())
        };
        let (hours, minutes) = text.split_once(':').ok_or(NoTimeOfDay)?;
        let (Some(Ok(hours)), Some(Ok(minutes))) = (digits(hours), digits(minutes)) else {
            return Err(NoTimeOfDay);
        };
        let time = hours * 60 + minutes;
        if minutes < 60 && time <= DAY_MINUTES { Ok(Self(time)) } else { Err(NoTimeOfDay) }
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = NoTimeOfDay;
    fn try_from(text: String) -> Result<Self, NoTimeOfDay> {
        text.parse()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

/// A time that differs from the weekly hours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// How it differs.
    pub kind: ExceptionKind,
    /// Begins.
    pub from: DateTime<Utc>,
    /// Ends before.
    pub to: DateTime<Utc>,
    /// What for; shown to the doctor and administrators alone.
    #[serde(default)]
    pub note: String,
}

/// How a time differs from the weekly hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionKind {
    /// No consultations then.
    TimeOff,
    /// Consultations then, too.
    ExtraHours,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_on_a_clock() {
        for text in ["00:00", "09:30", "23:59", "24:00"] {
            assert_eq!(text.parse::<TimeOfDay>().expect(text).to_string(), text);
        }
        for text in ["", "9:30", "24:01", "12:60", "-1:00", "12", "12:3", "+9:00", "١٢:٠٠"] {
            assert_eq!(text.parse::<TimeOfDay>(), Err(NoTimeOfDay), "{text}");
        }
    }

    #[test]
    fn zones_are_known_by_name() {
        assert!(time_zone("Africa/Accra").is_some() && time_zone("UTC").is_some() && time_zone("").is_some());
        assert!(time_zone("Europe/Atlantis").is_none() && time_zone("../etc/passwd").is_none());
    }
}
