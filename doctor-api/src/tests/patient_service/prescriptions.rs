//! Whom a prescription is for, where the registry has a word in it.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{SYSTEM, ada_with_p1, bundle, config, image, patient};
use crate::tests::{
    house::House,
    patient_service::fake::{Fake, Reply},
};

struct Practice {
    house: House,
    token: String,
    doctor: String,
}

impl Practice {
    async fn open(fake: &Fake) -> Self {
        let house = House::asking(&config(fake)).await;
        let (doctor, token) = ada_with_p1(&house).await;
        Self { house, token, doctor: format!("/doctors/{}", doctor.id) }
    }

    /// A draft that says of the patient what is told, in a consultation that was booked so.
    async fn draft(&self, booking: Value, patient: Option<Value>) -> Value {
        let booked = self.house.post(&format!("{}/consultation", self.doctor), &self.token, booking).await;
        assert_eq!(booked.status, StatusCode::CREATED, "{:?}", booked.body);
        let items = json!([{
            "medication": { "text": "Amoxicillin" }, "dose": { "value": 500, "unit": "mg" }, "route": "oral",
            "frequency": { "text": "three times a day", "times": 3, "period": 1, "period_unit": "d" },
            "duration_days": 7, "quantity": { "value": 21, "unit": "{capsule}" }
        }]);
        let body = json!({ "consultation_id": booked.json()["id"], "items": items, "patient": patient });
        let made = self.house.post(&format!("{}/prescription", self.doctor), &self.token, body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
        made.json()
    }
}

fn amina(birth_date: &str) -> Value {
    let mut amina = patient("a1", SYSTEM, "P1");
    amina["name"] = json!([
        { "use": "official", "family": "Diallo", "given": ["Amina", "Fatou"] },
        { "use": "maiden", "family": "Bâ", "given": ["Amina"] },
    ]);
    amina["birthDate"] = json!(birth_date);
    amina
}

/// Kinds and fields of the warnings.
fn warnings(draft: &Value) -> Vec<(&str, &str)> {
    let all = draft["warnings"].as_array().expect("warnings").iter();
    all.map(|one| (one["kind"].as_str().expect("a kind"), one["field"].as_str().expect("a field"))).collect()
}

#[tokio::test]
async fn a_patient_whom_nobody_names_has_the_name_of_the_registry() {
    let fake = Fake::start().await;
    fake.answers("", Reply::Json(bundle(&[amina("1980-02-29")])));
    fake.answers("/fhir/Patient/a1", Reply::Json(amina("1980-03-01")));
    let practice = Practice::open(&fake).await;
    let unsaid = || practice.draft(json!({ "patient_id": "P1" }), None);
    let first = unsaid().await;
    assert_eq!(first["patient"], json!({ "name": "Amina Fatou Diallo", "birth_date": "1980-02-29" }));
    assert_eq!(warnings(&first), []);
    // The next one asks once more, by the id: what is signed is not what was known a while ago.
    let second = unsaid().await;
    assert_eq!(second["patient"]["birth_date"], "1980-03-01");
    let targets: Vec<String> = fake.asked().into_iter().map(|one| one.target).collect();
    assert_eq!(targets, ["/fhir/Patient?identifier=urn%3Aoid%3A1.2.3%7CP1", "/fhir/Patient/a1"]);
    // No answer by the id: what was said before. The identifier is somebody else's now: a search.
    fake.answers("/fhir/Patient/a1", Reply::Status(500));
    assert_eq!(unsaid().await["patient"]["birth_date"], "1980-03-01");
    fake.answers("/fhir/Patient/a1", Reply::Json(patient("a1", SYSTEM, "P7")));
    fake.answers("", Reply::Json(bundle(&[])));
    assert_eq!(unsaid().await["patient"], json!({ "name": "", "birth_date": null }));
    // What was signed before is untouched.
    let path = format!("/prescriptions/{}", first["id"].as_str().expect("an id"));
    let kept = practice.house.get(&path, &practice.token).await.json();
    assert_eq!(kept["patient"]["birth_date"], "1980-02-29");
}

#[tokio::test]
async fn what_differs_from_the_registry_is_a_warning_and_stays() {
    let fake = Fake::start().await;
    fake.answers("", Reply::Json(bundle(&[amina("1980-02-29")])));
    let practice = Practice::open(&fake).await;
    let booked = practice.draft(json!({ "patient_id": "P1", "patient_name": "Mensah^Kofi" }), None).await;
    assert_eq!(booked["patient"], json!({ "name": "Kofi Mensah", "birth_date": null }));
    assert_eq!(warnings(&booked), [("patient_conflict", "patient.name")]);
    let message = booked["warnings"][0]["message"].as_str().expect("words");
    assert!(message.contains("Amina Fatou Diallo"), "{message}");
    let said = json!({ "name": "DIALLO Amina", "birth_date": "1981-02-28" });
    let said = practice.draft(json!({ "patient_id": "P1" }), Some(said)).await;
    assert_eq!(warnings(&said), [("patient_conflict", "patient.birth_date")]);
    // A name of before is no name for a pharmacy.
    let before = json!({ "name": "Amina Bâ", "birth_date": "1980-02-29" });
    let before = practice.draft(json!({ "patient_id": "P1" }), Some(before)).await;
    assert_eq!(warnings(&before), [("patient_conflict", "patient.name")]);
    let path = format!("/prescriptions/{}", before["id"].as_str().expect("an id"));
    let signed = practice.house.post(&format!("{path}/finalize"), &practice.token, json!({})).await;
    assert_eq!(signed.status, StatusCode::OK, "{:?}", signed.body);
    assert_eq!(signed.json()["patient"]["name"], "Amina Bâ", "the doctor decides");
}

#[tokio::test]
async fn an_entry_that_images_contradict_or_that_is_not_in_use_names_nobody() {
    let fake = Fake::start().await;
    fake.answers("", Reply::Json(bundle(&[amina("1980-02-29")])));
    let practice = Practice::open(&fake).await;
    image(&practice.house, "P1", 1, &[]).await;
    let images = practice.draft(json!({ "patient_id": "P1" }), None).await;
    assert_eq!(images["patient"]["name"], "Kofi Mensah");
    assert_eq!(warnings(&images), [("patient_conflict", "patient.name")]);
    let mut retired = amina("1980-02-29");
    retired["active"] = json!(false);
    let mut future = amina("2980-02-29");
    future["gender"] = json!("female");
    for (entry, expected) in [
        (retired, json!({ "name": "", "birth_date": null })),
        (future, json!({ "name": "Amina Fatou Diallo", "birth_date": null })),
        (amina("1980"), json!({ "name": "Amina Fatou Diallo", "birth_date": null })),
    ] {
        fake.answers("", Reply::Json(bundle(&[entry])));
        let practice = Practice::open(&fake).await;
        let unnamed = practice.draft(json!({ "patient_id": "P1" }), None).await;
        assert_eq!(unnamed["patient"], expected);
    }
    fake.answers("", Reply::Status(503));
    let practice = Practice::open(&fake).await;
    let without = practice.draft(json!({ "patient_id": "P1" }), None).await;
    assert_eq!(without["patient"], json!({ "name": "", "birth_date": null }));
    assert_eq!(warnings(&without), [("unnamed_patient", "patient.name")]);
}
