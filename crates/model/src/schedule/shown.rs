//! Times as the clocks of a zone show them (RFC 3339, seconds).

use std::fmt::Write as _;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use jiff::{Timestamp, tz::TimeZone};

const SECONDS_OF_DAY: i64 = 86_400;
/// 0 to 59.
const TWO_DIGITS: &str = "000102030405060708091011121314151617181920212223242526272829\
    303132333435363738394041424344454647484950515253545556575859";

/// Writes one time after the other. A calendar has hundreds in a row: the tables of the zone are looked into again only where its
/// offset may have changed, and the date is made anew only on another day.
pub struct Clocks<'a> {
    zone: &'a TimeZone,
    offset: Offset,
    /// As `+02:00`, or `Z`.
    offset_text: String,
    /// Counted from 1970.
    day: i64,
    /// As `2027-03-28T`.
    day_text: String,
}

/// From when on and until before when a zone is so many seconds ahead of UTC.
#[derive(Clone, Copy)]
struct Offset {
    from: i64,
    until: i64,
    seconds: i64,
}

impl<'a> Clocks<'a> {
    /// The clocks of this zone.
    pub fn new(zone: &'a TimeZone) -> Self {
        let offset = Offset { from: 0, until: 0, seconds: 0 };
        Self { zone, offset, offset_text: String::new(), day: 0, day_text: day_text(0) }
    }

    /// Adds what they show then to a text, as `2027-03-28T09:00:00+02:00`, of UTC as `2027-03-28T07:00:00Z`. Years before 0 and
    /// after 9999, which RFC 3339 cannot write, are shown as 1970.
    pub fn write(&mut self, at: DateTime<Utc>, text: &mut String) {
        let seconds = at.timestamp();
        if !(self.offset.from..self.offset.until).contains(&seconds) {
            self.offset = Offset::at(self.zone, seconds);
            self.offset_text = self.offset.text();
        }
        let local = seconds + self.offset.seconds;
        let day = local.div_euclid(SECONDS_OF_DAY);
        if day != self.day {
            (self.day, self.day_text) = (day, day_text(day));
        }
        let second = local.rem_euclid(SECONDS_OF_DAY);
        text.push_str(&self.day_text);
        text.push_str(two_digits(second / 3_600));
        text.push(':');
        text.push_str(two_digits(second / 60 % 60));
        text.push(':');
        text.push_str(two_digits(second % 60));
        text.push_str(&self.offset_text);
    }
}

fn two_digits(number: i64) -> &'static str {
    let at = usize::try_from(number).unwrap_or_default() * 2;
    TWO_DIGITS.get(at..at + 2).unwrap_or_default()
}

impl Offset {
    fn at(zone: &TimeZone, seconds: i64) -> Self {
        let Ok(time) = Timestamp::from_second(seconds) else {
            return Self { from: seconds, until: seconds + 1, seconds: 0 };
        };
        let next = zone.following(time).next();
        let until = next.map_or(i64::MAX, |transition| transition.timestamp().as_second());
        Self { from: seconds, until, seconds: i64::from(zone.to_offset(time).seconds()) }
    }

    fn text(self) -> String {
        if self.seconds == 0 {
            return "Z".to_owned();
        }
        let sign = if self.seconds < 0 { '-' } else { '+' };
        let minutes = (self.seconds.abs() + 30) / 60;
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

fn day_text(day: i64) -> String {
    let since_1 = i32::try_from(day).ok().and_then(|day| day.checked_add(719_163));
    let date = since_1.and_then(NaiveDate::from_num_days_from_ce_opt);
    let date = date.filter(|date| (0..=9999).contains(&date.year())).unwrap_or_default();
    let mut text = String::with_capacity("2027-03-28T".len());
    // Writing to a String cannot fail.
    let _ = write!(text, "{:04}-{:02}-{:02}T", date.year(), date.month(), date.day());
    text
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;

    use super::{super::time_zone, *};

    /// Each time by itself, by chrono.
    fn plainly(at: DateTime<Utc>, zone: &TimeZone) -> String {
        let time = Timestamp::from_second(at.timestamp()).expect("a time of jiff");
        let offset = chrono::FixedOffset::east_opt(zone.to_offset(time).seconds()).expect("less than a day");
        at.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    fn shown(clocks: &mut Clocks<'_>, at: DateTime<Utc>) -> String {
        let mut text = String::new();
        clocks.write(at, &mut text);
        text
    }

    #[test]
    fn shows_what_chrono_shows_forwards_backwards_and_over_every_change_of_clocks() {
        let zones = [
            "UTC",
            "Europe/Berlin",
            "America/St_Johns",
            "Asia/Kathmandu",
            "Australia/Lord_Howe",
            "Africa/Monrovia",
        ];
        let begin = DateTime::parse_from_rfc3339("1969-11-30T23:59:59Z").expect("a time").to_utc();
        for name in zones {
            let zone = time_zone(name).expect("a zone");
            let mut clocks = Clocks::new(&zone);
            let times: Vec<_> =
                (0..40_000).map(|step| begin + chrono::TimeDelta::seconds(step * 50_021)).collect();
            for at in times.iter().chain(times.iter().rev()) {
                assert_eq!(shown(&mut clocks, *at), plainly(*at, &zone), "{name}");
            }
        }
    }

    #[test]
    fn what_cannot_be_written_is_no_panic() {
        let zone = time_zone("Europe/Berlin").expect("a zone");
        let mut clocks = Clocks::new(&zone);
        for at in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            assert!(shown(&mut clocks, at).starts_with("1970-01-01T"));
        }
    }
}
