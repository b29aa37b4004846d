//! Signing in.

use axum::http::{StatusCode, header};
use model::access::Role;
use serde_json::json;

use super::house::House;

const PASSWORD: &str = "correct horse battery staple";

#[tokio::test]
async fn a_password_gives_a_token_that_opens_doors() {
    let house = House::open().await;
    let doctor = house.doctor("Ada Osei").await;
    house.user("dr.ada", PASSWORD, Role::Doctor, Some(doctor.id)).await;
    let answer = house.post("/sessions", "", json!({ "username": "dr.ada", "password": PASSWORD })).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    let session = answer.json();
    assert_eq!((&session["token_type"], &session["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_eq!((&session["role"], &session["doctor_id"]), (&json!("doctor"), &json!(doctor.id)));
    let token = session["access_token"].as_str().expect("token");
    let who = house.get("/sessions/current", token).await.json();
    assert_eq!((&who["role"], &who["doctor_id"]), (&json!("doctor"), &json!(doctor.id)));
}

#[tokio::test]
async fn wrong_and_unknown_look_the_same_and_are_limited() {
    let house = House::open().await;
    house.user("known", PASSWORD, Role::Viewer, None).await;
    let mut bodies = Vec::new();
    for username in ["known", "unknown"] {
        let attempt = json!({ "username": username, "password": "wrong wrong wrong" });
        for _ in 0..5 {
            let answer = house.post("/sessions", "", attempt.clone()).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            let mut body = answer.json();
            body["request_id"].take();
            bodies.push(body);
        }
        let limited = house.post("/sessions", "", attempt).await;
        assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
        let wait: u32 = limited.header(header::RETRY_AFTER).parse().expect("seconds");
        assert!((1..=60).contains(&wait));
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    // Accents and case are the same account, so they are the same limit.
    let folded = json!({ "username": "KNÖWN", "password": PASSWORD });
    assert_eq!(house.post("/sessions", "", folded).await.status, StatusCode::TOO_MANY_REQUESTS);
    let rows = house.database().audit_page(0, 100).await.expect("audit");
    let refused = rows.iter().filter(|row| row.record.outcome.as_str() == "refused").count();
    assert_eq!(refused, 10);
}

#[tokio::test]
async fn success_does_not_count() {
    let house = House::open().await;
    house.user("viewer", PASSWORD, Role::Viewer, None).await;
    for _ in 0..7 {
        let answer = house.post("/sessions", "", json!({ "username": "viewer", "password": PASSWORD })).await;
        assert_eq!(answer.status, StatusCode::CREATED);
    }
}

#[tokio::test]
async fn unknown_fields_are_named_and_values_never_repeated() {
    let house = House::open().await;
    let answer =
        house.post("/sessions", "", json!({ "username": "a", "password": "b", "role": "admin" })).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.refused(), ["role"]);
    let answer = house.post("/sessions", "", json!({ "username": "a", "password": ["hunter2"] })).await;
    assert_eq!(answer.refused(), ["password"]);
    assert!(!String::from_utf8_lossy(&answer.body).contains("hunter2"));
}
