//! Values as words: numbers, units, times, and text without what no paper shows.

use chrono::{DateTime, Utc};
use model::clinical::{
    ATC, Coding, Frequency, ICD_10, ICD_10_CM, Medication, Quantity, RADLEX, RXNORM, SNOMED_CT,
};

use crate::script::is_right_to_left;

/// Ends a line.
pub fn is_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Lines of a text, none of them with a control character. Characters that force a direction, or shut a part off from the
/// direction around it, are left out: they would let the paper show numbers in another order than the one that was signed.
pub fn lines(text: &str) -> impl Iterator<Item = String> {
    let text = text.replace("\r\n", "\n");
    let lines: Vec<String> = text.split(is_break).map(plain).collect();
    lines.into_iter()
}

fn plain(line: &str) -> String {
    // Beside letters from right to left marks keep points and numbers where the doctor saw them; without such letters all that
    // they can do is to turn numbers around.
    let marks_stay = line.chars().any(is_right_to_left);
    let seen = line.chars().filter(|one| match one {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' => false,
        '\u{200e}' | '\u{200f}' | '\u{61c}' => marks_stay,
        _ => true,
    });
    let plain: String = seen.map(|one| if one.is_control() { ' ' } else { one }).collect();
    plain.trim_end().to_owned()
}

/// An amount as a pharmacist writes it: no zero after the point, one before it, no braces around words.
pub fn quantity(quantity: &Quantity) -> String {
    let Quantity { value, unit } = quantity;
    match unit.as_str() {
        "1" => value.to_string(),
        unit => format!("{value} {}", unit.replace(['{', '}'], "")),
    }
}

/// `ATC J01CA04`; empty without a code.
pub fn code(medication: &Medication) -> String {
    let system = match medication.system.as_str() {
        ATC => "ATC",
        RXNORM => "RxNorm",
        other => other,
    };
    if medication.code.is_empty() { String::new() } else { format!("{system} {}", medication.code) }
}

/// `Pneumonia (ICD-10 J18.9)`.
pub fn coding(coding: &Coding) -> String {
    let system = match coding.system.as_str() {
        ICD_10 => "ICD-10",
        ICD_10_CM => "ICD-10-CM",
        SNOMED_CT => "SNOMED CT",
        RADLEX => "RadLex",
        other => other,
    };
    format!("{} ({system} {})", coding.text, coding.code)
}

/// How often, in the doctor's words and as numbers: `three times a day (3 × / 1 d)`.
pub fn frequency(frequency: &Frequency, as_needed: &str) -> String {
    let Frequency { text, times, period, period_unit, as_needed: only_when_needed } = frequency;
    let numbers = match (times, period) {
        (Some(times), Some(period)) => format!(" ({times} × / {period} {period_unit})"),
        _ => String::new(),
    };
    let when = if *only_when_needed { format!(", {as_needed}") } else { String::new() };
    format!("{text}{numbers}{when}")
}

/// To the minute, in UTC: the same for every reader.
pub fn moment(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_no_trailing_zero_and_a_leading_one() {
        let of = |value, unit: &str| quantity(&Quantity { value, unit: unit.into() });
        assert_eq!(of(500.0, "mg"), "500 mg");
        assert_eq!(of(0.5, "mL"), "0.5 mL");
        assert_eq!(of(2.0, "{puff}/d"), "2 puff/d");
        assert_eq!(of(3.0, "1"), "3");
        assert_eq!(of(1e6, "[IU]"), "1000000 [IU]");
    }

    #[test]
    fn text_loses_what_would_change_its_order() {
        let of = |text: &str| lines(text).collect::<Vec<_>>();
        assert_eq!(of("a\r\nb\tc\u{2028}d"), ["a", "b c", "d"]);
        assert_eq!(of("take \u{202e}5\u{202c} mg\u{0}"), ["take 5 mg"]);
        assert_eq!(of("take \u{2067}5\u{2069} \u{2066}mg\u{2068}"), ["take 5 mg"]);
        // Each of them would show 10-5.
        for mark in ["\u{200f}", "\u{61c}", "\u{200e}\u{200f}"] {
            assert_eq!(of(&format!("{mark}take 5{mark}-{mark}10 mg")), ["take 5-10 mg"], "{mark:?}");
        }
        for both in ["\u{200f}Aspirin: כדור אחד", "حبة\u{200e} 5 mg\u{61c}"] {
            assert_eq!(of(both), [both], "marks stay where letters go from right to left");
        }
        assert_eq!(of("\u{2067}כדור\u{2069}\n\u{200f}5-10"), ["כדור", "5-10"], "each line by itself");
        assert_eq!(of(""), [""]);
    }

    #[test]
    fn frequencies_keep_words_and_numbers() {
        let regular = Frequency {
            text: "morning and night".into(),
            times: Some(2),
            period: Some(1),
            period_unit: "d".into(),
            as_needed: true,
        };
        assert_eq!(frequency(&regular, "as needed"), "morning and night (2 × / 1 d), as needed");
        let words = Frequency { times: None, as_needed: false, ..regular };
        assert_eq!(frequency(&words, "as needed"), "morning and night");
    }
}
