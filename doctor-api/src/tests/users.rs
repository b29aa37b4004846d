//! Accounts of people and programs, and what becomes of their tokens.

use axum::http::{StatusCode, header};
use model::access::Role;
use serde_json::{Value, json};

use super::house::{House, request};
use crate::DoctorApiConfig;

const PASSWORD: &str = "correct horse battery staple";

async fn sign_in(house: &House, username: &str) -> Value {
    let answer = house.post("/sessions", "", json!({ "username": username, "password": PASSWORD })).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    answer.json()
}

fn token(session: &Value) -> &str {
    session["access_token"].as_str().expect("token")
}

#[tokio::test]
async fn an_administrator_makes_changes_and_deactivates_accounts() {
    let house = House::open().await;
    let admin = house.token(Role::Admin, None);
    let new = json!({ "username": "ann", "password": PASSWORD, "role": "viewer" });
    let answer = house.post("/users", &admin, new.clone()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    let user = answer.json();
    assert!(!String::from_utf8_lossy(&answer.body).contains("argon2"), "no hash leaves the house");
    assert_eq!(house.post("/users", &admin, new).await.status, StatusCode::CONFLICT);
    let path = format!("/users/{}", user["id"].as_str().expect("id"));
    let session = sign_in(&house, "ann").await;
    assert_eq!(house.get("/sessions/current", token(&session)).await.status, StatusCode::OK);

    // A new role ends what tells of the old one.
    let change = json!({ "role": "service", "active": true });
    let answer = house.call(request("PUT", &path, &admin, Some(change))).await;
    assert_eq!((answer.status, &answer.json()["role"]), (StatusCode::OK, &json!("service")));
    assert_eq!(house.get("/sessions/current", token(&session)).await.status, StatusCode::UNAUTHORIZED);
    let session = sign_in(&house, "ann").await;
    assert_eq!(session["role"], json!("service"));

    let listed = house.get(&format!("{path}/sessions"), &admin).await.json();
    assert_eq!(listed.as_array().expect("list").len(), 1);
    let ended = house.delete(&format!("{path}/sessions"), &admin).await;
    assert_eq!(ended.json(), json!({ "ended": 1 }));
    assert_eq!(house.get("/sessions/current", token(&session)).await.status, StatusCode::UNAUTHORIZED);

    let session = sign_in(&house, "ann").await;
    assert_eq!(house.delete(&path, &admin).await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.get("/sessions/current", token(&session)).await.status, StatusCode::UNAUTHORIZED);
    let refresh = json!({ "refresh_token": session["refresh_token"] });
    assert_eq!(house.post("/sessions/refresh", "", refresh).await.status, StatusCode::UNAUTHORIZED);
    let again = house.post("/sessions", "", json!({ "username": "ann", "password": PASSWORD })).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    let listed = house.get("/users?active=false", &admin).await.json();
    assert_eq!(listed["items"][0]["username"], json!("ann"));
}

#[tokio::test]
async fn the_trail_says_what_differs_of_an_account() {
    let house = House::open().await;
    let admin = house.token(Role::Admin, None);
    let (ada, ben) = (house.doctor("Ada Osei").await, house.doctor("Ben Wolf").await);
    house.user("ann", PASSWORD, Role::Viewer, None).await;
    let session = sign_in(&house, "ann").await;
    let user = house.get("/sessions/current", token(&session)).await.json()["user_id"].clone();
    let path = format!("/users/{}", user.as_str().expect("id"));
    for change in [
        json!({ "role": "doctor", "doctor_id": ada.id, "active": true }),
        json!({ "role": "doctor", "doctor_id": ben.id, "active": true }),
        json!({ "role": "viewer", "active": false }),
        json!({ "role": "viewer", "active": true }),
        json!({ "role": "viewer", "active": true }),
    ] {
        let answer = house.call(request("PUT", &path, &admin, Some(change))).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    }
    let rows = house.database().audit_page(0, 1_000).await.expect("audit");
    let told: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| (row.record.action.as_str(), row.record.detail.as_str()))
        .filter(|(action, _)| action.ends_with("_user") || *action == "revoke_session")
        .collect();
    let (ada, ben) = (ada.id, ben.id);
    let expected = [
        ("create_user", String::new()),
        ("update_user", format!("role viewer -> doctor, doctor none -> {ada}")),
        ("revoke_session", "update_user".to_owned()),
        ("update_user", format!("role doctor -> doctor, doctor {ada} -> {ben}")),
        ("deactivate_user", String::new()),
        ("update_user", format!("role doctor -> viewer, doctor {ben} -> none")),
        ("activate_user", String::new()),
        ("update_user", "nothing differs".to_owned()),
    ];
    assert_eq!(told, expected.each_ref().map(|(action, detail)| (*action, detail.as_str())));
}

// threats.md row 43 and section 7 C9: unknown fields and empty roles give nothing.
#[tokio::test]
async fn what_is_not_a_role_is_refused() {
    let house = House::open().await;
    let admin = house.token(Role::Admin, None);
    for (body, field) in [
        (json!({ "username": "a", "password": PASSWORD, "role": "" }), "role"),
        (json!({ "username": "a", "password": PASSWORD, "role": "root" }), "role"),
        (json!({ "username": "a", "password": PASSWORD }), "role"),
        (json!({ "username": "a", "password": "short", "role": "viewer" }), "password"),
        (json!({ "username": "a b", "password": PASSWORD, "role": "viewer" }), "username"),
        (json!({ "username": "a", "password": PASSWORD, "role": "doctor" }), "doctor_id"),
        (json!({ "username": "a", "password": PASSWORD, "role": "viewer", "active": false }), "active"),
    ] {
        let answer = house.post("/users", &admin, body.clone()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(answer.refused(), [field], "{body}");
    }
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let house = House::open().await;
    house.user("root", PASSWORD, Role::Admin, None).await;
    let session = sign_in(&house, "root").await;
    let who = house.get("/sessions/current", token(&session)).await.json();
    let path = format!("/users/{}", who["user_id"].as_str().expect("id"));
    assert_eq!(house.delete(&path, token(&session)).await.status, StatusCode::CONFLICT);
    let demoted = json!({ "role": "viewer", "active": true });
    let answer = house.call(request("PUT", &path, token(&session), Some(demoted))).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(
        house.get("/sessions/current", token(&session)).await.status,
        StatusCode::OK,
        "nothing changed"
    );
}

#[tokio::test]
async fn a_new_password_ends_the_sessions() {
    let house = House::open().await;
    house.user("ann", PASSWORD, Role::Viewer, None).await;
    let session = sign_in(&house, "ann").await;
    let change =
        |current: &str| json!({ "current_password": current, "new_password": "another long password" });
    let put = |body| house.call(request("PUT", "/sessions/current/password", token(&session), Some(body)));
    assert_eq!(put(change("wrong wrong wrong")).await.refused(), ["current_password"]);
    assert_eq!(put(change(PASSWORD)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.get("/sessions/current", token(&session)).await.status, StatusCode::UNAUTHORIZED);
    let old = house.post("/sessions", "", json!({ "username": "ann", "password": PASSWORD })).await;
    assert_eq!(old.status, StatusCode::UNAUTHORIZED);
    let new = json!({ "username": "ann", "password": "another long password" });
    assert_eq!(house.post("/sessions", "", new).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_service_account_gets_tokens_for_its_secret() {
    let house = House::open().await;
    let admin = house.token(Role::Admin, None);
    let answer = house.post("/clients", &admin, json!({ "name": "bridge", "role": "service" })).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    let client = answer.json();
    let (id, secret) =
        (client["client_id"].as_str().expect("id"), client["client_secret"].as_str().expect("secret"));
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let answer = house.form("/oauth2/token", &form, "").await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    assert_eq!(
        (answer.header(header::CACHE_CONTROL), answer.header(header::PRAGMA)),
        ("no-store", "no-cache")
    );
    let issued = answer.json();
    assert!(issued.get("refresh_token").is_none(), "RFC 6749 4.4.3");
    let who = house.get("/sessions/current", token(&issued)).await.json();
    assert_eq!((&who["role"], &who["user_id"]), (&json!("service"), &json!(id)));
    let basic = |pair: String| {
        use base64::{Engine, prelude::BASE64_STANDARD};
        format!("Basic {}", BASE64_STANDARD.encode(pair))
    };
    let answer =
        house.form("/oauth2/token", "grant_type=client_credentials", &basic(format!("{id}:{secret}"))).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    // The secret is no password, and a password no secret.
    let as_person = json!({ "username": "bridge", "password": secret });
    assert_eq!(house.post("/sessions", "", as_person).await.status, StatusCode::UNAUTHORIZED);

    let renewed = house.post(&format!("/clients/{id}/secret"), &admin, json!({})).await;
    assert_eq!(renewed.status, StatusCode::OK);
    assert_eq!(house.get("/sessions/current", token(&issued)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.form("/oauth2/token", &form, "").await.json()["error"], json!("invalid_client"));
}

// threats.md section 7 C9: an empty scope never means everything.
#[tokio::test]
async fn the_token_endpoint_refuses_what_it_should() {
    let house = House::frozen().await;
    let admin = house.token(Role::Admin, None);
    let client = house.post("/clients", &admin, json!({ "name": "bridge", "role": "viewer" })).await.json();
    let (id, secret) =
        (client["client_id"].as_str().expect("id"), client["client_secret"].as_str().expect("secret"));
    let good = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    for (form, error) in [
        (String::new(), "invalid_request"),
        ("grant_type=password&username=a&password=b".into(), "unsupported_grant_type"),
        (format!("{good}&scope="), "invalid_scope"),
        (format!("{good}&scope=admin"), "invalid_scope"),
        (format!("{good}&client_id={id}"), "invalid_request"),
        (format!("{good}&grant_type=client_credentials"), "invalid_request"),
        ("grant_type=client_credentials".into(), "invalid_client"),
        (format!("grant_type=client_credentials&client_id={id}&client_secret="), "invalid_client"),
        (format!("grant_type=client_credentials&client_id=..&client_secret={secret}"), "invalid_client"),
        ("grant_type=refresh_token".into(), "invalid_request"),
        ("grant_type=refresh_token&refresh_token=mxr_x".into(), "invalid_grant"),
    ] {
        let answer = house.form("/oauth2/token", &form, "").await;
        assert_eq!(answer.json()["error"], json!(error), "{form}: {:?}", answer.body);
        let expected =
            if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        assert_eq!(answer.status, expected, "{form}");
    }
    let wrong = format!("grant_type=client_credentials&client_id={id}&client_secret=wrong");
    let mut statuses = Vec::new();
    for _ in 0..7 {
        statuses.push(house.form("/oauth2/token", &wrong, "").await.status);
    }
    assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS), "{statuses:?}");
}

#[tokio::test]
async fn a_service_account_has_one_limit_however_its_id_is_spelt_and_no_other_role() {
    let config = DoctorApiConfig { client_tokens_per_minute: 1, ..DoctorApiConfig::default() };
    let house = House::with(config).await;
    let admin = house.token(Role::Admin, None);
    let client = house.post("/clients", &admin, json!({ "name": "bridge", "role": "viewer" })).await.json();
    let (id, secret) =
        (client["client_id"].as_str().expect("id"), client["client_secret"].as_str().expect("secret"));
    let spellings = [id.to_owned(), id.replace('-', ""), id.to_uppercase(), format!("urn:uuid:{id}")];
    let ask = async |id: &str, secret: &str| {
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        house.form("/oauth2/token", &form, "").await.status
    };
    assert_eq!(ask(id, secret).await, StatusCode::OK);
    for spelling in &spellings {
        assert_eq!(ask(spelling, secret).await, StatusCode::TOO_MANY_REQUESTS, "{spelling}");
    }
    let mut statuses = Vec::new();
    for spelling in spellings.iter().cycle().take(6) {
        statuses.push(ask(spelling, "wrong").await);
    }
    assert_eq!(statuses[..5], [StatusCode::UNAUTHORIZED; 5]);
    assert_eq!(statuses[5], StatusCode::TOO_MANY_REQUESTS);

    let doctor = house.doctor("Ada Osei").await;
    for (change, status) in [
        (json!({ "role": "admin", "active": true }), StatusCode::UNPROCESSABLE_ENTITY),
        (
            json!({ "role": "doctor", "doctor_id": doctor.id, "active": true }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (json!({ "role": "service", "active": true }), StatusCode::OK),
    ] {
        let answer = house.call(request("PUT", &format!("/users/{id}"), &admin, Some(change))).await;
        assert_eq!(answer.status, status, "{:?}", answer.body);
    }
}

#[tokio::test]
async fn keys_are_published_and_rotated() {
    let house = House::open().await;
    let set = house.get("/.well-known/jwks.json", "").await;
    assert_eq!(set.header(header::CONTENT_TYPE), "application/jwk-set+json");
    let key = &set.json()["keys"][0];
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("EC"), &json!("P-256"), &json!("ES256")));
    assert!(key.get("d").is_none());
    assert_eq!(house.get("/.well-known/openid-configuration", "").await.status, StatusCode::NOT_FOUND);
    let viewer = house.token(Role::Viewer, None);
    assert_eq!(house.post("/keys/signing", &viewer, json!({})).await.status, StatusCode::FORBIDDEN);
    let admin = house.token(Role::Admin, None);
    assert_eq!(house.post("/keys/signing", &admin, json!({})).await.status, StatusCode::CREATED);
    assert!(house.trail().await.iter().any(|line| line == "rotate_signing_key success"));
}
