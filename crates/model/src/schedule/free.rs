//! The free slots of a period. Clock times become instants day by day, in the tables of the zone: on the night that
//! loses an hour, hours that begin in it begin when it is over; on the one that has an hour twice, at the first.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use jiff::{Timestamp, civil, tz::TimeZone};

use super::{Exception, ExceptionKind, Rules, TimeOfDay, Weekday, WeeklyHours};

/// Whose slots, and which.
pub struct Question<'a> {
    /// Weekly hours.
    pub rules: &'a Rules,
    /// Days that differ.
    pub exceptions: &'a [Exception],
    /// The zone of the weekly hours.
    pub zone: &'a TimeZone,
    /// What is taken.
    pub busy: &'a [Slot],
    /// Slots begin at or after.
    pub from: DateTime<Utc>,
    /// Slots begin before.
    pub until: DateTime<Utc>,
    /// Length of a slot.
    pub duration: TimeDelta,
    /// The time now.
    pub now: DateTime<Utc>,
}

/// From then until before then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// Begins.
    pub starts_at: DateTime<Utc>,
    /// Ends before.
    pub ends_at: DateTime<Utc>,
}

/// Seconds since 1970.
type Span = (i64, i64);

/// The free slots, in order.
pub fn free_slots(question: &Question<'_>) -> Vec<Slot> {
    let notice = TimeDelta::minutes(i64::from(question.rules.minimum_notice_minutes));
    let earliest = question.from.max(question.now + notice);
    // A second that has begun is over.
    let earliest = earliest.timestamp() + i64::from(earliest.timestamp_subsec_nanos() > 0);
    let until = question.until.timestamp();
    let (step, length) = (i64::from(question.rules.slot_minutes) * 60, question.duration.num_seconds());
    if step == 0 || length <= 0 {
        return Vec::new();
    }
    let taken = merged(taken(question));
    let mut slots = Vec::new();
    for (opens, closes) in merged(opening_hours(question)) {
        let late = (earliest - opens).max(0);
        let mut start = opens + (late + step - 1) / step * step;
        while start < until && start + length <= closes {
            if is_free(&taken, (start, start + length)) {
                slots.extend(slot(start, start + length));
            }
            start += step;
        }
    }
    slots
}

fn slot(start: i64, end: i64) -> Option<Slot> {
    Some(Slot { starts_at: DateTime::from_timestamp(start, 0)?, ends_at: DateTime::from_timestamp(end, 0)? })
}

/// What cannot be booked: time off, and what is booked with the buffer around it.
fn taken(question: &Question<'_>) -> Vec<Span> {
    let buffer = i64::from(question.rules.buffer_minutes) * 60;
    let off = question.exceptions.iter().filter(|exception| exception.kind == ExceptionKind::TimeOff);
    let off = off.map(|exception| (exception.from.timestamp(), exception.to.timestamp()));
    let busy = question.busy.iter();
    let busy = busy.map(|slot| (slot.starts_at.timestamp() - buffer, slot.ends_at.timestamp() + buffer));
    off.chain(busy).collect()
}

/// Weekly hours of every day of the period, and extra hours.
fn opening_hours(question: &Question<'_>) -> Vec<Span> {
    let extra = question.exceptions.iter().filter(|exception| exception.kind == ExceptionKind::ExtraHours);
    let mut hours: Vec<Span> =
        extra.map(|exception| (exception.from.timestamp(), exception.to.timestamp())).collect();
    let first = local_date(question.zone, question.from).and_then(|date| date.yesterday().ok());
    let last = local_date(question.zone, question.until);
    let (Some(first), Some(last)) = (first, last) else { return hours };
    let mut date = first;
    while date <= last {
        let today = question.rules.weekly.iter().filter(|weekly| holds_on(weekly, date));
        hours.extend(today.filter_map(|weekly| {
            let span = (instant(question.zone, date, weekly.from)?, instant(question.zone, date, weekly.to)?);
            (span.0 < span.1).then_some(span)
        }));
        let Ok(tomorrow) = date.tomorrow() else { break };
        date = tomorrow;
    }
    hours
}

fn local_date(zone: &TimeZone, at: DateTime<Utc>) -> Option<civil::Date> {
    Some(zone.to_datetime(Timestamp::from_second(at.timestamp()).ok()?).date())
}

fn holds_on(weekly: &WeeklyHours, date: civil::Date) -> bool {
    let day = |bound: Option<NaiveDate>| bound.and_then(to_civil);
    weekday(date) == weekly.weekday
        && day(weekly.valid_from).is_none_or(|first| first <= date)
        && day(weekly.valid_until).is_none_or(|last| date <= last)
}

fn to_civil(date: NaiveDate) -> Option<civil::Date> {
    use chrono::Datelike;
    let (year, month, day) = (date.year(), date.month(), date.day());
    civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()
}

fn weekday(date: civil::Date) -> Weekday {
    match date.weekday() {
        civil::Weekday::Monday => Weekday::Monday,
        civil::Weekday::Tuesday => Weekday::Tuesday,
        civil::Weekday::Wednesday => Weekday::Wednesday,
        civil::Weekday::Thursday => Weekday::Thursday,
        civil::Weekday::Friday => Weekday::Friday,
        civil::Weekday::Saturday => Weekday::Saturday,
        civil::Weekday::Sunday => Weekday::Sunday,
    }
}

fn instant(zone: &TimeZone, date: civil::Date, time: TimeOfDay) -> Option<i64> {
    let minutes = time.minutes();
    let date = if minutes == 24 * 60 { date.tomorrow().ok()? } else { date };
    let (hour, minute) = (i8::try_from(minutes / 60 % 24).ok()?, i8::try_from(minutes % 60).ok()?);
    let local = date.at(hour, minute, 0, 0);
    Some(zone.to_ambiguous_timestamp(local).compatible().ok()?.as_second())
}

/// Sorted, with what overlaps or touches made one.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
            _ => merged.push(span),
        }
    }
    merged
}

/// `taken` is sorted and apart: only the last one that begins before the slot's end can reach into it.
fn is_free(taken: &[Span], slot: Span) -> bool {
    let before = taken.partition_point(|span| span.0 < slot.1);
    before == 0 || taken[before - 1].1 <= slot.0
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Clocks, time_zone},
        *,
    };

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().expect(text)
    }

    /// Starts of the free slots, as the doctor's clocks show them.
    fn starts(
        rules: &str,
        exceptions: &str,
        busy: &[(&str, &str)],
        (zone, from, until): (&str, &str, &str),
    ) -> Vec<String> {
        let rules: Rules = serde_json::from_str(rules).expect("rules");
        let exceptions: Vec<Exception> = serde_json::from_str(exceptions).expect("exceptions");
        let busy: Vec<Slot> =
            busy.iter().map(|(from, to)| Slot { starts_at: time(from), ends_at: time(to) }).collect();
        let zone = time_zone(zone).expect("a zone");
        let question = Question {
            rules: &rules,
            exceptions: &exceptions,
            zone: &zone,
            busy: &busy,
            from: time(from),
            until: time(until),
            duration: TimeDelta::minutes(60),
            now: time("2027-01-01T00:00:00Z"),
        };
        let mut clocks = Clocks::new(&zone);
        let mut show = |at| {
            let mut text = String::new();
            clocks.write(at, &mut text);
            text
        };
        free_slots(&question).into_iter().map(|slot| show(slot.starts_at)).collect()
    }

    const SUNDAY: &str = r#"{"slot_minutes":60,"weekly":[{"weekday":"sunday","from":"00:00","to":"05:00"}]}"#;

    // In Berlin 28 March 2027 has no 02:00 to 03:00; 31 October has it twice.
    #[test]
    fn a_night_that_loses_or_gains_an_hour_has_the_slots_that_there_are() {
        let spring =
            starts(SUNDAY, "[]", &[], ("Europe/Berlin", "2027-03-27T00:00:00Z", "2027-03-29T00:00:00Z"));
        assert_eq!(
            spring,
            [
                "2027-03-28T00:00:00+01:00",
                "2027-03-28T01:00:00+01:00",
                "2027-03-28T03:00:00+02:00",
                "2027-03-28T04:00:00+02:00"
            ]
        );
        let autumn =
            starts(SUNDAY, "[]", &[], ("Europe/Berlin", "2027-10-30T00:00:00Z", "2027-11-01T00:00:00Z"));
        assert_eq!(autumn.len(), 6, "{autumn:?}");
        assert_eq!(autumn[2..4], ["2027-10-31T02:00:00+02:00", "2027-10-31T02:00:00+01:00"]);
    }

    #[test]
    fn nine_o_clock_stays_nine_o_clock_over_the_change() {
        let rules = r#"{"slot_minutes":60,"weekly":[{"weekday":"friday","from":"09:00","to":"10:00"}]}"#;
        let found =
            starts(rules, "[]", &[], ("America/New_York", "2027-03-01T00:00:00Z", "2027-03-31T00:00:00Z"));
        assert_eq!(
            found,
            [
                "2027-03-05T09:00:00-05:00",
                "2027-03-12T09:00:00-05:00",
                "2027-03-19T09:00:00-04:00",
                "2027-03-26T09:00:00-04:00"
            ]
        );
    }

    const MORNING: &str = r#"{"slot_minutes":30,"buffer_minutes":10,
        "weekly":[{"weekday":"monday","from":"08:00","to":"10:00"},{"weekday":"monday","from":"10:00","to":"12:00"}]}"#;
    const MONDAY: (&str, &str, &str) = ("UTC", "2027-05-03T00:00:00Z", "2027-05-04T00:00:00Z");

    #[test]
    fn what_is_booked_and_its_buffer_are_left_out() {
        let clock =
            |found: Vec<String>| -> Vec<String> { found.iter().map(|at| at[11..16].to_owned()).collect() };
        let all = clock(starts(MORNING, "[]", &[], MONDAY));
        assert_eq!(all, ["08:00", "08:30", "09:00", "09:30", "10:00", "10:30", "11:00"]);
        let busy = [("2027-05-03T09:00:00Z", "2027-05-03T09:30:00Z")];
        assert_eq!(clock(starts(MORNING, "[]", &busy, MONDAY)), ["10:00", "10:30", "11:00"]);
        let off = r#"[{"kind":"time_off","from":"2027-05-03T08:00:00Z","to":"2027-05-03T10:15:00Z"},
            {"kind":"extra_hours","from":"2027-05-03T20:15:00Z","to":"2027-05-03T21:15:00Z"}]"#;
        assert_eq!(clock(starts(MORNING, off, &[], MONDAY)), ["10:30", "11:00", "20:15"]);
    }

    #[test]
    fn notice_and_validity_bound_what_can_be_booked() {
        let late = MORNING.replacen('{', r#"{"minimum_notice_minutes":43200,"#, 1);
        let january = ("UTC", "2027-01-01T00:00:00Z", "2027-02-02T00:00:00Z");
        let found = starts(&late, "[]", &[], january);
        assert_eq!(found.first().map(String::as_str), Some("2027-02-01T08:00:00Z"));
        let brief = MORNING.replace(r#""to":"12:00""#, r#""to":"12:00","valid_from":"2027-05-10""#);
        assert_eq!(starts(&brief, "[]", &[], MONDAY).len(), 3, "the hours from 10:00 begin a week later");
    }
}
