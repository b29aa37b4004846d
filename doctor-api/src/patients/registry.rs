//! What the Patient Service says of a patient, beside what images say: nothing of it is merged.

use chrono::{DateTime, NaiveDate, Utc};
use model::instance::PatientAttributes;
use serde::Serialize;
use service::patient_service::{Answer, Found, Gender, HumanName, NameUse, PartialDate, RegistryPatient};
use utoipa::ToSchema;

use super::{
    demographics::{is_born, is_named, is_of},
    past::{Past, WhichPatient},
};
use crate::{
    policy::{Permit, ReadStudy},
    state::AppState,
};

/// A patient as the Patient Service knows it.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = PatientRegistry)]
pub struct RegistryBody {
    /// `found`; `not_found`; `ambiguous`: several have the Patient ID, or it is not plain whose Patient ID it is, and none is
    /// chosen; `unavailable`: there is no answer now.
    #[schema(example = "found")]
    status: &'static str,
    /// Logical id of the entry.
    id: Option<String>,
    /// As people write it.
    #[schema(example = "Amina Diallo")]
    name: Option<String>,
    /// When the patient was born, as far as the registry knows: `1980`, `1980-02` or `1980-02-29`.
    #[schema(example = "1980-02-29")]
    birth_date: Option<String>,
    /// `male`, `female`, `other` or `unknown`.
    #[schema(example = "female")]
    sex: Option<&'static str>,
    /// Whether the entry is in use; null when the registry does not say.
    active: Option<bool>,
    /// The entry that the registry wants to be used instead. It is shown, and nothing follows from it.
    replaced_by: Option<ReplacementBody>,
    /// When the registry said so (RFC 3339).
    fetched_at: Option<DateTime<Utc>>,
    /// Where images say something else. Somebody has to look.
    conflicts: Vec<ConflictBody>,
}

/// The entry that is to be used instead of another one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PatientReplacement)]
pub struct ReplacementBody {
    /// Logical id; null when it is not on the same server.
    id: Option<String>,
    /// As people write it; null when the entry could not be read.
    name: Option<String>,
    /// When the patient was born, as far as the registry knows.
    birth_date: Option<String>,
    /// `male`, `female`, `other` or `unknown`.
    sex: Option<&'static str>,
}

/// What the registry and images say differently.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PatientConflict)]
pub struct ConflictBody {
    /// `name`, `birth_date` or `sex`.
    #[schema(example = "birth_date")]
    field: &'static str,
    /// What the registry says.
    registry: String,
    /// What images say, as they say it.
    images: Vec<String>,
}

/// For somebody who has something of the patient, and is signed in: a token for a viewer or of a share link shows images.
/// `None` when there is nobody to ask.
pub async fn of(
    state: &AppState,
    permit: &Permit<ReadStudy>,
    (patient_id, which): (&str, &WhichPatient),
    past: &Past,
) -> Option<RegistryBody> {
    if permit.caller.principal.grant.is_some() {
        return None;
    }
    let images: Vec<&PatientAttributes> = past.studies.iter().map(|row| &row.patient).collect();
    let answer = ask(state, patient_id, &issuers(which, past)).await?;
    Some(match answer {
        Answer::Found(found) => shown(&found, &images),
        Answer::NotFound => with("not_found"),
        Answer::Ambiguous => with("ambiguous"),
        Answer::Unavailable => with("unavailable"),
    })
}

/// Asks whose the Patient ID of these issuers is. `None` when there is nobody to ask.
pub async fn ask(state: &AppState, patient_id: &str, issuers: &[&str]) -> Option<Answer> {
    match system(state, issuers)? {
        System::One(system) => Some(state.patient_service.find(system, patient_id).await),
        System::Several => Some(Answer::Ambiguous),
    }
}

enum System<'a> {
    One(&'a str),
    /// The same Patient ID stands for several people.
    Several,
}

fn system<'a>(state: &'a AppState, issuers: &[&str]) -> Option<System<'a>> {
    let (first, more) = issuers.split_first()?;
    let system = state.patient_service.system_of(first);
    if more.iter().any(|issuer| state.patient_service.system_of(issuer) != system) {
        return Some(System::Several);
    }
    system.map(System::One)
}

/// Whose Patient ID it is: as was asked for, or as images, bookings and prescriptions say. A booking without an issuer
/// says nothing of it; an image does.
fn issuers<'a>(which: &'a WhichPatient, past: &'a Past) -> Vec<&'a str> {
    if let Some(issuer) = which.issuer_of_patient_id.as_deref().filter(|issuer| !issuer.is_empty()) {
        return vec![issuer];
    }
    let images = past.studies.iter().map(|row| row.patient.issuer_of_patient_id.as_str());
    let booked = past.consultations.iter().map(|one| one.issuer_of_patient_id.as_str());
    let prescribed = past.prescriptions.iter().map(|one| one.issuer_of_patient_id.as_str());
    let said = booked.chain(prescribed).filter(|issuer| !issuer.is_empty());
    let mut issuers: Vec<&str> = images.chain(said).collect();
    issuers.sort_unstable();
    issuers.dedup();
    if issuers.is_empty() {
        issuers.push("");
    }
    issuers
}

fn with(status: &'static str) -> RegistryBody {
    RegistryBody { status, ..RegistryBody::default() }
}

fn shown(found: &Found, images: &[&PatientAttributes]) -> RegistryBody {
    let patient = &found.patient;
    let replaced_by = found.replaced_by.as_ref().map(|replacement| {
        let entry = replacement.patient.as_ref();
        ReplacementBody {
            id: replacement.id.as_ref().map(|id| id.as_str().to_owned()),
            name: entry.and_then(RegistryPatient::name),
            birth_date: entry.and_then(born),
            sex: entry.and_then(sex),
        }
    });
    RegistryBody {
        status: "found",
        id: Some(patient.id.as_str().to_owned()),
        name: patient.name(),
        birth_date: born(patient),
        sex: sex(patient),
        active: patient.active,
        replaced_by,
        fetched_at: Some(found.fetched_at),
        conflicts: conflicts(patient, images),
    }
}

fn born(patient: &RegistryPatient) -> Option<String> {
    patient.birth_date.as_ref().map(|date| date.as_str().to_owned())
}

fn sex(patient: &RegistryPatient) -> Option<&'static str> {
    patient.gender.map(Gender::as_str)
}

/// Names under which there may be images: also those of before.
fn borne(patient: &RegistryPatient) -> impl Iterator<Item = &HumanName> {
    patient.names.iter().filter(|name| !matches!(name.name_use, NameUse::Nickname | NameUse::Anonymous))
}

/// Where images say something else than the registry.
pub fn conflicts(patient: &RegistryPatient, images: &[&PatientAttributes]) -> Vec<ConflictBody> {
    let differing = |said: fn(&PatientAttributes) -> &String, is_same: &dyn Fn(&str) -> bool| {
        let mut differing: Vec<String> = Vec::new();
        for value in images.iter().map(|image| said(image)) {
            if !is_same(value) && !differing.contains(value) {
                differing.push(value.clone());
            }
        }
        differing
    };
    let names = differing(|image| &image.patient_name, &|name| is_named(name, borne(patient)));
    let dates = patient.birth_date.as_ref().map(|date| {
        (date.as_str(), differing(|image| &image.patient_birth_date, &|image| is_born(image, date)))
    });
    let sexes = patient
        .gender
        .map(|gender| (gender.as_str(), differing(|image| &image.patient_sex, &|sex| is_of(sex, gender))));
    let name = patient.name().unwrap_or_default();
    let all = [
        Some(("name", (name.as_str(), names))),
        dates.map(|one| ("birth_date", one)),
        sexes.map(|one| ("sex", one)),
    ];
    let all = all.into_iter().flatten().filter(|(_, (_, images))| !images.is_empty());
    all.map(|(field, (registry, images))| ConflictBody { field, registry: registry.to_owned(), images })
        .collect()
}

/// Whether this is what the patient is called now, as people write it.
pub fn is_called(name: &str, patient: &RegistryPatient) -> bool {
    is_named(name, patient.names.iter().filter(|name| name.is_current()))
}

/// Whether the entry is one to rely on: in use, and no other to be used instead.
pub fn is_in_use(found: &Found) -> bool {
    found.patient.active != Some(false) && found.replaced_by.is_none()
}

/// As [`ask`], and a patient who is known is asked for once more: for what is signed.
pub async fn ask_anew(state: &AppState, patient_id: &str, issuer: &str) -> Option<Answer> {
    let system = state.patient_service.system_of(issuer)?;
    Some(state.patient_service.find_anew(system, patient_id).await)
}

/// Whether the date is the one that the registry knows, as far as it goes.
pub fn is_birth_date(date: NaiveDate, birth_date: &PartialDate) -> bool {
    is_born(&date.format("%Y%m%d").to_string(), birth_date)
}
