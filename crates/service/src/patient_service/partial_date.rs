//! Dates of FHIR, of which the end may be missing.

use chrono::{Datelike, NaiveDate};

/// A date of which the end may be missing (<http://hl7.org/fhir/R4/datatypes.html#date>): `1980`, `1980-02`, `1980-02-29`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialDate(String);

impl PartialDate {
    /// Reads one.
    pub fn parse(text: &str) -> Option<Self> {
        let whole = match text.len() {
            4 => format!("{text}-01-01"),
            7 => format!("{text}-01"),
            10 => text.to_owned(),
            _ => return None,
        };
        let is_formed = whole.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        let date = whole.parse::<NaiveDate>().ok().filter(|date| is_formed && date.year() > 0);
        date.map(|_| Self(text.to_owned()))
    }

    /// As FHIR writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The day, when it is known.
    pub fn day(&self) -> Option<NaiveDate> {
        self.0.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_may_lack_their_end() {
        for good in ["1980", "1980-02", "1980-02-29"] {
            assert_eq!(PartialDate::parse(good).map(|date| date.as_str().to_owned()).as_deref(), Some(good));
        }
        for bad in [
            "",
            "80",
            "1980-2",
            "1980-13",
            "1980-02-30",
            "19800229",
            "1980-02-29T10:00:00Z",
            "0000",
            "+980",
            "1980/02/29",
        ] {
            assert_eq!(PartialDate::parse(bad), None, "{bad}");
        }
        assert_eq!(PartialDate::parse("1980-02").and_then(|date| date.day()), None);
        assert_eq!(
            PartialDate::parse("1980-02-29").and_then(|date| date.day()),
            NaiveDate::from_ymd_opt(1980, 2, 29)
        );
    }
}
