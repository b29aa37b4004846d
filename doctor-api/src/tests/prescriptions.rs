//! Prescriptions from draft to signature and after.

mod patient;
mod signing;
mod warnings;

use axum::http::{StatusCode, header};
use model::access::Role;
use serde_json::{Value, json};

use super::{
    house::{Answer, request},
    part10,
    practice::{Practice, practice},
};

fn item(text: &str) -> Value {
    json!({
        "medication": { "text": text, "system": "http://www.whocc.no/atc", "code": "J01CA04" },
        "dose": { "value": 500, "unit": "mg" }, "route": "oral",
        "frequency": { "text": "three times a day", "times": 3, "period": 1, "period_unit": "d" },
        "duration_days": 7, "quantity": { "value": 21, "unit": "{capsule}" }
    })
}

impl Practice {
    async fn create(&self, token: &str, items: Value) -> Answer {
        let patient = json!({ "name": "Amina Diallo" });
        let body = json!({ "consultation_id": self.consultation, "items": items, "patient": patient });
        self.house.post(&format!("/doctors/{}/prescription", self.doctor.id), token, body).await
    }

    /// Path of a draft.
    async fn draft(&self) -> String {
        let made = self.create(&self.ada, json!([item("Amoxicillin 500 mg")])).await;
        assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
        made.header(header::LOCATION).to_owned()
    }
}

#[tokio::test]
async fn a_prescription_is_signed_once_and_can_be_verified_by_anybody() {
    let practice = practice().await;
    let house = &practice.house;
    let path = practice.draft().await;
    let signed = practice.post(&format!("{path}/finalize"), json!({})).await;
    assert_eq!(signed.status, StatusCode::OK, "{:?}", signed.body);
    let signed = signed.json();
    assert_eq!(signed["status"], "finalized");
    let code = signed["signature"]["verification_code"].as_str().expect("a code");
    let verified = house.get(&format!("{path}/verify?code={code}"), "").await;
    assert_eq!(verified.status, StatusCode::OK, "{:?}", verified.body);
    let verified = verified.json();
    assert_eq!((&verified["genuine"], &verified["status"]), (&json!(true), &json!("finalized")));
    assert_eq!(verified["content_sha256"], signed["signature"]["content_sha256"]);
    assert_eq!(verified["key"]["kid"], signed["signature"]["key_id"]);
    let told = verified.to_string();
    assert!(!told.contains("\"P1\"") && !told.contains("Amoxicillin"), "{told}");
    let other = practice.draft().await;
    let not_this = [format!("{path}/verify?code=x"), format!("{other}/verify?code={code}")];
    for wrong in not_this {
        assert_eq!(house.get(&wrong, "").await.status, StatusCode::NOT_FOUND, "{wrong}");
    }
    let change = json!({ "items": [item("Something else")] });
    let changed = house.with_header(("PUT", &path), &practice.ada, ("if-match", "\"2\""), change).await;
    assert_eq!(changed.status, StatusCode::CONFLICT);
    assert_eq!(practice.post(&format!("{path}/finalize"), json!({})).await.status, StatusCode::CONFLICT);
    assert_eq!(
        house.get(&path, &practice.ada).await.json()["items"][0]["medication"]["text"],
        "Amoxicillin 500 mg"
    );
    let cancelled = practice.post(&format!("{path}/cancel"), json!({ "remark": "wrong patient" })).await;
    assert_eq!((cancelled.status, &cancelled.json()["remark"]), (StatusCode::OK, &json!("wrong patient")));
    let told = house.get(&format!("{path}/verify?code={code}"), "").await.json();
    assert_eq!((&told["genuine"], &told["status"]), (&json!(true), &json!("cancelled")));
    assert_eq!(practice.post(&format!("{path}/cancel"), json!({})).await.status, StatusCode::CONFLICT);
    let trail = house.trail().await;
    for action in ["create", "finalize", "verify", "cancel"] {
        assert!(trail.contains(&format!("{action}_prescription success")), "{action}: {trail:?}");
    }
}

#[tokio::test]
async fn a_replacement_takes_the_place_when_it_is_signed() {
    let practice = practice().await;
    let house = &practice.house;
    let path = practice.draft().await;
    let body = json!({ "items": [item("Amoxicillin 250 mg")] });
    let early = practice.post(&format!("{path}/replace"), body.clone()).await;
    assert_eq!(early.json()["type"], "urn:maxray:problem:prescription-settled");
    practice.post(&format!("{path}/finalize"), json!({})).await;
    let replacement = practice.post(&format!("{path}/replace"), body.clone()).await;
    assert_eq!(replacement.status, StatusCode::CREATED, "{:?}", replacement.body);
    assert_eq!(replacement.json()["warnings"], json!([]), "the one it replaces is no duplicate");
    let again = practice.post(&format!("{path}/replace"), body.clone()).await;
    assert_eq!(again.json()["type"], "urn:maxray:problem:replaced-already");
    assert_eq!(house.get(&path, &practice.ada).await.json()["status"], "finalized");
    let new = replacement.header(header::LOCATION).to_owned();
    assert_eq!(practice.post(&format!("{new}/finalize"), json!({})).await.status, StatusCode::OK);
    assert_eq!(house.get(&path, &practice.ada).await.json()["status"], "superseded");
    let twice = practice.create(&practice.ada, json!([item("amoxicillin 250 MG")])).await.json();
    assert_eq!(twice["warnings"][0]["kind"], "prescribed_already");
}

#[tokio::test]
async fn what_cannot_be_prescribed_is_said_field_by_field_and_what_is_odd_is_warned_of() {
    let practice = practice().await;
    let with = |field: &str, value: Value| {
        let mut odd = item("Amoxicillin");
        odd[field] = value;
        odd
    };
    let text = |text: &str| json!({ "text": text });
    for (items, field) in [
        (json!([]), "items"),
        (json!([with("medication", text(" "))]), "items[0].medication.text"),
        (
            json!([with("medication", json!({ "text": "x", "system": "http://x", "code": "1" }))]),
            "items[0].medication.code",
        ),
        (json!([item("a"), with("dose", json!({ "value": 0, "unit": "mg" }))]), "items[1].dose.value"),
        (json!([with("dose", json!({ "value": 1, "unit": "spoons" }))]), "items[0].dose.unit"),
        (json!([with("frequency", json!({ "text": "often", "times": 3 }))]), "items[0].frequency"),
        (json!([with("refills", json!(13))]), "items[0].refills"),
        (json!([with("duration_days", json!(0))]), "items[0].duration_days"),
        (json!([with("signed_at", json!("2027-01-01"))]), "items[0].signed_at"),
    ] {
        let refused = practice.create(&practice.ada, items).await;
        assert_eq!((refused.status.as_u16(), refused.refused()), (422, vec![field.to_owned()]));
    }
    let path = format!("/doctors/{}/prescription", practice.doctor.id);
    let body = json!({
        "consultation_id": practice.consultation, "items": [item("Amoxicillin"), item("Amoxicillin")],
        "declared_allergies": ["amoxicillin"]
    });
    let warned = practice.post(&path, body).await.json();
    let kinds: Vec<_> = warned["warnings"]
        .as_array()
        .expect("warnings")
        .iter()
        .map(|warning| warning["kind"].clone())
        .collect();
    assert_eq!(kinds, ["unnamed_patient", "allergy", "duplicate", "allergy"]);
}

#[tokio::test]
async fn drafts_are_their_doctors_alone_and_nothing_crosses() {
    let practice = practice().await;
    let house = &practice.house;
    let (_, platform) = house.account(Role::Service, None).await;
    let (_, paramedic) = house.account(Role::Paramedic, None).await;
    let path = practice.draft().await;
    for token in [&practice.ben, &platform, &paramedic] {
        assert_eq!(house.get(&path, token).await.status, StatusCode::NOT_FOUND);
    }
    let foreign = practice.create(&practice.ben, json!([item("x")])).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND, "another doctor's consultation");
    for command in ["finalize", "cancel"] {
        let answer = house.post(&format!("{path}/{command}"), &practice.ben, json!({})).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{command}");
    }
    practice.post(&format!("{path}/finalize"), json!({})).await;
    assert_eq!(
        house.get(&path, &practice.ben).await.status,
        StatusCode::NOT_FOUND,
        "not of a patient of his"
    );
    assert_eq!(house.get(&path, &platform).await.status, StatusCode::OK, "a pharmacy reads signed ones");
    let other = house.doctor("Cy").await;
    let (_, cy) = house.account(Role::Doctor, Some(other.id)).await;
    let at = json!({ "patient_id": "P1", "scheduled_at": "2027-05-03T09:00:00Z" });
    let booked = house.post(&format!("/doctors/{}/consultation", other.id), &platform, at).await;
    assert_eq!(house.get(&path, &cy).await.status, StatusCode::OK, "of a patient of hers");
    let cancel = house.post(&format!("{path}/cancel"), &cy, json!({})).await;
    assert_eq!(cancel.status, StatusCode::NOT_FOUND, "reading only");
    let consultation = &booked.json()["id"];
    let body = json!({ "consultation_id": consultation, "items": [item("x")] });
    let early = house.post(&format!("/doctors/{}/prescription", other.id), &cy, body).await;
    assert_eq!(early.json()["type"], "urn:maxray:problem:consultation-not-met");
    let bare = house.call(request(
        "PUT",
        &practice.draft().await,
        &practice.ada,
        Some(json!({ "items": [item("x")] })),
    ));
    assert_eq!(bare.await.status, StatusCode::PRECONDITION_REQUIRED);
    // Cy has P1 as a patient and the paramedic booked for P1: what keeps them out is that it was never signed.
    let at = json!({ "patient_id": "P1", "scheduled_at": "2027-05-04T09:00:00Z" });
    let started = house.post(&format!("/doctors/{}/consultation", practice.doctor.id), &paramedic, at).await;
    let start = format!("/consultations/{}/start", started.json()["id"].as_str().expect("id"));
    assert_eq!(practice.post(&start, json!({})).await.status, StatusCode::OK);
    let body = json!({ "consultation_id": started.json()["id"], "items": [item("x")] });
    let draft = practice.post(&format!("/doctors/{}/prescription", practice.doctor.id), body).await;
    let path = draft.header(header::LOCATION).to_owned();
    let cancelled = practice.post(&format!("{path}/cancel"), json!({})).await;
    assert_eq!((cancelled.status, &cancelled.json()["status"]), (StatusCode::OK, &json!("cancelled")));
    for token in [&practice.ben, &cy, &platform, &paramedic] {
        assert_eq!(house.get(&path, token).await.status, StatusCode::NOT_FOUND, "never signed");
    }
    assert_eq!(house.get(&path, &practice.ada).await.status, StatusCode::OK, "its own doctor");
}

#[tokio::test]
async fn what_was_written_of_somebody_goes_with_an_erasure() {
    let practice = practice().await;
    let house = &practice.house;
    let path = practice.draft().await;
    practice.post(&format!("{path}/finalize"), json!({})).await;
    let body = json!({ "items": [item("Amoxicillin 250 mg")] });
    let new = practice.post(&format!("{path}/replace"), body).await.header(header::LOCATION).to_owned();
    practice.post(&format!("{new}/finalize"), json!({})).await;
    let notes = format!("/consultations/{}/notes", practice.consultation);
    let note = json!({ "note": "cough for three weeks" });
    let written = house.with_header(("PUT", &notes), &practice.ada, ("if-match", "\"0\""), note).await;
    assert_eq!(written.status, StatusCode::OK, "{:?}", written.body);
    // The machine knows the issuer; who booked did not say one.
    let mut file = part10::file("P1", "1.2.3", "1.2.3.1", "1.2.3.1.1");
    let patient_id = b"\x10\x00\x20\x00LO\x02\x00P1";
    let at = file.windows(patient_id.len()).position(|bytes| bytes == patient_id).expect("a Patient ID");
    file.splice(at + patient_id.len()..at + patient_id.len(), *b"\x10\x00\x21\x00LO\x04\x00HOSP");
    house.store_file(file).await;
    let other = json!({ "patient_id": "P1", "patient_name": "Somebody^Else" });
    let other =
        house.post(&format!("/doctors/{}/consultation", practice.doctor.id), &practice.ada, other).await;
    let found = house.database().patients_by_patient_id("P1", None).await.expect("looked up");
    let actor = database::AuditActor::default();
    let erasure = database::Erasure { reason: "asked for", any_name: false };
    let erased = house.archive.erase_patient(found[0].id, erasure, &actor).await.expect("erased");
    let left: Vec<String> = erased.consultations_left.iter().map(ToString::to_string).collect();
    assert_eq!(left, [other.json()["id"].as_str().expect("an id")], "the receipt names what it left");
    for gone in [&path, &new] {
        assert_eq!(house.get(gone, &practice.ada).await.status, StatusCode::NOT_FOUND, "{gone}");
    }
    let left = house.get(&notes, &practice.ada).await;
    assert_eq!((left.status, &left.json()["current"]), (StatusCode::OK, &json!(null)));
}
