//! Nothing is answered that is not in the audit trail. threats.md section 5, rows 69 and 40.

use axum::http::StatusCode;
use model::access::{Action, Principal, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use super::house::{House, request};
use crate::{audit, openapi::operations};

/// Method, path with its parameters filled in, what the caller must be allowed.
fn calls() -> Vec<(&'static str, String, Option<Action>, Option<Value>)> {
    let document = crate::openapi();
    // What is for everybody, such as the published keys, shows nothing of anybody.
    let own = operations(&document).into_iter().filter(|(_, _, operation)| operation.security.is_some());
    let calls = own.map(|(method, path, operation)| {
        let path = path
            .replace("{id}", &Uuid::from_u128(9).to_string())
            .replace("{study_instance_uid}", "1.2.3")
            .replace("{patient_id}", "P1");
        let security = serde_json::to_value(&operation.security).expect("JSON");
        let right = security[0]["bearer"][0].as_str();
        let action = right.map(|right| {
            let found = Action::ALL.iter().copied().find(|action| audit::name(*action) == right);
            found.unwrap_or_else(|| panic!("{right} is no action"))
        });
        (method, path, action, operation.request_body.as_ref().map(|_| json!({})))
    });
    calls.collect()
}

#[tokio::test]
async fn every_operation_is_recorded_for_whom_it_serves_and_whom_it_refuses() {
    let house = House::open().await;
    let doctor = house.doctor("Ada Osei").await;
    let (mut shown, mut refused) = (0, 0);
    for (method, path, action, body) in calls() {
        for role in Role::ALL {
            let doctor_id = (role == Role::Doctor).then_some(doctor.id);
            let allowed = action
                .is_none_or(|action| Principal::new(Uuid::nil(), role, doctor_id).authorize(action).is_ok());
            let (token, before) = (house.token(role, doctor_id), house.trail().await.len());
            let status = house.send(request(method, &path, &token, body.clone())).await.status();
            let after = house.trail().await;
            let new = &after[before..];
            if !allowed {
                assert_eq!(status, StatusCode::FORBIDDEN, "{role:?} {method} {path}");
                assert!(
                    new.iter().any(|record| record.ends_with(" refused")),
                    "{role:?} {method} {path}: {new:?}"
                );
                refused += 1;
            } else if method == "GET" && (status.is_success() || status == StatusCode::NOT_FOUND) {
                let outcome = if status.is_success() { " success" } else { " refused" };
                assert!(
                    new.iter().any(|record| record.ends_with(outcome)),
                    "{role:?} {method} {path}: {new:?}"
                );
                shown += 1;
            }
        }
    }
    assert!(shown > 20 && refused > 20, "{shown} {refused}");
}

#[tokio::test]
async fn the_auditor_pages_through_the_trail_and_is_in_it() {
    let house = House::open().await;
    for number in 1..=5 {
        house.store("P1", number).await;
    }
    let admin = house.token(Role::Admin, None);
    let first = house.get("/audit?limit=3&action=store_instance", &admin).await;
    assert_eq!(first.status, StatusCode::OK, "{:?}", first.body);
    let page = first.json();
    let studies = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().expect("items");
        items.iter().map(|item| item["study_instance_uid"].as_str().expect("study").to_owned()).collect()
    };
    assert_eq!(studies(&page), ["1.2.3.5", "1.2.3.4", "1.2.3.3"]);
    let next = format!("/audit?limit=3&action=store_instance&before={}", page["next"]);
    let rest = house.get(&next, &admin).await.json();
    assert_eq!(studies(&rest), ["1.2.3.2", "1.2.3.1"]);
    assert!(rest["next"].is_null());
    let own = house.get("/audit?action=read_audit", &admin).await.json();
    assert_eq!(own["items"].as_array().expect("items").len(), 3, "the reading itself, too: {own}");
    assert_eq!(own["items"][0]["role"], "admin");
    assert_eq!(own["items"][0]["source_address"], "192.0.2.1");
    let wrong =
        house.get("/audit?outcome=maybe&limit=0&from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", &admin);
    assert_eq!(wrong.await.refused(), ["outcome", "to", "limit"]);
    let doctor = house.doctor("Ada Osei").await;
    let other = house.get("/audit", &house.token(Role::Doctor, Some(doctor.id))).await;
    assert_eq!(other.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_report_tells_who_saw_the_patients_x_rays() {
    let house = House::open().await;
    let (ada, ben) = (house.doctor("Ada Osei").await, house.doctor("Ben Wolf").await);
    let (ada_token, ben_token) =
        (house.token(Role::Doctor, Some(ada.id)), house.token(Role::Doctor, Some(ben.id)));
    let (xray, study) = house.store("P1", 1).await;
    house.store("P2", 2).await;
    house.book(&ada_token, &ada, "P1").await;
    assert_eq!(house.get(&format!("/xrays/{xray}"), &ada_token).await.status, StatusCode::OK);
    assert_eq!(house.get(&format!("/xrays/{xray}"), &ben_token).await.status, StatusCode::NOT_FOUND);
    let actions = |report: &Value| -> Vec<String> {
        let items = report["items"].as_array().expect("items");
        items.iter().map(|item| item["action"].as_str().expect("action").to_owned()).collect()
    };
    let report = house.get("/patients/P1/access-report", &ada_token).await.json();
    // The report is part of what was done with the patient's data.
    assert_eq!(actions(&report), ["read_access_report", "read_xray", "store_instance"], "{report}");
    assert!(
        report["items"].as_array().expect("items")[1..]
            .iter()
            .all(|item| item["study_instance_uid"] == study)
    );
    assert!(!report.to_string().contains("P1"), "a pseudonym, not the Patient ID");
    for (patient, token) in [("P1", &ben_token), ("P2", &ada_token), ("P3", &ada_token)] {
        let path = format!("/patients/{patient}/access-report");
        let empty = house.get(&path, token).await;
        assert_eq!(
            (empty.status, empty.json()),
            (StatusCode::OK, json!({ "items": [], "next": null })),
            "{patient}"
        );
    }
    let admin = house.token(Role::Admin, None);
    let all = house.get("/patients/P1/access-report?limit=2", &admin).await.json();
    assert_eq!(actions(&all), ["read_access_report", "read_access_report"]);
    assert!(all["next"].is_number());
}
