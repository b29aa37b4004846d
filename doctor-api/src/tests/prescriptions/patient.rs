//! Whom a prescription is for: known from the booking and the images, or said by the doctor.

use axum::http::{StatusCode, header};
use serde_json::{Value, json};

use super::{
    super::{
        part10,
        practice::{Practice, practice},
    },
    item,
};

impl Practice {
    /// A draft that says nothing of the patient, in a consultation that was booked so.
    async fn unsaid(&self, booking: Value) -> Value {
        let doctor = format!("/doctors/{}", self.doctor.id);
        let booked = self.post(&format!("{doctor}/consultation"), booking).await;
        assert_eq!(booked.status, StatusCode::CREATED, "{:?}", booked.body);
        let body = json!({ "consultation_id": booked.json()["id"], "items": [item("Amoxicillin")] });
        let made = self.post(&format!("{doctor}/prescription"), body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
        made.json()
    }

    /// Stores an image of Mensah^Kofi, born on that day.
    async fn image(&self, patient_id: &str, number: u32, birth_date: &[u8; 8]) {
        let study = format!("1.2.3.{number}");
        let mut file = part10::file(patient_id, &study, &format!("{study}.1"), &format!("{study}.1.1"));
        let body_part = b"\x18\x00\x15\x00CS";
        let at = file.windows(6).position(|bytes| bytes == body_part).expect("a body part");
        let element = [b"\x10\x00\x30\x00DA\x08\x00".as_slice(), birth_date].concat();
        file.splice(at..at, element);
        self.house.store_file(file).await;
    }
}

#[tokio::test]
async fn a_prescription_names_whom_the_booking_or_the_images_name() {
    let practice = practice().await;
    let nobody = practice.unsaid(json!({ "patient_id": "P9" })).await;
    assert_eq!(nobody["patient"], json!({ "name": "", "birth_date": null }));
    assert_eq!(nobody["warnings"][0]["kind"], "unnamed_patient");
    practice.image("P9", 1, b"19800229").await;
    let images = practice.unsaid(json!({ "patient_id": "P9" })).await;
    assert_eq!(images["patient"], json!({ "name": "Kofi Mensah", "birth_date": "1980-02-29" }));
    assert_eq!(images["warnings"].as_array().map(Vec::len), Some(0), "{images}");
    let same = practice.unsaid(json!({ "patient_id": "P9", "patient_name": "MENSAH Kofi" })).await;
    assert_eq!(same["patient"], json!({ "name": "MENSAH Kofi", "birth_date": "1980-02-29" }));
    // Somebody else's Patient ID, or a wrong one: no day of birth of another person.
    let other = practice.unsaid(json!({ "patient_id": "P9", "patient_name": "Diallo^Amina" })).await;
    assert_eq!(other["patient"], json!({ "name": "Amina Diallo", "birth_date": null }));
    practice.image("P9", 2, b"19810301").await;
    let torn = practice.unsaid(json!({ "patient_id": "P9" })).await;
    assert_eq!(torn["patient"], json!({ "name": "Kofi Mensah", "birth_date": null }));
}

#[tokio::test]
async fn whom_it_is_for_is_signed_and_stays_unless_the_doctor_says_so() {
    let practice = practice().await;
    let house = &practice.house;
    let path = practice.draft().await;
    let put = async |tag: &str, body: Value| {
        house.with_header(("PUT", &path), &practice.ada, ("if-match", tag), body).await
    };
    let quiet = put("\"1\"", json!({ "items": [item("Amoxicillin 250 mg")] })).await;
    assert_eq!(quiet.json()["patient"]["name"], "Amina Diallo");
    let patient = json!({ "name": "Amina Diallo-Mensah", "birth_date": "1980-02-29" });
    let said = put("\"2\"", json!({ "items": [item("Amoxicillin")], "patient": patient })).await;
    assert_eq!(said.json()["patient"], patient, "{:?}", said.body);
    for (patient, field) in [
        (json!({ "name": "a\nb" }), "patient.name"),
        (json!({ "name": "x".repeat(201) }), "patient.name"),
        (json!({ "birth_date": "2999-01-01" }), "patient.birth_date"),
        (json!({ "birth_date": "1815-12-10" }), "patient.birth_date"),
        (json!({ "birth_date": "1980-02-30" }), "patient.birth_date"),
        (json!({ "sex": "F" }), "patient.sex"),
    ] {
        let refused = put("\"3\"", json!({ "items": [item("Amoxicillin")], "patient": patient })).await;
        assert_eq!((refused.status.as_u16(), refused.refused()), (422, vec![field.to_owned()]));
    }
    let signed = practice.post(&format!("{path}/finalize"), json!({})).await.json();
    assert_eq!(signed["patient"], patient);
    let code = signed["signature"]["verification_code"].as_str().expect("a code");
    let check = house.get(&format!("{path}/verify?code={code}"), "").await;
    assert_eq!(check.json()["genuine"], true);
    assert!(!check.json().to_string().contains("Diallo"), "the check is public: {:?}", check.body);
    let body = json!({ "items": [item("Amoxicillin 250 mg")] });
    let new = practice.post(&format!("{path}/replace"), body).await;
    assert_eq!(new.json()["patient"], patient, "{:?}", new.body);
    assert!(new.header(header::LOCATION).starts_with("/prescriptions/"));
}
