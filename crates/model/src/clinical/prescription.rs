//! A prescription (after FHIR MedicationRequest): what a doctor orders for a patient in a consultation.

use serde::{Deserialize, Serialize};

use super::document::{ClinicalDocument, DocumentContent, DocumentPatient};
use crate::event::Event;

/// A prescription.
pub type Prescription = ClinicalDocument<PrescriptionContent>;

/// What is prescribed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrescriptionContent {
    /// The medicines.
    pub items: Vec<PrescriptionItem>,
    /// Allergies that the patient told of, in words.
    #[serde(default)]
    pub declared_allergies: Vec<String>,
    /// To the pharmacy.
    #[serde(default)]
    pub note: String,
    /// Whom it is for, as a pharmacy reads it; `None` in those that were signed before there was such a thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<DocumentPatient>,
}

impl DocumentContent for PrescriptionContent {
    const NOUN: &'static str = "prescription";

    fn patient(&self) -> Option<&DocumentPatient> {
        self.patient.as_ref()
    }

    fn patient_mut(&mut self) -> &mut Option<DocumentPatient> {
        &mut self.patient
    }

    fn finalized(prescription: &Prescription) -> Event {
        Event::PrescriptionFinalized {
            prescription_id: prescription.id,
            consultation_id: prescription.consultation_id,
            doctor_id: prescription.doctor_id,
        }
    }

    fn cancelled(prescription: &Prescription) -> Event {
        Event::PrescriptionCancelled {
            prescription_id: prescription.id,
            consultation_id: prescription.consultation_id,
            doctor_id: prescription.doctor_id,
        }
    }
}

/// One medicine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrescriptionItem {
    /// Which.
    pub medication: Medication,
    /// How much at once.
    pub dose: Quantity,
    /// By which way: `oral`, `intravenous`.
    pub route: String,
    /// How often.
    pub frequency: Frequency,
    /// For how many days; `None` until it is used up.
    #[serde(default)]
    pub duration_days: Option<u16>,
    /// How much the pharmacy gives.
    pub quantity: Quantity,
    /// How often it may be given again.
    #[serde(default)]
    pub refills: u8,
    /// To the patient.
    #[serde(default)]
    pub instructions: String,
    /// Whether the pharmacy may give an equal medicine of another maker.
    #[serde(default)]
    pub substitution_allowed: bool,
}

/// A medicine, in words and with a code when there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Medication {
    /// In words.
    pub text: String,
    /// [`RXNORM`] or [`ATC`]; empty for none.
    #[serde(default)]
    pub system: String,
    /// The code; empty for none.
    #[serde(default)]
    pub code: String,
}

/// RxNorm as a code system of FHIR.
pub const RXNORM: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";
/// The WHO's Anatomical Therapeutic Chemical classification as a code system of FHIR.
pub const ATC: &str = "http://www.whocc.no/atc";

/// An amount with its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// How many.
    pub value: f64,
    /// Of what (UCUM): `mg`, `mL`, `{tablet}`.
    pub unit: String,
}

/// How often: in words, and as numbers when it is regular.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frequency {
    /// As the patient reads it.
    pub text: String,
    /// So often in each period.
    #[serde(default)]
    pub times: Option<u8>,
    /// Length of a period.
    #[serde(default)]
    pub period: Option<u16>,
    /// `h`, `d` or `wk`.
    #[serde(default)]
    pub period_unit: String,
    /// Only when needed.
    #[serde(default)]
    pub as_needed: bool,
}

/// Pieces of units that medicines come in.
const UNITS: &[&str] = &[
    "kg", "g", "mg", "ug", "ng", "L", "dL", "mL", "uL", "mol", "mmol", "umol", "meq", "[IU]", "[iU]",
    "k[IU]", "m[IU]", "[arb'U]", "[drp]", "%", "1", "cm", "mm", "cm2", "m2", "Bq", "MBq", "kBq", "h", "min",
    "d", "s",
];

/// Whether this is a unit (UCUM) of a medicine: pieces that we know with `.` and `/` between them, and words in braces.
pub fn is_unit(text: &str) -> bool {
    let in_braces = |piece: &str| {
        piece.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).is_some_and(|word| {
            !word.is_empty()
                && word.len() <= 32
                && word.bytes().all(|b| b.is_ascii_graphic() && b != b'{' && b != b'}')
        })
    };
    text.len() <= 64 && text.split(['/', '.']).all(|piece| UNITS.contains(&piece) || in_braces(piece))
}

/// Whether a code has the form of its system.
pub fn is_medication_code(system: &str, code: &str) -> bool {
    match system {
        RXNORM => (1..=8).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit()),
        // Groups of A10BA02: one letter, two digits, a letter, a letter, two digits.
        ATC => {
            let form: Vec<bool> =
                code.bytes()
                    .enumerate()
                    .map(|(at, byte)| {
                        if matches!(at, 0 | 3 | 4) {
                            byte.is_ascii_uppercase()
                        } else {
                            byte.is_ascii_digit()
                        }
                    })
                    .collect();
            matches!(form.len(), 1 | 3 | 4 | 5 | 7) && form.into_iter().all(|fits| fits)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_medicines() {
        for unit in ["mg", "mL", "{tablet}", "mg/mL", "[IU]", "mg/kg/d", "ug/h", "%", "{puff}/d"] {
            assert!(is_unit(unit), "{unit}");
        }
        for unit in ["", "pill", "mg/", "{}", "{a b}", "mg mL", "<b>", "{{a}}", "mgs"] {
            assert!(!is_unit(unit), "{unit}");
        }
    }

    #[test]
    fn codes_of_medicines() {
        assert!(
            is_medication_code(RXNORM, "723")
                && is_medication_code(ATC, "J01CA04")
                && is_medication_code(ATC, "J01")
        );
        for (system, code) in
            [(RXNORM, "J01"), (RXNORM, ""), (ATC, "J01C0"), (ATC, "j01ca04"), ("http://x", "1")]
        {
            assert!(!is_medication_code(system, code), "{system} {code}");
        }
    }
}
