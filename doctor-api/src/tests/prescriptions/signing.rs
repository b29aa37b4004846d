//! What is asked before a signature, and what it says afterwards.

use axum::http::{StatusCode, header};
use model::access::Role;
use serde_json::json;

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
    let named = async |tag: &str, name: &str, licence: &str| {
        let body = json!({ "name": name, "licence_number": licence });
        let changed = house.with_header(("PATCH", &profile), &admin, ("if-match", tag), body).await;
        assert_eq!(changed.status, StatusCode::OK, "{:?}", changed.body);
    };
    named("\"1\"", "Ada Osei", "MD-1").await;
    let path = practice.draft().await;
    let signed = practice.post(&format!("{path}/finalize"), json!({})).await.json();
    named("\"2\"", "Ada Mensah", "MD-2").await;
    let code = signed["signature"]["verification_code"].as_str().expect("a code");
    let verified = house.get(&format!("{path}/verify?code={code}"), "").await.json();
    assert_eq!(verified["genuine"], true);
    assert_eq!((&verified["doctor_name"], &verified["licence_number"]), (&json!("Ada Osei"), &json!("MD-1")));
}
