//! What a doctor should look at before signing. Words and codes are compared, not substances: it finds what is plain to see.

use std::collections::HashSet;

use chrono::NaiveDate;
use model::{
    access::Scope,
    clinical::{DocumentStatus, Medication, Prescription},
    text::fold,
};
use serde::Serialize;
use service::{http::problem::Problem, patient_service::Answer};
use utoipa::ToSchema;
use uuid::Uuid;

use super::allergens::clashes;
use crate::{documents::licence, errors, patients::registry, state::AppState};

/// Earlier prescriptions that are looked at.
const EARLIER_MAX: u32 = 100;

/// What to look at.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PrescriptionWarning)]
pub struct WarningBody {
    /// `duplicate`, `prescribed_already`, `allergy`, `unnamed_patient`, `patient_conflict` or `licence_ended`.
    #[schema(example = "allergy")]
    kind: &'static str,
    /// What it is about.
    #[schema(example = "items[0]")]
    field: String,
    /// In words.
    message: String,
    /// The other prescription: that has the medicine, or declares the allergy.
    #[serde(skip_serializing_if = "Option::is_none")]
    prescription_id: Option<Uuid>,
}

/// Of a draft; a signed one has been looked at.
pub async fn of(
    state: &AppState,
    scope: &Scope,
    prescription: &Prescription,
) -> Result<Vec<WarningBody>, Problem> {
    if prescription.status != DocumentStatus::Draft {
        return Ok(Vec::new());
    }
    let mut warnings = within(prescription);
    warnings.extend(against_registry(state, prescription).await);
    let issuer = Some(prescription.issuer_of_patient_id.as_str());
    let earlier: Result<Vec<Prescription>, _> =
        state.database().documents_of_patient(scope, &prescription.patient_id, issuer, EARLIER_MAX).await;
    let mut earlier = earlier.map_err(errors::database)?;
    earlier.retain(|other| other.status == DocumentStatus::Finalized);
    warnings.extend(prescribed_already(prescription, &earlier));
    warnings.extend(declared_before(prescription, &earlier));
    warnings.extend(licence::ended_of_draft(state, prescription).await?.map(of_licence));
    Ok(warnings)
}

/// That every licence of the doctor is over.
pub fn of_licence(last_day: NaiveDate) -> WarningBody {
    WarningBody {
        kind: licence::LICENCE_ENDED,
        field: licence::LICENCES.to_owned(),
        message: licence::message(last_day),
        prescription_id: None,
    }
}

/// Medicines of prescriptions that hold, and go on to hold when this one is signed.
fn prescribed_already(prescription: &Prescription, earlier: &[Prescription]) -> Vec<WarningBody> {
    let mut warnings = Vec::new();
    for other in earlier.iter().filter(|other| Some(other.id) != prescription.supersedes) {
        for (index, item) in prescription.content.items.iter().enumerate() {
            if other.content.items.iter().any(|given| is_same(&given.medication, &item.medication)) {
                warnings.push(WarningBody {
                    kind: "prescribed_already",
                    field: format!("items[{index}]"),
                    message: "the patient has a prescription for this already".to_owned(),
                    prescription_id: Some(other.id),
                });
            }
        }
    }
    warnings
}

/// Allergies that this prescription does not declare and earlier ones do, the one that it replaces too: each once, by the newest.
fn declared_before(prescription: &Prescription, earlier: &[Prescription]) -> Vec<WarningBody> {
    let declared = &prescription.content.declared_allergies;
    let mut known: HashSet<String> = declared.iter().map(|allergy| fold(allergy)).collect();
    let mut warnings = Vec::new();
    for other in earlier {
        let declared_at = other.signed.as_ref().map_or(other.created_at, |signed| signed.finalized_at);
        let day = declared_at.date_naive();
        for allergy in other.content.declared_allergies.iter().filter(|allergy| known.insert(fold(allergy))) {
            for (index, item) in prescription.content.items.iter().enumerate() {
                if clashes(allergy, &item.medication) {
                    warnings.push(WarningBody {
                        kind: "allergy",
                        field: format!("items[{index}]"),
                        message: format!("the patient told of an allergy on {day}: {allergy}"),
                        prescription_id: Some(other.id),
                    });
                }
            }
        }
    }
    warnings
}

/// What it says of the patient, and the Patient Service does not.
async fn against_registry(state: &AppState, prescription: &Prescription) -> Vec<WarningBody> {
    let Some(patient) = &prescription.content.patient else { return Vec::new() };
    let issuer = prescription.issuer_of_patient_id.as_str();
    let answer = registry::ask(state, &prescription.patient_id, &[issuer]).await;
    let Some(Answer::Found(found)) = answer else { return Vec::new() };
    let registered = &found.patient;
    let name = registered.name().filter(|_| !registry::is_called(&patient.name, registered));
    let day = |day| registered.birth_date.as_ref().filter(|known| !registry::is_birth_date(day, known));
    let birth_date = patient.birth_date.and_then(day).map(|date| date.as_str().to_owned());
    let warn = |field: &str, what, registered| WarningBody {
        kind: "patient_conflict",
        field: field.to_owned(),
        message: format!("the Patient Service has another {what} for the Patient ID: {registered}"),
        prescription_id: None,
    };
    let name = name.map(|name| warn("patient.name", "name", name));
    name.into_iter().chain(birth_date.map(|date| warn("patient.birth_date", "birth date", date))).collect()
}

/// What the prescription says against itself.
fn within(prescription: &Prescription) -> Vec<WarningBody> {
    let mut warnings = Vec::new();
    if prescription.content.patient.as_ref().is_none_or(|patient| patient.name.trim().is_empty()) {
        warnings.push(WarningBody {
            kind: "unnamed_patient",
            field: "patient.name".to_owned(),
            message: "nobody wrote the patient's name: a pharmacy may refuse what names nobody".to_owned(),
            prescription_id: None,
        });
    }
    let items = &prescription.content.items;
    let mut warn = |kind, index: usize, message: String| {
        warnings.push(WarningBody { kind, field: format!("items[{index}]"), message, prescription_id: None });
    };
    for (index, item) in items.iter().enumerate() {
        if let Some(other) =
            items[..index].iter().position(|other| is_same(&other.medication, &item.medication))
        {
            warn("duplicate", index, format!("is the same medicine as items[{other}]"));
        }
        for (allergy, words) in prescription.content.declared_allergies.iter().enumerate() {
            if clashes(words, &item.medication) {
                warn(
                    "allergy",
                    index,
                    format!("the patient told of an allergy: declared_allergies[{allergy}]"),
                );
            }
        }
    }
    warnings
}

fn is_same(one: &Medication, other: &Medication) -> bool {
    let coded = !one.code.is_empty() && one.system == other.system && one.code == other.code;
    coded || fold(&one.text) == fold(&other.text)
}
