//! What is asked before a signature, and what it says afterwards.

use axum::http::{StatusCode, header};
use model::access::Role;
use serde_json::{Value, json};

use super::{super::practice::practice, item};

#[tokio::test]
async fn a_draft_is_not_signed_when_its_consultation_was_not_held_after_all() {
    let practice = practice().await;
    let path = practice.draft().await;
    let cancel = format!("/consultations/{}/cancel", practice.consultation);
    assert_eq!(practice.post(&cancel, json!({})).await.status, StatusCode::OK);
    let refused = practice.post(&format!("{path}/finalize"), json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{:?}", refused.body);
    assert_eq!(refused.json()["type"], "urn:maxray:problem:consultation-not-met");
    assert_eq!(practice.house.get(&path, &practice.ada).await.json()["status"], "draft");
}

#[tokio::test]
async fn who_is_deactivated_signs_nothing_any_more() {
    let practice = practice().await;
    let (_, admin) = practice.house.account(Role::Admin, None).await;
    let path = practice.draft().await;
    let doctor = format!("/doctors/{}", practice.doctor.id);
    assert_eq!(practice.house.delete(&doctor, &admin).await.status, StatusCode::NO_CONTENT);
    let refused = practice.post(&format!("{path}/finalize"), json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{:?}", refused.body);
    let booking = json!({ "patient_id": "P1" });
    let not_booked = practice.post(&format!("{doctor}/consultation"), booking).await;
    assert_eq!(not_booked.status, StatusCode::CONFLICT, "{:?}", not_booked.body);
    assert_eq!(refused.json()["type"], not_booked.json()["type"]);
    assert_eq!(practice.house.get(&path, &practice.ada).await.json()["status"], "draft");
}

#[tokio::test]
async fn a_licence_that_is_over_is_warned_of_before_and_when_it_is_signed() {
    let practice = practice().await;
    let (_, admin) = practice.house.account(Role::Admin, None).await;
    let profile = format!("/doctors/{}", practice.doctor.id);
    let path = practice.draft().await;
    let seen = async || practice.house.get(&path, &practice.ada).await.json()["warnings"].clone();
    assert_eq!(seen().await, json!([]), "a doctor without licences in the profile");
    let licence = json!({ "number": "L-7", "issuer": "Council of Accra", "expires_on": "2020-01-31" });
    let licences = json!({ "licences": [licence] });
    let changed =
        practice.house.with_header(("PATCH", &profile), &admin, ("if-match", "\"1\""), licences).await;
    assert_eq!(changed.status, StatusCode::OK, "{:?}", changed.body);
    assert_eq!(seen().await[0]["kind"], "licence_ended");
    let signed = practice.post(&format!("{path}/finalize"), json!({})).await;
    assert_eq!(signed.status, StatusCode::OK, "{:?}", signed.body);
    assert_eq!(signed.json()["warnings"][0]["kind"], "licence_ended");
    assert_eq!(seen().await, json!([]), "it was looked at");
}

#[tokio::test]
async fn a_replacement_of_what_was_taken_back_says_so() {
    let practice = practice().await;
    let path = practice.draft().await;
    practice.post(&format!("{path}/finalize"), json!({})).await;
    let body = json!({ "items": [item("Amoxicillin 250 mg")] });
    let new = practice.post(&format!("{path}/replace"), body).await.header(header::LOCATION).to_owned();
    assert_eq!(practice.post(&format!("{path}/cancel"), json!({})).await.status, StatusCode::OK);
    let refused = practice.post(&format!("{new}/finalize"), json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.json()["type"], "urn:maxray:problem:replaced-gone");
    assert_eq!(
        practice.house.get(&new, &practice.ada).await.json()["status"],
        "draft",
        "it is none the less"
    );
}

#[tokio::test]
async fn who_signed_is_who_the_doctor_was_then() {
    let practice = practice().await;
    let house = &practice.house;
    let (_, admin) = house.account(Role::Admin, None).await;
    let profile = format!("/doctors/{}", practice.doctor.id);
    let changed = async |tag: &str, body: Value| {
        let changed = house.with_header(("PATCH", &profile), &admin, ("if-match", tag), body).await;
        assert_eq!(changed.status, StatusCode::OK, "{:?}", changed.body);
    };
    let licence = json!({ "number": "L-7", "issuer": "Council of Accra", "expires_on": "2030-01-31" });
    let then = json!({
        "name": "Ada Osei", "licence_number": "MD-1", "licences": [licence], "specialties": ["Radiology"],
        "contact": "Ward 3", "email": "ada@example.org", "phone": "+233 1"
    });
    changed("\"1\"", then).await;
    let path = practice.draft().await;
    let signed = practice.post(&format!("{path}/finalize"), json!({})).await.json();
    let draft = practice.draft().await;
    let paper = async |path: &str| {
        let paper = house.get(&format!("{path}/pdf"), &practice.ada).await;
        assert_eq!(paper.status, StatusCode::OK, "{:?}", paper.body);
        paper.body
    };
    let (of_signed, of_draft) = (paper(&path).await, paper(&draft).await);
    // One by one: each of them stands on the paper.
    for (version, body) in [
        (2, json!({ "name": "Ada Mensah", "licence_number": "MD-2" })),
        (3, json!({ "licences": [] })),
        (4, json!({ "specialties": ["Oncology"] })),
        (5, json!({ "contact": "Ward 4", "email": "", "phone": "" })),
    ] {
        changed(&format!("\"{version}\""), body.clone()).await;
        assert!(paper(&path).await == of_signed, "a signed paper changes with the profile: {body}");
    }
    assert!(paper(&draft).await != of_draft, "a draft shows the profile as it is");
    let code = signed["signature"]["verification_code"].as_str().expect("a code");
    let verified = house.get(&format!("{path}/verify?code={code}"), "").await.json();
    assert_eq!(verified["genuine"], true);
    assert_eq!((&verified["doctor_name"], &verified["licence_number"]), (&json!("Ada Osei"), &json!("MD-1")));
    let shown = json!({
        "specialties": ["Radiology"], "licences": [licence],
        "contacts": ["Ward 3", "+233 1", "ada@example.org"]
    });
    assert_eq!(verified["doctor_profile"], shown);
}
