//! What a prescription cannot say: each refusal with the path of its field.

use chrono::{DateTime, Utc};
use model::clinical::{
    Frequency, Medication, PrescriptionContent, PrescriptionItem, Quantity, is_medication_code, is_unit,
};
use service::http::problem::Problem;

use crate::{documents::patient, input::check::Checks};

/// Most medicines of a prescription, and most allergies.
const LIST_LENGTH_MAX: usize = 50;
/// Longest medicine in characters.
const MEDICATION_LENGTH_MAX: usize = 300;
/// Longest route and allergy in characters.
const WORD_LENGTH_MAX: usize = 100;
/// Longest frequency in words, in characters.
const FREQUENCY_LENGTH_MAX: usize = 200;
/// Longest instructions in characters.
const INSTRUCTIONS_LENGTH_MAX: usize = 1_000;
/// Longest note in characters.
const NOTE_LENGTH_MAX: usize = 2_000;
/// Largest amount.
const VALUE_MAX: f64 = 1_000_000.0;

/// # Errors
/// 422 that names every refused field.
pub fn check(content: &PrescriptionContent, now: DateTime<Utc>) -> Result<(), Problem> {
    let mut checks = Checks::new();
    checks.require(!content.items.is_empty(), "items", "is empty");
    if content.items.len() > LIST_LENGTH_MAX {
        checks.refuse("items", format!("has more than {LIST_LENGTH_MAX} entries"));
    }
    for (index, item) in content.items.iter().take(LIST_LENGTH_MAX).enumerate() {
        check_item(&mut checks, &format!("items[{index}]"), item);
    }
    checks.lines("declared_allergies", &content.declared_allergies, LIST_LENGTH_MAX, WORD_LENGTH_MAX);
    checks.text("note", &content.note, NOTE_LENGTH_MAX);
    if let Some(patient) = &content.patient {
        patient::check(&mut checks, patient, now);
    }
    checks.finish()
}

fn check_item(checks: &mut Checks, field: &str, item: &PrescriptionItem) {
    check_medication(checks, &format!("{field}.medication"), &item.medication);
    check_quantity(checks, &format!("{field}.dose"), &item.dose);
    checks.filled_line(&format!("{field}.route"), &item.route, WORD_LENGTH_MAX);
    check_frequency(checks, &format!("{field}.frequency"), &item.frequency);
    let days = item.duration_days.is_none_or(|days| (1..=366).contains(&days));
    checks.require(days, &format!("{field}.duration_days"), "must be 1 to 366");
    check_quantity(checks, &format!("{field}.quantity"), &item.quantity);
    checks.require(item.refills <= 12, &format!("{field}.refills"), "must be at most 12");
    checks.text(&format!("{field}.instructions"), &item.instructions, INSTRUCTIONS_LENGTH_MAX);
}

fn check_medication(checks: &mut Checks, field: &str, medication: &Medication) {
    let Medication { text, system, code } = medication;
    checks.filled_line(&format!("{field}.text"), text, MEDICATION_LENGTH_MAX);
    let known = (system.is_empty() && code.is_empty()) || is_medication_code(system, code);
    checks.require(known, &format!("{field}.code"), "is no code of RxNorm or ATC; name its system, too");
}

fn check_quantity(checks: &mut Checks, field: &str, quantity: &Quantity) {
    let real = quantity.value.is_finite() && quantity.value > 0.0 && quantity.value <= VALUE_MAX;
    checks.require(real, &format!("{field}.value"), "must be more than 0 and at most 1000000");
    let unit = "is no unit of a medicine (UCUM) such as mg, mL or {tablet}";
    checks.require(is_unit(&quantity.unit), &format!("{field}.unit"), unit);
}

fn check_frequency(checks: &mut Checks, field: &str, frequency: &Frequency) {
    checks.filled_line(&format!("{field}.text"), &frequency.text, FREQUENCY_LENGTH_MAX);
    let Frequency { times, period, period_unit, .. } = frequency;
    let none = times.is_none() && period.is_none() && period_unit.is_empty();
    let regular = times.is_some_and(|times| (1..=24).contains(&times))
        && period.is_some_and(|period| (1..=366).contains(&period))
        && matches!(period_unit.as_str(), "h" | "d" | "wk");
    let message =
        "needs times (1 to 24), period (1 to 366) and period_unit (h, d or wk) together, or none of them";
    checks.require(none || regular, field, message);
}
