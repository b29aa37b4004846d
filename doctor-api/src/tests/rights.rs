//! Every operation, called by nobody, by each role and with a forged token. What must happen comes from the rules of
//! `model::access` and from the right that the OpenAPI document names, not from the handlers.

use axum::http::{StatusCode, header};
use model::access::{Action, Principal, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use super::house::{House, request};
use crate::{
    audit,
    openapi::{PUBLIC_OPERATIONS, operations},
};

/// Method, path with its parameters filled in, the right that is named, a body when one is taken.
fn calls() -> Vec<(&'static str, String, Option<String>, Option<Value>)> {
    let document = crate::openapi();
    let calls = operations(&document)
        .into_iter()
        .filter(|(method, path, _)| !PUBLIC_OPERATIONS.contains(&(*method, *path)));
    calls
        .map(|(method, path, operation)| {
            let path = path
                .replace("{id}", &Uuid::from_u128(9).to_string())
                .replace("{study_instance_uid}", "1.2.3")
                .replace("{sop_instance_uid}", "1.2.4")
                .replace("{patient_id}", "P1");
            let security = serde_json::to_value(&operation.security).expect("JSON");
            let right = security[0]["bearer"][0].as_str().map(str::to_owned);
            (method, path, right, operation.request_body.as_ref().map(|_| json!({})))
        })
        .collect()
}

#[tokio::test]
async fn without_a_valid_token_nothing_answers() {
    let (house, other) = (House::open().await, House::open().await);
    let foreign = other.token(Role::Service, None);
    for (method, path, _, body) in calls() {
        for token in ["", "x", &foreign] {
            let answer = house.call(request(method, &path, token, body.clone())).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Bearer realm=\"maxray\"");
            assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json");
            assert!(answer.json()["request_id"].is_string(), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn each_role_may_do_what_the_rules_say() {
    let house = House::open().await;
    let doctor = house.doctor("Ada Osei").await;
    for role in Role::ALL {
        let doctor_id = (role == Role::Doctor).then_some(doctor.id);
        let (principal, token) = (Principal::new(Uuid::nil(), role, doctor_id), house.token(role, doctor_id));
        for (method, path, right, body) in calls() {
            let action = right.map(|right| {
                let found = Action::ALL.iter().copied().find(|action| audit::name(*action) == right);
                found.unwrap_or_else(|| panic!("{right} is no action"))
            });
            let allowed = action.is_none_or(|action| principal.authorize(action).is_ok());
            let status = house.send(request(method, &path, &token, body)).await.status();
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{role:?} {method} {path}");
            assert_eq!(status == StatusCode::FORBIDDEN, !allowed, "{role:?} {method} {path}: {status}");
            assert!(!status.is_server_error(), "{role:?} {method} {path}: {status}");
        }
    }
}

#[tokio::test]
async fn a_refusal_is_audited() {
    let house = House::open().await;
    let answer = house.get("/xrays?patient_id=P1", &house.token(Role::Admin, None)).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let rows = house.database().audit_page(0, 100).await.expect("audit");
    let record = &rows.last().expect("a record").record;
    assert_eq!((record.action.as_str(), record.outcome.as_str()), ("read_study", "refused"));
    assert_eq!(record.actor.source_address, "192.0.2.1");
}

#[tokio::test]
async fn a_doctor_account_without_a_doctor_may_nothing_clinical() {
    let house = House::open().await;
    let token = house.token(Role::Doctor, None);
    assert_eq!(house.get("/xrays?patient_id=P1", &token).await.status, StatusCode::FORBIDDEN);
    assert_eq!(house.get("/events", &token).await.status, StatusCode::FORBIDDEN);
}
