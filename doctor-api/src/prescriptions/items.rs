//! The medicines of a prescription, as JSON.

use model::clinical::{Frequency, Medication, PrescriptionContent, PrescriptionItem, Quantity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::documents::patient::PatientBody;

/// What is prescribed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrescriptionContentBody {
    /// The medicines.
    #[schema(min_items = 1, max_items = 50)]
    pub items: Vec<ItemBody>,
    /// Allergies that the patient told of, in words or as codes or groups of ATC such as `J01C`.
    #[serde(default)]
    #[schema(max_items = 50, example = json!(["penicillin"]))]
    pub declared_allergies: Vec<String>,
    /// To the pharmacy.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub note: String,
    /// Whom it is for, as it is printed; left out, it stays as it is.
    #[serde(default)]
    pub patient: Option<PatientBody>,
}

impl From<PrescriptionContentBody> for PrescriptionContent {
    fn from(body: PrescriptionContentBody) -> Self {
        let PrescriptionContentBody { items, declared_allergies, note, patient } = body;
        let items = items.into_iter().map(Into::into).collect();
        Self { items, declared_allergies, note, patient: patient.map(Into::into) }
    }
}

/// One medicine.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PrescriptionItem)]
pub struct ItemBody {
    /// Which.
    medication: MedicationBody,
    /// How much at once.
    dose: QuantityBody,
    /// By which way.
    #[schema(example = "oral", max_length = 100)]
    route: String,
    /// How often.
    frequency: FrequencyBody,
    /// For how many days; left out until it is used up.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 366, example = 7)]
    duration_days: Option<u16>,
    /// How much the pharmacy gives.
    quantity: QuantityBody,
    /// How often it may be given again.
    #[serde(default)]
    #[schema(maximum = 12)]
    refills: u8,
    /// To the patient.
    #[serde(default)]
    #[schema(example = "With food", max_length = 1000)]
    instructions: String,
    /// Whether the pharmacy may give an equal medicine of another maker.
    #[serde(default)]
    substitution_allowed: bool,
}

/// A medicine, in words and with a code when there is one.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Medication)]
pub struct MedicationBody {
    /// In words.
    #[schema(example = "Amoxicillin 500 mg capsules", max_length = 300)]
    text: String,
    /// `http://www.nlm.nih.gov/research/umls/rxnorm` or `http://www.whocc.no/atc`.
    #[serde(default)]
    #[schema(example = "http://www.whocc.no/atc")]
    system: String,
    /// The code.
    #[serde(default)]
    #[schema(example = "J01CA04", max_length = 8)]
    code: String,
}

/// An amount with its unit.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Quantity)]
pub struct QuantityBody {
    /// How many.
    #[schema(example = 500)]
    value: f64,
    /// Of what (UCUM); words stand in braces: `{tablet}`.
    #[schema(example = "mg", max_length = 64)]
    unit: String,
}

/// How often: in words, and as numbers when it is regular.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Frequency)]
pub struct FrequencyBody {
    /// As the patient reads it.
    #[schema(example = "three times a day", max_length = 200)]
    text: String,
    /// So often in each period.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 24, example = 3)]
    times: Option<u8>,
    /// Length of a period.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 366, example = 1)]
    period: Option<u16>,
    /// `h`, `d` or `wk`.
    #[serde(default)]
    #[schema(example = "d")]
    period_unit: String,
    /// Only when needed.
    #[serde(default)]
    as_needed: bool,
}

impl From<PrescriptionItem> for ItemBody {
    fn from(item: PrescriptionItem) -> Self {
        let Medication { text, system, code } = item.medication;
        let frequency = item.frequency;
        Self {
            medication: MedicationBody { text, system, code },
            dose: item.dose.into(),
            route: item.route,
            frequency: FrequencyBody {
                text: frequency.text,
                times: frequency.times,
                period: frequency.period,
                period_unit: frequency.period_unit,
                as_needed: frequency.as_needed,
            },
            duration_days: item.duration_days,
            quantity: item.quantity.into(),
            refills: item.refills,
            instructions: item.instructions,
            substitution_allowed: item.substitution_allowed,
        }
    }
}

impl From<ItemBody> for PrescriptionItem {
    fn from(item: ItemBody) -> Self {
        let MedicationBody { text, system, code } = item.medication;
        let frequency = item.frequency;
        Self {
            medication: Medication { text, system, code },
            dose: item.dose.into(),
            route: item.route,
            frequency: Frequency {
                text: frequency.text,
                times: frequency.times,
                period: frequency.period,
                period_unit: frequency.period_unit,
                as_needed: frequency.as_needed,
            },
            duration_days: item.duration_days,
            quantity: item.quantity.into(),
            refills: item.refills,
            instructions: item.instructions,
            substitution_allowed: item.substitution_allowed,
        }
    }
}

impl From<Quantity> for QuantityBody {
    fn from(Quantity { value, unit }: Quantity) -> Self {
        Self { value, unit }
    }
}

impl From<QuantityBody> for Quantity {
    fn from(QuantityBody { value, unit }: QuantityBody) -> Self {
        Self { value, unit }
    }
}
