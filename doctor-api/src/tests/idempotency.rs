//! Requests that are sent again.

use axum::http::{StatusCode, header};
use model::access::Role;
use serde_json::{Value, json};

use super::house::{Answer, House};

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
