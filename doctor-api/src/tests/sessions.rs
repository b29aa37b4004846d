//! Signing in.

use axum::http::{StatusCode, header};
use model::access::Role;
use serde_json::{Value, json};

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
    let house = House::frozen().await;
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

// threats.md rows 40 and 55, section 7 B11.
#[tokio::test]
async fn a_refresh_token_is_good_once_and_reuse_ends_the_session() {
    let house = House::open().await;
    house.user("viewer", PASSWORD, Role::Viewer, None).await;
    let first =
        house.post("/sessions", "", json!({ "username": "viewer", "password": PASSWORD })).await.json();
    let refresh = |session: &Value| json!({ "refresh_token": session["refresh_token"] });
    let answer = house.post("/sessions/refresh", "", refresh(&first)).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let second = answer.json();
    assert_eq!(second["session_id"], first["session_id"]);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    let token = second["access_token"].as_str().expect("token").to_owned();
    assert_eq!(house.get("/sessions/current", &token).await.status, StatusCode::OK);
    // The first one comes again: it was stolen, by whoever sends it or by whoever sent it before.
    assert_eq!(house.post("/sessions/refresh", "", refresh(&first)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.post("/sessions/refresh", "", refresh(&second)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.get("/sessions/current", &token).await.status, StatusCode::UNAUTHORIZED);
    let unknown = json!({ "refresh_token": "mxr_AAAA" });
    assert_eq!(house.post("/sessions/refresh", "", unknown).await.status, StatusCode::UNAUTHORIZED);
    let trail: Vec<_> = house.trail().await;
    for expected in [
        "create_session success",
        "refresh_session success",
        "refresh_session refused",
        "revoke_session success",
    ] {
        assert!(trail.iter().any(|line| line == expected), "{expected}: {trail:?}");
    }
}

// Nobody needs an account to send a wrong one, and each is a record that stays for ever.
#[tokio::test]
async fn wrong_refresh_tokens_and_share_links_are_limited_by_address_and_good_ones_do_not_count() {
    let house = House::frozen().await;
    house.user("viewer", PASSWORD, Role::Viewer, None).await;
    let sign_in = json!({ "username": "viewer", "password": PASSWORD });
    let mut session = house.post("/sessions", "", sign_in.clone()).await.json();
    let refresh =
        async |token: &Value| house.post("/sessions/refresh", "", json!({ "refresh_token": token })).await;
    for _ in 0..25 {
        let answer = refresh(&session["refresh_token"]).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        session = answer.json();
    }
    let redeem = async |token: &str| house.post("/shares/redeem", "", json!({ "token": token })).await;
    for number in 0..20 {
        let unknown = json!(format!("mxr_{number}"));
        assert_eq!(refresh(&unknown).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(redeem(&format!("mxs_{number}")).await.status, StatusCode::NOT_FOUND);
    }
    let form = "grant_type=refresh_token&refresh_token=mxr_x";
    for limited in
        [refresh(&json!("mxr_x")).await, redeem("mxs_x").await, house.form("/oauth2/token", form, "").await]
    {
        assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS, "{:?}", limited.body);
        let wait: u32 = limited.header(header::RETRY_AFTER).parse().expect("seconds");
        assert!((1..=60).contains(&wait));
    }
    let trail = house.trail().await;
    for record in ["refresh_session refused", "redeem_share refused"] {
        assert_eq!(trail.iter().filter(|told| *told == record).count(), 20, "{record}");
    }
    // Passwords are counted for themselves.
    assert_eq!(house.post("/sessions", "", sign_in).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn signing_out_takes_the_tokens_back() {
    let house = House::open().await;
    house.user("viewer", PASSWORD, Role::Viewer, None).await;
    let sign_in = json!({ "username": "viewer", "password": PASSWORD });
    let sessions = [
        house.post("/sessions", "", sign_in.clone()).await.json(),
        house.post("/sessions", "", sign_in.clone()).await.json(),
        house.post("/sessions", "", sign_in).await.json(),
    ];
    let token = |index: usize| sessions[index]["access_token"].as_str().expect("token");
    let listed = house.get("/sessions", token(0)).await.json();
    assert_eq!(listed.as_array().expect("list").len(), 3);
    assert_eq!(listed[2]["current"], json!(true));
    assert_eq!(listed[0]["source_address"], json!("192.0.2.1"));
    assert_eq!(house.delete("/sessions/current", token(0)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.get("/sessions/current", token(0)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.get("/sessions/current", token(1)).await.status, StatusCode::OK);
    let refresh = json!({ "refresh_token": sessions[0]["refresh_token"] });
    assert_eq!(house.post("/sessions/refresh", "", refresh).await.status, StatusCode::UNAUTHORIZED);

    house.user("other", PASSWORD, Role::Viewer, None).await;
    let other =
        house.post("/sessions", "", json!({ "username": "other", "password": PASSWORD })).await.json();
    let path = format!("/sessions/{}", sessions[1]["session_id"].as_str().expect("id"));
    let stranger = house.delete(&path, other["access_token"].as_str().expect("token")).await;
    assert_eq!(stranger.status, StatusCode::NOT_FOUND);
    assert_eq!(house.delete(&path, token(2)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.delete(&path, token(2)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.get("/sessions/current", token(1)).await.status, StatusCode::UNAUTHORIZED);
}
