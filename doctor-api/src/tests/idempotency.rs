//! Requests that are sent again.

use std::collections::BTreeSet;

use axum::http::{StatusCode, header};
use model::access::Role;
use serde_json::{Value, json};

use super::house::{Answer, House};
use crate::idempotency::SECRET;

async fn send(house: &House, path: &str, token: &str, key: &str, body: Value) -> Answer {
    house.with_header(("POST", path), token, ("idempotency-key", key), body).await
}

#[tokio::test]
async fn a_request_that_comes_again_has_its_effect_once_and_the_same_answer() {
    let house = House::open().await;
    let doctor = house.doctor("Ada").await;
    let (_, token) = house.account(Role::Doctor, Some(doctor.id)).await;
    let (_, other) = house.account(Role::Service, None).await;
    let path = format!("/doctors/{}/consultation", doctor.id);
    let body = json!({ "patient_id": "P1", "scheduled_at": "2027-05-03T09:00:00Z" });
    let first = send(&house, &path, &token, "k1", body.clone()).await;
    assert_eq!(first.status, StatusCode::CREATED, "{:?}", first.body);
    let again = send(&house, &path, &token, "k1", body.clone()).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    for name in [header::LOCATION, header::ETAG, header::CONTENT_TYPE] {
        assert_eq!(again.header(&name), first.header(&name), "{name}");
    }
    assert_eq!(again.header("idempotency-replayed"), "true");
    let list = house.get(&format!("/doctors/{}/consultations", doctor.id), &token).await.json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    let changed = json!({ "patient_id": "P2", "scheduled_at": "2027-05-03T09:00:00Z" });
    let reused = send(&house, &path, &token, "k1", changed).await;
    assert_eq!(reused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(reused.json()["type"], "urn:maxray:problem:idempotency-key-reused");
    let elsewhere = send(&house, &format!("{path}/x"), &token, "k1", body.clone()).await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND, "a path that is none");
    let theirs = send(&house, &path, &other, "k1", body.clone()).await;
    assert_eq!(
        theirs.json()["type"],
        "urn:maxray:problem:doctor-taken",
        "another account's key is another key"
    );
    assert_eq!(send(&house, &path, &other, "k1", body).await.body, theirs.body, "a conflict is kept, too");
}

#[tokio::test]
async fn what_was_refused_may_be_sent_again_in_order_under_the_same_key() {
    let house = House::open().await;
    let doctor = house.doctor("Ada").await;
    let (_, token) = house.account(Role::Doctor, Some(doctor.id)).await;
    let path = format!("/doctors/{}/consultation", doctor.id);
    let refused = send(&house, &path, &token, "k1", json!({ "patient_id": "" })).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        send(&house, &path, &token, "k1", json!({ "patient_id": "P1" })).await.status,
        StatusCode::CREATED
    );
    for key in ["", " ", "ä", &"k".repeat(201)] {
        let request = super::house::request("POST", &path, &token, Some(json!({ "patient_id": "P1" })));
        let (mut parts, body) = request.into_parts();
        let value = axum::http::HeaderValue::from_bytes(key.as_bytes()).expect("a header");
        parts.headers.insert("idempotency-key", value);
        let answer = house.call(axum::http::Request::from_parts(parts, body)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{key}");
    }
}

#[tokio::test]
async fn a_secret_is_answered_once_and_kept_nowhere() {
    let house = House::open().await;
    let doctor = house.doctor("Ada").await;
    let (_, token) = house.account(Role::Doctor, Some(doctor.id)).await;
    let path = format!("/consultations/{}/viewer-token", house.book(&token, &doctor, "P1").await);
    assert_eq!(send(&house, &path, &token, "k1", json!({})).await.status, StatusCode::CREATED);
    let again = send(&house, &path, &token, "k1", json!({})).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(again.json()["type"], "urn:maxray:problem:idempotency-answer-not-kept");
}

#[tokio::test]
async fn of_many_at_once_one_has_the_effect() {
    let house = House::open().await;
    let doctor = house.doctor("Ada").await;
    let (_, token) = house.account(Role::Doctor, Some(doctor.id)).await;
    let path = format!("/doctors/{}/consultation", doctor.id);
    let sent = (0..20).map(|_| send(&house, &path, &token, "k1", json!({ "patient_id": "P1" })));
    for answer in futures_util::future::join_all(sent).await {
        let running = answer.json()["type"] == "urn:maxray:problem:idempotency-running";
        assert!(answer.status == StatusCode::CREATED || running, "{:?}", answer.body);
    }
    let list = house.get(&format!("/doctors/{}/consultations", doctor.id), &token).await.json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
}

/// Names of all fields of a schema and of what it refers to.
fn fields(document: &Value, schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(pointer) = map.get("$ref").and_then(Value::as_str) {
                let pointer = pointer.trim_start_matches('#');
                fields(document, document.pointer(pointer).expect("a schema"), names);
            }
            if let Some(Value::Object(properties)) = map.get("properties") {
                names.extend(properties.keys().cloned());
            }
            map.values().for_each(|value| fields(document, value, names));
        }
        Value::Array(list) => list.iter().for_each(|value| fields(document, value, names)),
        _ => {}
    }
}

#[test]
fn every_answer_that_holds_a_secret_is_named_as_such() {
    let document = serde_json::to_value(crate::openapi()).expect("JSON");
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let Some(responses) = item["post"]["responses"].as_object() else { continue };
        let mut names = BTreeSet::new();
        for (_, answer) in responses.iter().filter(|(status, _)| status.starts_with('2')) {
            fields(&document, answer, &mut names);
        }
        let secret = ["token", "secret", "client_secret", "password", "access_token", "refresh_token"];
        if secret.iter().any(|name| names.contains(*name)) {
            found.push(path.as_str());
        }
    }
    assert_eq!(found, SECRET, "left: what the document says, right: what is not kept");
}

#[tokio::test]
async fn tokens_are_kept_nowhere_and_the_key_is_free_again() {
    let house = House::open().await;
    let (_, token) = house.account(Role::Service, None).await;
    house.user("kofi", "correct horse battery", Role::Paramedic, None).await;
    let body = json!({ "username": "kofi", "password": "correct horse battery" });
    let first = send(&house, "/sessions", &token, "k1", body.clone()).await;
    assert_eq!(first.status, StatusCode::CREATED, "{:?}", first.body);
    let again = send(&house, "/sessions", &token, "k1", body).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (StatusCode::CREATED, ""));
    assert_ne!(again.json()["access_token"], first.json()["access_token"]);
}

#[tokio::test]
async fn an_answer_is_given_again_to_whom_it_was_given_and_recorded() {
    let house = House::open().await;
    let (ada, ben) = (house.doctor("Ada").await, house.doctor("Ben").await);
    let (who, token) = house.account(Role::Doctor, Some(ada.id)).await;
    let path = format!("/doctors/{}/consultation", ada.id);
    let body = json!({ "patient_id": "P1", "patient_name": "Mensah^Kofi" });
    let made = send(&house, &path, &token, "k1", body.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(send(&house, &path, &token, "k1", body.clone()).await.header("idempotency-replayed"), "true");
    let rows = house.database().audit_page(0, 1_000).await.expect("audit");
    let replays: Vec<_> = rows.iter().filter(|row| row.record.action == "replay_answer").collect();
    assert_eq!(replays.len(), 1);
    assert_eq!(replays[0].record.subject, made.json()["id"].as_str().expect("id"));
    assert_eq!(replays[0].record.detail, "POST /doctors/{id}/consultation");
    // The account becomes another doctor's: what the first one was told is not for the second.
    let other = house.token_of(&model::access::Principal { doctor_id: Some(ben.id), ..who });
    let refused = send(&house, &path, &other, "k1", body).await;
    assert_eq!(refused.json()["type"], "urn:maxray:problem:idempotency-key-reused");
    assert!(!String::from_utf8_lossy(&refused.body).contains("Mensah"));
}

#[tokio::test]
async fn a_token_in_other_hands_has_no_keys() {
    let house = House::open().await;
    let doctor = house.doctor("Ada").await;
    let (_, token) = house.account(Role::Doctor, Some(doctor.id)).await;
    let consultation = house.book(&token, &doctor, "P1").await;
    let viewer = house.post(&format!("/consultations/{consultation}/viewer-token"), &token, json!({})).await;
    let viewer = viewer.json()["access_token"].as_str().expect("a token").to_owned();
    let path = format!("/doctors/{}/consultation", doctor.id);
    let body = json!({ "patient_id": "P1" });
    assert_eq!(send(&house, &path, &token, "k1", body.clone()).await.status, StatusCode::CREATED);
    assert_eq!(send(&house, &path, &viewer, "k1", body).await.status, StatusCode::FORBIDDEN);
    assert!(house.trail().await.contains(&"use_idempotency_key refused".to_owned()));
}
