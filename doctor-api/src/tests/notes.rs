//! What is written about a consultation: versions, the end, amendments, and who reads it.

use axum::http::{StatusCode, header};
use model::access::Role;
use serde_json::json;

use super::house::House;

#[tokio::test]
async fn notes_have_versions_and_a_completed_consultation_amendments() {
    let house = House::open().await;
    let doctor = house.doctor("Ada").await;
    let token = house.token(Role::Doctor, Some(doctor.id));
    let path = format!("/consultations/{}", house.book(&token, &doctor, "P1").await);
    let (notes, amendments) = (format!("{path}/notes"), format!("{path}/amendments"));
    let none = house.get(&notes, &token).await;
    assert_eq!((none.header(header::ETAG), &none.json()["current"]), ("\"0\"", &json!(null)));
    let write = async |tag: &str, note: &str, diagnosis: &str| {
        let body = json!({ "note": note, "diagnosis": diagnosis });
        house.with_header(("PUT", &notes), &token, ("if-match", tag), body).await
    };
    let amend = async |tag: &str, note: &str| {
        house.with_header(("POST", &amendments), &token, ("if-match", tag), json!({ "note": note })).await
    };
    assert_eq!(write("\"0\"", "cough", "").await.status, StatusCode::OK);
    assert_eq!(write("\"0\"", "overwritten", "").await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(amend("\"1\"", "early").await.status, StatusCode::CONFLICT);
    assert_eq!(write("\"1\"", "cough for three weeks", "Bronchitis").await.header(header::ETAG), "\"2\"");
    assert_eq!(write("\"2\"", " ", "").await.refused(), ["note"]);
    house.post(&format!("{path}/complete"), &token, json!({})).await;
    assert_eq!(write("\"2\"", "changed afterwards", "").await.status, StatusCode::CONFLICT);
    assert_eq!(amend("\"2\"", "the laboratory called").await.status, StatusCode::CREATED);
    let all = house.get(&notes, &token).await.json();
    assert_eq!((&all["current"]["version"], &all["current"]["diagnosis"]), (&json!(2), &json!("Bronchitis")));
    assert_eq!(all["earlier"][0]["note"], "cough");
    assert_eq!(all["amendments"][0]["note"], "the laboratory called");
    assert_eq!(all["amendments"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn notes_are_for_the_doctor_and_for_whoever_is_with_the_patient_while_it_lasts() {
    let house = House::open().await;
    let (ada, ben) = (house.doctor("Ada").await, house.doctor("Ben").await);
    let (_, for_ada) = house.account(Role::Doctor, Some(ada.id)).await;
    let (_, for_ben) = house.account(Role::Doctor, Some(ben.id)).await;
    let (_, paramedic) = house.account(Role::Paramedic, None).await;
    let (_, other) = house.account(Role::Paramedic, None).await;
    let (_, platform) = house.account(Role::Service, None).await;
    let (_, admin) = house.account(Role::Admin, None).await;
    let path = format!("/consultations/{}", house.book(&paramedic, &ada, "P1").await);
    let notes = format!("{path}/notes");
    let body = json!({ "note": "pulse 90" });
    let write = async |token: &str, tag: &str| {
        house.with_header(("PUT", &notes), token, ("if-match", tag), body.clone()).await.status
    };
    assert_eq!(write(&paramedic, "\"0\"").await, StatusCode::OK);
    assert_eq!(write(&for_ada, "\"1\"").await, StatusCode::OK);
    for (token, status) in [
        (&for_ben, StatusCode::NOT_FOUND),
        (&other, StatusCode::NOT_FOUND),
        (&platform, StatusCode::FORBIDDEN),
        (&admin, StatusCode::FORBIDDEN),
    ] {
        assert_eq!(house.get(&notes, token).await.status, status);
        assert_eq!(write(token, "\"2\"").await, status);
    }
    assert_eq!(house.get(&notes, &paramedic).await.status, StatusCode::OK);
    house.post(&format!("{path}/complete"), &for_ada, json!({})).await;
    assert_eq!(house.get(&notes, &paramedic).await.status, StatusCode::NOT_FOUND, "it is over");
    assert_eq!(write(&paramedic, "\"2\"").await, StatusCode::NOT_FOUND);
    assert_eq!(house.get(&notes, &for_ada).await.status, StatusCode::OK);
    let trail = house.trail().await;
    for record in ["write_note success", "read_notes success", "read_notes refused"] {
        assert!(trail.iter().any(|done| done == record), "{record}: {trail:?}");
    }
}
