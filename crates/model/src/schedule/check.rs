//! What hours cannot be: each refusal with the path of its field.

use chrono::{NaiveDate, TimeDelta};

use super::{Exception, Rules, WeeklyHours};

/// Most entries of the weekly hours.
const WEEKLY_MAX: usize = 100;
/// Most days that differ.
const EXCEPTIONS_MAX: usize = 500;
/// Longest time that differs, in days.
const EXCEPTION_DAYS_MAX: i64 = 366;
/// Longest note of an exception in characters.
const NOTE_LENGTH_MAX: usize = 200;

/// Field and what is wrong with it.
type Refusals = Vec<(String, String)>;

/// What is wrong with weekly hours.
pub fn check_rules(rules: &Rules) -> Refusals {
    let mut refusals = Refusals::new();
    let mut refuse = |field: String, message: &str| refusals.push((field, message.to_owned()));
    if !(5..=480).contains(&rules.slot_minutes) {
        refuse("slot_minutes".into(), "must be 5 to 480");
    }
    if rules.minimum_notice_minutes > 43_200 {
        refuse("minimum_notice_minutes".into(), "must be at most 43200, 30 days");
    }
    if rules.buffer_minutes > 240 {
        refuse("buffer_minutes".into(), "must be at most 240");
    }
    if rules.weekly.len() > WEEKLY_MAX {
        refuse("weekly".into(), "has more than 100 entries");
        return refusals;
    }
    for (index, hours) in rules.weekly.iter().enumerate() {
        if hours.from >= hours.to {
            refuse(format!("weekly[{index}].to"), "must be after from; hours over midnight are two entries");
        }
        if validity(hours).0 > validity(hours).1 {
            refuse(format!("weekly[{index}].valid_until"), "lies before valid_from");
        }
        if let Some(other) = rules.weekly[..index].iter().position(|other| overlap(hours, other)) {
            refuse(format!("weekly[{index}]"), &format!("overlaps weekly[{other}]"));
        }
    }
    refusals
}

fn validity(hours: &WeeklyHours) -> (NaiveDate, NaiveDate) {
    (hours.valid_from.unwrap_or(NaiveDate::MIN), hours.valid_until.unwrap_or(NaiveDate::MAX))
}

fn overlap(one: &WeeklyHours, other: &WeeklyHours) -> bool {
    let ((one_first, one_last), (other_first, other_last)) = (validity(one), validity(other));
    one.weekday == other.weekday
        && one.from < other.to
        && other.from < one.to
        && one_first <= other_last
        && other_first <= one_last
}

/// What is wrong with days that differ.
pub fn check_exceptions(exceptions: &[Exception]) -> Refusals {
    if exceptions.len() > EXCEPTIONS_MAX {
        return vec![("exceptions".into(), "has more than 500 entries".into())];
    }
    let mut refusals = Refusals::new();
    for (index, exception) in exceptions.iter().enumerate() {
        let mut refuse = |field: &str, message: &str| {
            refusals.push((format!("exceptions[{index}].{field}"), message.into()));
        };
        if exception.from >= exception.to {
            refuse("to", "must be after from");
        } else if exception.to - exception.from > TimeDelta::days(EXCEPTION_DAYS_MAX) {
            refuse("to", "lies more than 366 days after from");
        }
        if exception.note.chars().count() > NOTE_LENGTH_MAX || exception.note.chars().any(char::is_control) {
            refuse("note", "is one line of at most 200 characters");
        }
    }
    refusals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(rules: &str) -> Vec<String> {
        let rules: Rules = serde_json::from_str(rules).expect("rules");
        check_rules(&rules).into_iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn hours_that_cannot_be_are_named() {
        let none: [&str; 0] = [];
        let two = |other: &str| {
            format!(
                r#"{{"weekly":[{{"weekday":"monday","from":"09:00","to":"12:00","valid_until":"2027-06-30"}},{other}]}}"#
            )
        };
        for (other, refused) in [
            (r#"{"weekday":"monday","from":"12:00","to":"17:00"}"#, ""),
            (r#"{"weekday":"tuesday","from":"09:00","to":"12:00"}"#, ""),
            (r#"{"weekday":"monday","from":"09:00","to":"12:00","valid_from":"2027-07-01"}"#, ""),
            (r#"{"weekday":"monday","from":"11:59","to":"17:00"}"#, "weekly[1]"),
            (r#"{"weekday":"monday","from":"09:00","to":"12:00","valid_from":"2027-06-30"}"#, "weekly[1]"),
            (r#"{"weekday":"friday","from":"12:00","to":"12:00"}"#, "weekly[1].to"),
            (
                r#"{"weekday":"friday","from":"08:00","to":"09:00","valid_from":"2027-02-01","valid_until":"2027-01-01"}"#,
                "weekly[1].valid_until",
            ),
        ] {
            let found = fields(&two(other));
            if refused.is_empty() { assert_eq!(found, none, "{other}") } else { assert_eq!(found, [refused]) }
        }
        let numbers = r#"{"slot_minutes":4,"minimum_notice_minutes":43201,"buffer_minutes":241}"#;
        assert_eq!(fields(numbers), ["slot_minutes", "minimum_notice_minutes", "buffer_minutes"]);
    }
}
