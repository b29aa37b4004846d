//! What was found, for people and for programs.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::{Value, json};

/// Findings shown of one invariant; all are counted.
const SHOWN_MAX: usize = 20;

/// The invariants, by their numbers in `docs/verify.md`.
const INVARIANTS: &[(&str, &str)] = &[
    ("I1", "what was acknowledged is there and whole"),
    ("I2", "every row has its object, and the object is what the row says"),
    ("I3", "every object has its row, or is younger than the grace"),
    ("I4", "no unfinished object is left over"),
    ("I5", "every instance has exactly one event"),
    ("I6", "of each SOP instance one version is current; references hold"),
    ("I7", "the audit trail is whole and tells of each acknowledged instance"),
    ("I8", "what was refused is absent or exactly what was sent"),
    ("I9", "no two bookings overlap, nothing signed has changed"),
    ("I10", "links tie a study to a consultation of the same patient"),
    ("I11", "previews are there or will be made again"),
    ("I12", "no patient's name or pixels outside of encrypted stores"),
    ("I13", "nothing of an erased patient can be read"),
    ("I14", "the index can be made again from the objects"),
];

/// What became of one invariant.
#[derive(Debug, Default)]
struct Outcome {
    checked: u64,
    violations: u64,
    shown: Vec<String>,
    /// Why it was not checked, or what else there is to say.
    note: String,
    was_checked: bool,
}

/// The findings of a run.
#[derive(Debug)]
pub struct Report {
    outcomes: Vec<Outcome>,
    repairs: BTreeSet<&'static str>,
}

impl Default for Report {
    fn default() -> Self {
        Self { outcomes: INVARIANTS.iter().map(|_| Outcome::default()).collect(), repairs: BTreeSet::new() }
    }
}

impl Report {
    fn of(&mut self, id: &str) -> &mut Outcome {
        let index = INVARIANTS.iter().position(|(one, _)| *one == id).expect("an invariant of the list");
        &mut self.outcomes[index]
    }

    /// So many things were looked at.
    pub fn checked(&mut self, id: &str, count: u64) {
        let outcome = self.of(id);
        outcome.was_checked = true;
        outcome.checked += count;
    }

    /// One thing is wrong, and this is what to do.
    pub fn violated(&mut self, id: &str, what: String, repair: &'static str) {
        let outcome = self.of(id);
        outcome.was_checked = true;
        outcome.violations += 1;
        if outcome.shown.len() < SHOWN_MAX {
            outcome.shown.push(what);
        }
        self.repairs.insert(repair);
    }

    /// Says why an invariant was not checked, or something more about it.
    pub fn note(&mut self, id: &str, note: impl Into<String>) {
        self.of(id).note = note.into();
    }

    /// Nothing is wrong.
    pub fn is_well(&self) -> bool {
        self.outcomes.iter().all(|outcome| outcome.violations == 0)
    }

    /// One line for each invariant, the findings below it, then the plan.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for ((id, title), outcome) in INVARIANTS.iter().zip(&self.outcomes) {
            let state = match (outcome.was_checked, outcome.violations) {
                (false, _) => "not checked".to_owned(),
                (true, 0) => format!("ok, {} checked", outcome.checked),
                (true, violations) => format!("{violations} WRONG of {} checked", outcome.checked),
            };
            let note = if outcome.note.is_empty() { String::new() } else { format!(" ({})", outcome.note) };
            let _ = writeln!(text, "{id:<4}{title}: {state}{note}");
            for line in &outcome.shown {
                let _ = writeln!(text, "      {line}");
            }
            let hidden = outcome.violations - outcome.shown.len() as u64;
            if hidden > 0 {
                let _ = writeln!(text, "      and {hidden} more");
            }
        }
        if self.is_well() {
            text.push_str("Everything that was checked is well.\n");
        } else {
            text.push_str("What to do:\n");
            for (number, repair) in self.repairs.iter().enumerate() {
                let _ = writeln!(text, "  {}. {repair}", number + 1);
            }
        }
        text
    }

    /// The same as one JSON object.
    pub fn json(&self) -> Value {
        let invariant = |((id, title), outcome): (&(&str, &str), &Outcome)| {
            json!({
                "id": id, "title": title, "was_checked": outcome.was_checked, "checked": outcome.checked,
                "violations": outcome.violations, "first_violations": outcome.shown, "note": outcome.note,
            })
        };
        let invariants: Vec<Value> = INVARIANTS.iter().zip(&self.outcomes).map(invariant).collect();
        json!({ "is_well": self.is_well(), "invariants": invariants, "what_to_do": self.repairs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_is_counted_shown_and_has_a_plan() {
        let mut report = Report::default();
        report.checked("I2", 30);
        report.note("I12", "by the tests");
        assert!(report.is_well());
        assert!(report.text().contains("Everything that was checked is well."));
        for number in 0..25 {
            report.violated("I2", format!("instance {number}: its object is missing"), "restore the objects");
        }
        assert!(!report.is_well());
        let text = report.text();
        assert!(text.contains("25 WRONG of 30 checked"), "{text}");
        assert!(text.contains("and 5 more") && text.contains("1. restore the objects"), "{text}");
        assert!(text.contains("I12 ") && text.contains("not checked (by the tests)"), "{text}");
        assert_eq!(report.json()["invariants"][1]["violations"], 25);
    }
}
