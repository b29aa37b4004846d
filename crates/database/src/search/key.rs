//! PS3.4 C.2.2.2, attribute matching: what a value asks for, by its value representation. The same for QIDO-RS and
//! for C-FIND.

use model::uid::check_uid;

use super::Matching;

/// Longest value of a matching key in characters.
const VALUE_LENGTH_MAX: usize = 1024;
/// Most wildcards in one value: each makes the database look again.
const WILDCARDS_MAX: usize = 16;
/// Most UIDs in one list.
pub const MATCHING_UIDS_MAX: usize = 512;

/// What else a value may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MatchingRules {
    /// Empty Value Matching (PS3.4 C.2.2.2.7): two quotation marks ask for what has no value.
    pub empty_value: bool,
    /// Multiple Value Matching (PS3.4 C.2.2.2.8): any of the values between backslashes.
    pub multiple_value: bool,
}

impl Matching {
    /// Universal Matching (PS3.4 C.2.2.2.3).
    pub fn is_universal(value: &str) -> bool {
        value.trim().bytes().all(|byte| byte == b'*')
    }

    /// Reads the value of a matching key; `None` for universal matching.
    ///
    /// # Errors
    /// A sentence that says what would be right, and nothing of the value.
    pub fn parse(vr: &str, value: &str, rules: MatchingRules) -> Result<Option<Self>, String> {
        let value = value.trim();
        if vr != "UI" && value.chars().count() > VALUE_LENGTH_MAX {
            return Err(format!("at most {VALUE_LENGTH_MAX} characters"));
        }
        if Self::is_universal(value) {
            return Ok(None);
        }
        if rules.empty_value && value == "\"\"" {
            return Ok(Some(Self::Equals(String::new())));
        }
        match vr {
            "UI" => uid_list(value),
            "CS" => code_strings(value),
            _ if rules.multiple_value && value.contains('\\') => any_of(vr, value).map(Some),
            "DA" => date(value).map(Some),
            "TM" => time(value).map(Some),
            "IS" | "US" => integer(value).map(Some),
            _ => text(value).map(Some),
        }
    }
}

/// Each value by itself, none of them a pattern or a range.
fn any_of(vr: &str, value: &str) -> Result<Matching, String> {
    let mut values = Vec::new();
    for value in value.split('\\').map(str::trim).filter(|value| !value.is_empty()) {
        match Matching::parse(vr, value, MatchingRules::default())? {
            Some(Matching::Equals(value)) => values.push(value),
            _ => return Err("a list of values has no wildcards and no ranges".to_owned()),
        }
    }
    if values.len() > MATCHING_UIDS_MAX {
        return Err(format!("at most {MATCHING_UIDS_MAX} values"));
    }
    Ok(Matching::UidList(values))
}

/// Every separator that clients use: comma, one backslash, two backslashes. Empty places are ignored.
fn uid_list(value: &str) -> Result<Option<Matching>, String> {
    let uids: Vec<String> = separated(value);
    if uids.len() > MATCHING_UIDS_MAX {
        return Err(format!("at most {MATCHING_UIDS_MAX} UIDs"));
    }
    for uid in &uids {
        check_uid(uid).map_err(|error| error.to_string())?;
    }
    Ok((!uids.is_empty()).then_some(Matching::UidList(uids)))
}

fn separated(value: &str) -> Vec<String> {
    let places = value.split([',', '\\']).map(str::trim);
    places.filter(|place| !place.is_empty()).map(str::to_owned).collect()
}

/// PS3.5 6.2: code strings have no commas, so a list of them is as plain as one of UIDs.
fn code_strings(value: &str) -> Result<Option<Matching>, String> {
    let mut codes = separated(value);
    match codes.len() {
        0 => Ok(None),
        1 => text(&codes.remove(0)).map(Some),
        2..=MATCHING_UIDS_MAX => Ok(Some(Matching::UidList(codes))),
        _ => Err(format!("at most {MATCHING_UIDS_MAX} values")),
    }
}

fn integer(value: &str) -> Result<Matching, String> {
    let number: i32 = value.parse().map_err(|_| "a whole number".to_owned())?;
    Ok(Matching::Equals(number.to_string()))
}

fn text(value: &str) -> Result<Matching, String> {
    let mut pattern = String::with_capacity(value.len());
    let mut wildcards = 0;
    for character in value.chars() {
        if character == '*' && pattern.ends_with('*') {
            continue;
        }
        if matches!(character, '*' | '?') {
            wildcards += 1;
        }
        pattern.push(character);
    }
    match wildcards {
        0 => Ok(Matching::Equals(pattern)),
        1..=WILDCARDS_MAX => Ok(Matching::Wildcard(pattern)),
        _ => Err(format!("at most {WILDCARDS_MAX} wildcards")),
    }
}

/// `A-B`, `A-` or `-B`; a lone value is both ends.
fn range(value: &str) -> (&str, &str) {
    let (from, to) = value.split_once('-').unwrap_or((value, value));
    (from.trim(), to.trim())
}

fn date(value: &str) -> Result<Matching, String> {
    let wrong = || "a date YYYYMMDD, or a range of dates with '-' between them".to_owned();
    let check = |text: &str| {
        let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
        let month = text.get(4..6).is_some_and(|month| ("01"..="12").contains(&month));
        let day = text.get(6..8).is_some_and(|day| ("01"..="31").contains(&day));
        if digits && month && day { Ok(text.to_owned()) } else { Err(wrong()) }
    };
    if !value.contains('-') {
        return check(value).map(Matching::Equals);
    }
    let (from, to) = range(value);
    if from.is_empty() && to.is_empty() {
        return Err(wrong());
    }
    let optional = |text: &str| if text.is_empty() { Ok(None) } else { check(text).map(Some) };
    Ok(Matching::Range { from: optional(from)?, to: optional(to)? })
}

/// A time that leaves out its last components means every time that begins so (PS3.5 6.2, TM).
fn time(value: &str) -> Result<Matching, String> {
    let wrong = || "a time HHMMSS, or a range of times with '-' between them".to_owned();
    let check = |text: &str| {
        let plain = text.replace(':', "");
        let (clock, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let valid = matches!(clock.len(), 2 | 4 | 6)
            && digits(clock)
            && digits(fraction)
            && fraction.len() <= 6
            && (fraction.is_empty() || clock.len() == 6)
            && clock.get(..2).is_some_and(|hour| hour <= "23")
            && clock.get(2..4).is_none_or(|minute| minute <= "59")
            && clock.get(4..6).is_none_or(|second| second <= "60");
        if valid { Ok(plain) } else { Err(wrong()) }
    };
    let (from, to) = range(value);
    if from.is_empty() && to.is_empty() {
        return Err(wrong());
    }
    let from = if from.is_empty() { None } else { Some(check(from)?) };
    let to = if to.is_empty() { None } else { Some(last_moment(&check(to)?)) };
    Ok(Matching::Range { from, to })
}

/// The last time that begins like `time`, for comparison as text.
fn last_moment(time: &str) -> String {
    const LAST: &str = "235959.999999";
    let time = time.strip_suffix('.').unwrap_or(time);
    format!("{time}{}", &LAST[time.len().min(LAST.len())..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(vr: &str, value: &str) -> Result<Option<Matching>, String> {
        Matching::parse(vr, value, MatchingRules::default())
    }

    #[test]
    fn empty_and_multiple_values_when_asked_for() {
        let rules = MatchingRules { empty_value: true, multiple_value: true };
        let parse = |vr, value| Matching::parse(vr, value, rules);
        for vr in ["LO", "DA", "TM", "IS", "PN"] {
            assert_eq!(parse(vr, "\"\""), Ok(Some(Matching::Equals(String::new()))), "{vr}");
        }
        assert_eq!(parse("LO", "a\\b\\"), Ok(Some(uids(&["a", "b"]))));
        assert_eq!(parse("IS", "1\\02"), Ok(Some(uids(&["1", "2"]))));
        assert_eq!(parse("DA", "20240131\\20240201"), Ok(Some(uids(&["20240131", "20240201"]))));
        for (vr, value) in [("LO", "a\\b*"), ("DA", "20240131-\\20240201"), ("TM", "10\\11"), ("IS", "1\\x")]
        {
            assert!(parse(vr, value).is_err(), "{vr} {value}");
        }
        assert!(parse("LO", &vec!["a"; MATCHING_UIDS_MAX + 1].join("\\")).is_err());
    }

    fn uids(values: &[&str]) -> Matching {
        Matching::UidList(values.iter().map(ToString::to_string).collect())
    }

    fn range(from: Option<&str>, to: Option<&str>) -> Matching {
        Matching::Range { from: from.map(str::to_owned), to: to.map(str::to_owned) }
    }

    #[test]
    fn uid_lists_come_with_every_separator() {
        for value in ["1.2,3.4", "1.2\\3.4", "1.2\\\\3.4", ",1.2,, 3.4\\", "1.2 , 3.4"] {
            assert_eq!(parse("UI", value), Ok(Some(uids(&["1.2", "3.4"]))), "{value}");
        }
        assert_eq!(parse("UI", ","), Ok(None));
        assert!(parse("UI", "1.2*").is_err());
        assert!(parse("UI", &vec!["1"; MATCHING_UIDS_MAX + 1].join(",")).is_err());
    }

    #[test]
    fn dates() {
        assert_eq!(parse("DA", "20240131"), Ok(Some(Matching::Equals("20240131".into()))));
        assert_eq!(parse("DA", "19700102-20240131"), Ok(Some(range(Some("19700102"), Some("20240131")))));
        assert_eq!(parse("DA", "-20240131"), Ok(Some(range(None, Some("20240131")))));
        assert_eq!(parse("DA", "20240131-"), Ok(Some(range(Some("20240131"), None))));
        for value in ["2024", "2024-01-31", "20241301", "20240132", "-", "yesterday", "202401??"] {
            assert!(parse("DA", value).is_err(), "{value}");
        }
    }

    #[test]
    fn a_time_stands_for_all_that_begin_so() {
        assert_eq!(parse("TM", "10"), Ok(Some(range(Some("10"), Some("105959.999999")))));
        assert_eq!(parse("TM", "10:30-12"), Ok(Some(range(Some("1030"), Some("125959.999999")))));
        assert_eq!(parse("TM", "-103015.5"), Ok(Some(range(None, Some("103015.599999")))));
        assert_eq!(parse("TM", "103015"), Ok(Some(range(Some("103015"), Some("103015.999999")))));
        for value in ["24", "1060", "1", "10301", "1030.5", "-", "noon"] {
            assert!(parse("TM", value).is_err(), "{value}");
        }
    }

    #[test]
    fn text_with_and_without_wildcards() {
        assert_eq!(parse("PN", "Doe^John"), Ok(Some(Matching::Equals("Doe^John".into()))));
        assert_eq!(parse("PN", "***Doe***?"), Ok(Some(Matching::Wildcard("*Doe*?".into()))));
        assert_eq!(parse("LO", "a,b\\c"), Ok(Some(Matching::Equals("a,b\\c".into()))));
        assert_eq!(parse("LO", "**"), Ok(None));
        assert_eq!(parse("LO", " "), Ok(None));
        assert!(parse("LO", &"a*".repeat(1000)).is_err());
        assert!(parse("PN", &"x".repeat(VALUE_LENGTH_MAX + 1)).is_err());
    }

    #[test]
    fn modalities_may_be_a_list() {
        assert_eq!(parse("CS", "CR,DX"), Ok(Some(uids(&["CR", "DX"]))));
        assert_eq!(parse("CS", "CR\\DX"), Ok(Some(uids(&["CR", "DX"]))));
        assert_eq!(parse("CS", "CR"), Ok(Some(Matching::Equals("CR".into()))));
    }

    #[test]
    fn numbers() {
        assert_eq!(parse("IS", "+007"), Ok(Some(Matching::Equals("7".into()))));
        for value in ["x", "1.5", "99999999999"] {
            assert!(parse("IS", value).is_err(), "{value}");
        }
    }
}
