//! What a doctor should look at before signing. Words are compared, not substances: it finds what is plain to see.

use model::{
    access::Scope,
    clinical::{DocumentStatus, Medication, Prescription},
    text::fold,
};
use serde::Serialize;
use service::{http::problem::Problem, patient_service::Answer};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{errors, patients::registry, state::AppState};

/// Earlier prescriptions that are looked at.
const EARLIER_MAX: u32 = 100;
/// Shorter words say nothing: "of", "mg".
const WORD_LENGTH_MIN: usize = 4;

/// What to look at.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PrescriptionWarning)]
pub struct WarningBody {
    /// `duplicate`, `prescribed_already`, `allergy`, `unnamed_patient` or `patient_conflict`.
    #[schema(example = "allergy")]
    kind: &'static str,
    /// What it is about.
    #[schema(example = "items[0]")]
    field: String,
    /// In words.
    message: String,
    /// The other prescription.
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
    let running = earlier.map_err(errors::database)?.into_iter().filter(|other| {
        other.status == DocumentStatus::Finalized && Some(other.id) != prescription.supersedes
    });
    for other in running {
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
    Ok(warnings)
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

/// A word of the one is the beginning of a word of the other, or its code.
fn clashes(allergy: &str, medication: &Medication) -> bool {
    let words = |text: &str| -> Vec<String> {
        let folded = fold(text);
        let words =
            folded.split(|one: char| !one.is_alphanumeric()).filter(|word| word.len() >= WORD_LENGTH_MIN);
        words.map(str::to_owned).collect()
    };
    let of_medication = words(&medication.text);
    let by_name = words(allergy).iter().any(|allergy| {
        of_medication
            .iter()
            .any(|word| word.starts_with(allergy.as_str()) || allergy.starts_with(word.as_str()))
    });
    by_name || (!medication.code.is_empty() && allergy.trim() == medication.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allergies_clash_by_words_and_codes() {
        let medication =
            |text: &str| Medication { text: text.into(), system: String::new(), code: "J01CA04".into() };
        assert!(clashes("Amoxicillin", &medication("amoxicillin 500 mg")));
        assert!(clashes("Penicillin V", &medication("Penicillin")));
        assert!(clashes("J01CA04", &medication("Amoxil")));
        assert!(!clashes("nuts", &medication("Ibuprofen 400 mg")));
        assert!(!clashes("", &medication("")));
    }
}
