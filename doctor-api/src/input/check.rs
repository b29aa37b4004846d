//! Checks of single fields; all that fail are answered together.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike as _, SubsecRound as _, Utc};
use service::http::problem::Problem;

/// Longest Patient ID and Issuer of Patient ID in characters (PS3.5 6.2, LO).
pub const PATIENT_ID_LENGTH_MAX: usize = 64;

/// Years of the times that are taken: reckoning with others leaves what a calendar, or a column of a database, holds.
const YEARS: RangeInclusive<i32> = 1900..=9999;

/// A time as it is kept: of what is finer than a microsecond a database may keep nothing, and what is answered is what is kept.
pub fn kept(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(6)
}

/// Collects what is wrong.
pub struct Checks(Problem);

impl Checks {
    pub fn new() -> Self {
        Self(Problem::unprocessable())
    }

    /// Notes a refusal.
    pub fn refuse(&mut self, field: &str, message: impl Into<String>) {
        let problem = std::mem::replace(&mut self.0, Problem::unprocessable());
        self.0 = problem.field(field, message);
    }

    /// Notes a refusal unless `holds`.
    pub fn require(&mut self, holds: bool, field: &str, message: &str) {
        if !holds {
            self.refuse(field, message);
        }
    }

    /// One line of text of at most `length_max` characters; may be empty.
    pub fn line(&mut self, field: &str, value: &str, length_max: usize) {
        if value.chars().count() > length_max {
            self.refuse(field, format!("has more than {length_max} characters"));
        }
        self.require(!value.chars().any(char::is_control), field, "holds control characters");
    }

    /// As [`Checks::line`], and not blank.
    pub fn filled_line(&mut self, field: &str, value: &str, length_max: usize) {
        self.require(!value.trim().is_empty(), field, "is empty");
        self.line(field, value, length_max);
    }

    /// Text that may have several lines.
    pub fn text(&mut self, field: &str, value: &str, length_max: usize) {
        if value.chars().count() > length_max {
            self.refuse(field, format!("has more than {length_max} characters"));
        }
        let printable = value.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
        self.require(printable, field, "holds control characters");
    }

    /// A list of at most `count_max` lines, none of them blank.
    pub fn lines(&mut self, field: &str, values: &[String], count_max: usize, length_max: usize) {
        if values.len() > count_max {
            self.refuse(field, format!("has more than {count_max} entries"));
        }
        for (index, value) in values.iter().take(count_max).enumerate() {
            self.filled_line(&format!("{field}[{index}]"), value, length_max);
        }
    }

    /// PS3.5 6.2, LO: a backslash would make it two values, outer spaces are not significant.
    pub fn patient_id(&mut self, field: &str, value: &str) {
        self.line(field, value, PATIENT_ID_LENGTH_MAX);
        self.require(!value.contains('\\'), field, "holds a backslash");
        self.require(value.trim_matches(' ') == value, field, "begins or ends with a space");
    }

    /// A time that can be reckoned with.
    pub fn time(&mut self, field: &str, at: impl Into<Option<DateTime<Utc>>>) {
        let fits = at.into().is_none_or(|at| YEARS.contains(&at.year()));
        self.require(fits, field, "must be in the years 1900 to 9999");
    }

    /// From `from` until `field`: the end must not lie before the start.
    pub fn period(&mut self, field: &str, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) {
        self.time("from", from);
        self.time(field, to);
        if let (Some(from), Some(to)) = (from, to) {
            self.require(from <= to, field, "lies before the start of the period");
        }
    }

    /// # Errors
    /// 422 that names every refused field.
    pub fn finish(self) -> Result<(), Problem> {
        if self.0.errors.is_empty() { Ok(()) } else { Err(self.0) }
    }

    /// As [`Checks::finish`], for query parameters.
    ///
    /// # Errors
    /// 400 that names every refused parameter.
    pub fn finish_query(self) -> Result<(), Problem> {
        if self.0.errors.is_empty() {
            return Ok(());
        }
        let mut problem = Problem::bad_request("some query parameters are not acceptable; see errors");
        problem.errors = self.0.errors;
        Err(problem)
    }
}

/// BCP 47, as far as its form goes: `de`, `pt-BR`, `zh-Hant-TW`.
pub fn is_language_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let primary = parts.next().unwrap_or_default();
    text.len() <= 35
        && (2..=8).contains(&primary.len())
        && primary.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_refusals_are_answered_together() {
        let mut checks = Checks::new();
        checks.filled_line("name", "  ", 10);
        checks.lines("specialties", &["ok".into(), "a\nb".into()], 5, 10);
        checks.patient_id("patient_id", "A\\B");
        let problem = checks.finish().expect_err("refused");
        let fields: Vec<_> = problem.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["name", "specialties[1]", "patient_id"]);
    }

    #[test]
    fn years_that_can_be_reckoned_with() {
        for (time, refused) in [
            ("1899-12-31T23:59:59Z", true),
            ("1900-01-01T00:00:00Z", false),
            ("9999-12-31T23:59:59Z", false),
            ("+10000-01-01T00:00:00Z", true),
            ("-262143-01-01T00:00:00Z", true),
        ] {
            let mut checks = Checks::new();
            checks.time("at", time.parse::<DateTime<Utc>>().expect(time));
            assert_eq!(checks.finish().is_err(), refused, "{time}");
        }
    }

    #[test]
    fn forms_of_tags() {
        for tag in ["en", "pt-BR", "zh-Hant-TW", "sl-rozaj-biske"] {
            assert!(is_language_tag(tag), "{tag}");
        }
        for tag in ["", "e", "en glish", "en_US", "en-", "<b>"] {
            assert!(!is_language_tag(tag), "{tag}");
        }
    }
}
