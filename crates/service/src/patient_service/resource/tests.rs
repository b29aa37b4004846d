//! What is read of a Patient resource, and what is refused.

use serde_json::{Value, json};

use super::*;

fn read(resource: Value) -> Result<RegistryPatient, Malformed> {
    serde_json::from_value::<Patient>(resource).map_err(|_| Malformed("is no JSON of it"))?.read()
}

#[test]
fn the_best_name_is_official_and_in_use() {
    let patient = read(json!({
        "resourceType": "Patient", "id": "a-1", "active": true, "gender": "female", "birthDate": "1980-02",
        "name": [
            { "use": "official", "family": "Before", "given": ["Amina"], "period": { "end": "2001-01-01" } },
            { "use": "anonymous", "text": "Nobody" },
            { "family": "" },
            { "use": "usual", "text": "Amina D." },
            { "use": "official", "prefix": ["Dr."], "given": ["Amina", null, "Fatou"], "family": "Diallo",
              "suffix": ["MD"], "period": { "start": "2001-01-01" } },
        ],
        "link": [{ "type": "seealso", "other": { "reference": "Patient/x" } },
                 { "type": "replaced-by", "other": { "reference": "Patient/b-2" } }],
        "contact": [{ "anything": [1, 2, 3] }],
    }))
    .expect("a patient");
    assert_eq!(patient.name().as_deref(), Some("Dr. Amina Fatou Diallo MD"));
    assert_eq!(patient.names.len(), 4, "one says nothing");
    assert_eq!(patient.names[1].shown(), "Amina D.");
    assert_eq!((patient.active, patient.gender), (Some(true), Some(Gender::Female)));
    assert_eq!(patient.birth_date.map(|date| date.as_str().to_owned()).as_deref(), Some("1980-02"));
    assert_eq!(patient.replaced_by.as_deref(), Some("Patient/b-2"));
    let bare = read(json!({ "resourceType": "Patient", "id": "x" })).expect("a patient");
    assert_eq!((bare.name(), bare.active, bare.birth_date), (None, None, None));
}

#[test]
fn what_is_no_patient_is_refused() {
    for bad in [
        json!({ "resourceType": "Practitioner", "id": "x" }),
        json!({ "resourceType": "Patient" }),
        json!({ "resourceType": "Patient", "id": "../x" }),
        json!({ "resourceType": "Patient", "id": ".." }),
        json!({ "resourceType": "Patient", "id": "x".repeat(65) }),
        json!({ "resourceType": "Patient", "id": "x", "birthDate": "1980-02-30" }),
        json!({ "resourceType": "Patient", "id": "x", "birthDate": 1980 }),
        json!({ "resourceType": "Patient", "id": "x", "gender": "F" }),
        json!({ "resourceType": "Patient", "id": "x", "name": "Amina" }),
        json!({ "resourceType": "Patient", "id": "x", "active": "true" }),
        json!({ "resourceType": "Patient", "id": "x", "modifierExtension": [{ "url": "urn:not" }] }),
    ] {
        assert!(read(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn texts_are_bounded_lines() {
    let names: Vec<Value> =
        (0..50).map(|one| json!({ "text": format!("a\n\u{202e}b {one} {}", "x".repeat(5_000)) })).collect();
    let patient = read(json!({ "resourceType": "Patient", "id": "x", "name": names })).expect("a patient");
    assert_eq!(patient.names.len(), NAMES_MAX);
    let shown = patient.name().expect("a name");
    assert!(shown.starts_with("a b 0 xxx") && shown.chars().count() <= TEXT_LENGTH_MAX, "{shown}");
}
