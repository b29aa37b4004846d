//! Whom a document is for: what people read, and no Patient ID says.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use database::SearchQuery;
use model::{
    access::Action,
    clinical::{Consultation, DocumentPatient},
    instance::PatientAttributes,
    text::fold,
};
use serde::{Deserialize, Serialize};
use service::{
    http::problem::Problem,
    patient_service::{Answer, PartialDate},
};
use utoipa::ToSchema;

use crate::{
    errors,
    input::check::Checks,
    patients::{past::of_patient, registry},
    policy::Caller,
    state::AppState,
};

/// Longest name in characters.
const NAME_LENGTH_MAX: usize = 200;
/// Nobody older takes medicines.
const AGE_DAYS_MAX: i64 = 150 * 366;
/// Patients of one Patient ID that are looked at: as many as there may be who differ in what the images say of them.
const RECORDS_MAX: u32 = 100;

/// Whom a document is for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DocumentPatient)]
pub struct PatientBody {
    /// As people write it.
    #[serde(default)]
    #[schema(max_length = 200, example = "Amina Diallo")]
    name: String,
    /// When the patient was born.
    #[serde(default)]
    #[schema(example = "1980-02-29")]
    birth_date: Option<NaiveDate>,
}

impl From<PatientBody> for DocumentPatient {
    fn from(PatientBody { name, birth_date }: PatientBody) -> Self {
        Self { name, birth_date }
    }
}

impl From<DocumentPatient> for PatientBody {
    fn from(DocumentPatient { name, birth_date }: DocumentPatient) -> Self {
        Self { name, birth_date }
    }
}

/// Notes what cannot be.
pub fn check(checks: &mut Checks, patient: &DocumentPatient, now: DateTime<Utc>) {
    checks.line("patient.name", &patient.name, NAME_LENGTH_MAX);
    let is_born = patient.birth_date.is_none_or(|date| can_be_born(date, now));
    checks.require(is_born, "patient.birth_date", "lies in the future, or more than 150 years back");
}

/// A day of grace: it is tomorrow already in some places.
fn can_be_born(date: NaiveDate, now: DateTime<Utc>) -> bool {
    let today = now.date_naive();
    ((today - TimeDelta::days(AGE_DAYS_MAX))..=(today + TimeDelta::days(1))).contains(&date)
}

/// What is known of the patient of a consultation: the name of the booking, or else the one that the images in the doctor's reach
/// agree on, and the date of birth of images that do not name somebody else. Where nobody names the patient, the Patient Service
/// does, if it has one that no image contradicts.
pub async fn known(
    state: &AppState,
    caller: &Caller,
    consultation: &Consultation,
) -> Result<DocumentPatient, Problem> {
    let booked = natural(&consultation.patient_name);
    let records = records(state, caller, consultation).await?;
    let names: Vec<String> = records.iter().map(|record| natural(&record.patient_name)).collect();
    if names.iter().chain(Some(&booked)).all(|name| name.trim().is_empty())
        && let Some(registered) = registered(state, consultation, &records).await
    {
        return Ok(registered);
    }
    let name = if booked.trim().is_empty() { agreed(&names, |name| words(name)) } else { Some(&booked) };
    let name = name.cloned().unwrap_or_default();
    let is_of_images = !name.is_empty() && names.iter().all(|other| words(other) == words(&name));
    let dates: Vec<&str> = records.iter().map(|record| record.patient_birth_date.as_str()).collect();
    let birth_date = agreed(&dates, |date| *date).filter(|_| is_of_images);
    let birth_date = birth_date.and_then(|date| NaiveDate::parse_from_str(date, "%Y%m%d").ok());
    // What images say is checked by nobody, unlike what a doctor writes.
    let name = name.chars().filter(|one| !one.is_control()).take(NAME_LENGTH_MAX).collect();
    Ok(DocumentPatient { name, birth_date })
}

/// As the Patient Service has it. An image of another issuer may be of somebody else.
async fn registered(
    state: &AppState,
    consultation: &Consultation,
    records: &[PatientAttributes],
) -> Option<DocumentPatient> {
    let issuer = &consultation.issuer_of_patient_id;
    if records.iter().any(|record| record.issuer_of_patient_id != *issuer) {
        return None;
    }
    let answer = registry::ask_anew(state, &consultation.patient_id, issuer).await?;
    let Answer::Found(found) = answer else { return None };
    let images: Vec<&PatientAttributes> = records.iter().collect();
    if !registry::is_in_use(&found) || !registry::conflicts(&found.patient, &images).is_empty() {
        return None;
    }
    let name = found.patient.name()?.chars().take(NAME_LENGTH_MAX).collect();
    let birth_date = found.patient.birth_date.as_ref().and_then(PartialDate::day);
    Some(DocumentPatient {
        name,
        birth_date: birth_date.filter(|date| can_be_born(*date, state.clock.now())),
    })
}

/// What the images in reach say of whom they show.
async fn records(
    state: &AppState,
    caller: &Caller,
    consultation: &Consultation,
) -> Result<Vec<PatientAttributes>, Problem> {
    let Ok(scope) = caller.principal.authorize(Action::ReadStudy) else { return Ok(Vec::new()) };
    let (patient_id, issuer) = (&consultation.patient_id, consultation.issuer_of_patient_id.as_str());
    if patient_id.is_empty() {
        return Ok(Vec::new());
    }
    let conditions = of_patient(patient_id, Some(issuer).filter(|issuer| !issuer.is_empty()));
    let search = SearchQuery { conditions, limit: RECORDS_MAX, ..SearchQuery::default() };
    let found = state.database().search_patients(&scope, &search, None).await.map_err(errors::database)?;
    let records = found.into_iter().map(|row| row.attributes);
    Ok(records.filter(|patient| patient.patient_id == *patient_id).collect())
}

/// The first, when all are the same by their key.
fn agreed<T, K: PartialEq>(values: &[T], key: impl Fn(&T) -> K) -> Option<&T> {
    let first = values.first()?;
    values.iter().all(|value| key(value) == key(first)).then_some(first)
}

/// Words of a name in any order: `Diallo Amina` is nobody else than `Amina DIALLO`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = fold(name).split_whitespace().map(str::to_owned).collect();
    words.sort();
    words
}

/// A Person Name (PS3.5 6.2.1.1) as people write it: prefix, given and middle names, family name, suffix. Of several groups the
/// first that says something. What is no Person Name stays as it is.
fn natural(name: &str) -> String {
    let group = name.split('=').find(|group| !group.trim_matches(['^', ' ']).is_empty()).unwrap_or_default();
    let parts: Vec<&str> = group.split('^').map(str::trim).collect();
    let of = |index: usize| parts.get(index).copied().unwrap_or_default();
    let order = [of(3), of(1), of(2), of(0), of(4)];
    order.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_people_write_them() {
        for (name, written) in [
            ("Diallo^Amina", "Amina Diallo"),
            ("Adams^John Robert Quincy^^Rev.^B.A. M.Div.", "Rev. John Robert Quincy Adams B.A. M.Div."),
            ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Tarou Yamada"),
            ("=山田^太郎", "太郎 山田"),
            ("^^^^", ""),
            ("", ""),
            ("Amina Diallo", "Amina Diallo"),
        ] {
            assert_eq!(natural(name), written, "{name}");
        }
        assert_eq!(words("DIALLO  Amina"), words("Amina Diallo"));
        assert_eq!(agreed(&["a", "a"], |one| *one), Some(&"a"));
        assert_eq!(agreed(&["a", "b"], |one| *one), None);
    }
}
