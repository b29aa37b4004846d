//! What is warned of before a signature: allergies by groups of medicines, and what earlier prescriptions say.

use axum::http::{StatusCode, header};
use model::{access::Role, clinical::Doctor};
use serde_json::{Value, json};

use super::{
    super::{house::House, practice::practice},
    item,
};

/// Begins a consultation with P1 of an issuer and a draft in it; path and draft.
async fn draft(
    house: &House,
    (doctor, token): (&Doctor, &str),
    issuer: &str,
    allergies: &[&str],
) -> (String, Value) {
    let path = format!("/doctors/{}", doctor.id);
    let booking = json!({ "patient_id": "P1", "issuer_of_patient_id": issuer });
    let booked = house.post(&format!("{path}/consultation"), token, booking).await;
    assert_eq!(booked.status, StatusCode::CREATED, "{:?}", booked.body);
    let body = json!({
        "consultation_id": booked.json()["id"], "items": [item("Amoxicillin 500 mg capsules")],
        "declared_allergies": allergies, "patient": { "name": "Amina Diallo" },
    });
    let made = house.post(&format!("{path}/prescription"), token, body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    (made.header(header::LOCATION).to_owned(), made.json())
}

/// Kinds of the warnings, and the prescriptions that they name.
fn warnings(draft: &Value) -> Vec<(&str, Option<&str>)> {
    let all = draft["warnings"].as_array().expect("warnings").iter();
    all.map(|one| (one["kind"].as_str().expect("a kind"), one["prescription_id"].as_str())).collect()
}

#[tokio::test]
async fn what_another_doctor_signed_for_the_patient_warns_whoever_left_the_issuer_out() {
    let practice = practice().await;
    let house = &practice.house;
    let ada = (&practice.doctor, practice.ada.as_str());
    let cy = house.doctor("Cy").await;
    let (_, for_cy) = house.account(Role::Doctor, Some(cy.id)).await;
    let cy = (&cy, for_cy.as_str());
    for (of_ada, of_cy) in [("HOSP", ""), ("", "SITE")] {
        let (path, first) = draft(house, ada, of_ada, &["Penicillin"]).await;
        assert_eq!(warnings(&first)[0], ("allergy", None), "penicillin is the group of its code: {first}");
        let (_, before) = draft(house, cy, of_cy, &[]).await;
        let id = first["id"].as_str().expect("an id");
        assert!(!before["warnings"].to_string().contains(id), "a draft is nobody's warning: {before}");
        let signed = practice.post(&format!("{path}/finalize"), json!({})).await;
        assert_eq!(signed.status, StatusCode::OK, "{:?}", signed.body);
        let (_, warned) = draft(house, cy, of_cy, &[]).await;
        assert_eq!(warnings(&warned), [("prescribed_already", Some(id)), ("allergy", Some(id))], "{warned}");
        let signed = signed.json();
        let day = &signed["signature"]["finalized_at"].as_str().expect("a time")[..10];
        let message = format!("the patient told of an allergy on {day}: Penicillin");
        assert_eq!(warned["warnings"][1]["message"], message);
        let (_, said) = draft(house, cy, of_cy, &["penicillin"]).await;
        let once = [("allergy", None), ("prescribed_already", Some(id))];
        assert_eq!(warnings(&said), once, "{said}");
        // It is over: a prescription that was taken back says nothing of the patient.
        practice.post(&format!("{path}/cancel"), json!({})).await;
        let (_, after) = draft(house, cy, of_cy, &[]).await;
        assert_eq!(warnings(&after), [], "{after}");
    }
}
