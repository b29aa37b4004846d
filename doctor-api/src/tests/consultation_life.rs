//! A consultation from proposal to end: what is legal where, who may, what is kept, what nobody takes twice.

use axum::http::{StatusCode, header};
use model::{access::Role, clinical::Doctor};
use serde_json::{Value, json};

use super::house::{Answer, House, request};

const NINE: &str = "2027-05-03T09:00:00Z";

async fn book(house: &House, token: &str, doctor: &Doctor, more: Value) -> Answer {
    let mut body = json!({ "patient_id": "P1", "scheduled_at": NINE });
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    house.post(&format!("/doctors/{}/consultation", doctor.id), token, body).await
}

fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap_or_else(|| panic!("{:?}", answer.body)).to_owned()
}

fn kind(answer: &Answer) -> String {
    let kind = answer.json()["type"].as_str().unwrap_or_default().replace("urn:maxray:problem:", "");
    format!("{} {kind}", answer.status.as_u16())
}

#[tokio::test]
async fn each_command_leads_on_and_an_illegal_one_names_the_legal() {
    let house = House::open().await;
    let doctor = house.doctor("Ada").await;
    let (_, ada) = house.account(Role::Doctor, Some(doctor.id)).await;
    let (_, platform) = house.account(Role::Service, None).await;
    let proposed = book(&house, &platform, &doctor, json!({ "proposed": true })).await;
    assert_eq!(proposed.status, StatusCode::CREATED, "{:?}", proposed.body);
    assert_eq!(proposed.json()["status"], "proposed");
    assert_eq!(proposed.json()["commands"], json!(["confirm", "cancel", "reschedule", "reassign"]));
    let path = format!("/consultations/{}", id(&proposed));
    let no_token = house.post(&format!("{path}/viewer-token"), &ada, json!({})).await;
    assert_eq!(kind(&no_token), "409 consultation-proposed");
    let early = house.post(&format!("{path}/complete"), &ada, json!({})).await;
    assert_eq!(kind(&early), "409 illegal-transition");
    let detail = early.json()["detail"].as_str().expect("detail").to_owned();
    assert!(detail.ends_with("confirm, cancel, reschedule, reassign"), "{detail}");
    for (command, status, version) in [
        ("confirm", "booked", 2),
        ("arrive", "arrived", 3),
        ("start", "in_progress", 4),
        ("complete", "completed", 5),
    ] {
        let body = json!({ "remark": format!("now {command}") });
        let done = house.post(&format!("{path}/{command}"), &ada, body).await;
        assert_eq!(done.status, StatusCode::OK, "{command}: {:?}", done.body);
        assert_eq!((&done.json()["status"], &done.json()["version"]), (&json!(status), &json!(version)));
        assert_eq!(done.header(header::ETAG), format!("\"{version}\""));
    }
    for command in ["confirm", "arrive", "start", "complete", "close", "cancel", "no-show"] {
        let over = house.call(request("POST", &format!("{path}/{command}"), &ada, None)).await;
        assert_eq!(kind(&over), "409 illegal-transition", "{command}");
        assert!(over.json()["detail"].as_str().expect("detail").ends_with("none"), "{command}");
    }
    let history = house.get(&format!("{path}/history"), &ada).await.json();
    let steps: Vec<_> = history["items"].as_array().expect("items").iter().collect();
    let told: Vec<_> = steps.iter().map(|step| (step["action"].as_str(), step["role"].as_str())).collect();
    let by_ada = |command| (Some(command), Some("doctor"));
    let ways = [by_ada("confirm"), by_ada("arrive"), by_ada("start"), by_ada("complete")];
    assert_eq!(told, [&[(Some("propose"), Some("service"))][..], &ways].concat());
    assert_eq!(steps[2]["remark"], "now arrive");
    let trail = house.trail().await;
    for action in ["confirm", "arrive", "start", "complete"] {
        assert!(trail.contains(&format!("{action}_consultation success")), "{action}: {trail:?}");
    }
}

#[tokio::test]
async fn a_time_that_is_taken_says_by_whom() {
    let house = House::open().await;
    let (ada, ben) = (house.doctor("Ada").await, house.doctor("Ben").await);
    let (_, platform) = house.account(Role::Service, None).await;
    let first = book(&house, &platform, &ada, json!({ "duration_minutes": 45 })).await;
    assert_eq!(first.json()["ends_at"], "2027-05-03T09:45:00Z");
    let at = |time: &str| json!({ "patient_id": "P2", "scheduled_at": time });
    assert_eq!(kind(&book(&house, &platform, &ada, at("2027-05-03T09:44:00Z")).await), "409 doctor-taken");
    assert_eq!(kind(&book(&house, &platform, &ben, json!({})).await), "409 patient-taken");
    let second = book(&house, &platform, &ada, at("2027-05-03T09:45:00Z")).await;
    assert_eq!(second.status, StatusCode::CREATED, "{:?}", second.body);
    let path = format!("/consultations/{}", id(&second));
    let onto = house.post(&format!("{path}/reschedule"), &platform, json!({ "scheduled_at": NINE })).await;
    assert_eq!(kind(&onto), "409 doctor-taken");
    assert_eq!(house.get(&path, &platform).await.json()["scheduled_at"], "2027-05-03T09:45:00Z", "it stays");
    let cancel = format!("/consultations/{}/cancel", id(&first));
    assert_eq!(house.post(&cancel, &platform, json!({})).await.status, StatusCode::OK);
    let moved = house.post(&format!("{path}/reschedule"), &platform, json!({ "scheduled_at": NINE })).await;
    assert_eq!(moved.json()["ends_at"], "2027-05-03T09:30:00Z", "{:?}", moved.body);
    for (body, field) in [
        (json!({ "scheduled_at": "2020-01-01T00:00:00Z" }), "scheduled_at"),
        (json!({ "scheduled_at": NINE, "duration_minutes": 4 }), "duration_minutes"),
        (json!({ "scheduled_at": NINE, "remark": "x".repeat(501) }), "remark"),
        (json!({ "scheduled_at": NINE, "status": "completed" }), "status"),
    ] {
        let refused = house.post(&format!("{path}/reschedule"), &platform, body).await;
        assert_eq!((refused.status.as_u16(), refused.refused()), (422, vec![field.to_owned()]));
    }
    for (more, field) in [
        (json!({ "duration_minutes": 481 }), "duration_minutes"),
        (json!({ "scheduled_at": null, "proposed": true }), "scheduled_at"),
        (json!({ "scheduled_at": null, "hold_id": uuid::Uuid::nil() }), "scheduled_at"),
    ] {
        let refused = book(&house, &platform, &ada, more).await;
        assert_eq!((refused.status.as_u16(), refused.refused()), (422, vec![field.to_owned()]));
    }
}

#[tokio::test]
async fn a_consultation_that_is_given_away_is_seen_by_its_new_doctor_alone() {
    let house = House::open().await;
    let (ada, ben, gone) = (house.doctor("Ada").await, house.doctor("Ben").await, house.doctor("Cy").await);
    let (_, for_ada) = house.account(Role::Doctor, Some(ada.id)).await;
    let (_, for_ben) = house.account(Role::Doctor, Some(ben.id)).await;
    let (_, admin) = house.account(Role::Admin, None).await;
    let (_, platform) = house.account(Role::Service, None).await;
    let removed = house.delete(&format!("/doctors/{}", gone.id), &admin).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    let (xray, _) = house.store("P1", 1).await;
    let path = format!("/consultations/{}", id(&book(&house, &platform, &ada, json!({})).await));
    let xray = format!("/xrays/{xray}");
    assert_eq!(house.get(&xray, &for_ada).await.status, StatusCode::OK);
    for nobody in [gone.id, uuid::Uuid::from_u128(1)] {
        let refused = house.post(&format!("{path}/reassign"), &for_ada, json!({ "doctor_id": nobody })).await;
        assert_eq!((refused.status.as_u16(), refused.refused()), (422, vec!["doctor_id".to_owned()]));
    }
    let body = json!({ "doctor_id": ben.id });
    assert_eq!(
        house.post(&format!("{path}/reassign"), &for_ben, body.clone()).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(house.post(&format!("{path}/reassign"), &for_ada, body).await.status, StatusCode::OK);
    for path in [&path, &xray, &format!("{path}/history"), &format!("{path}/notes")] {
        assert_eq!(house.get(path, &for_ada).await.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(house.get(path, &for_ben).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_doctor_who_has_left_gets_no_new_time() {
    let house = House::open().await;
    let gone = house.doctor("Cy").await;
    let (_, admin) = house.account(Role::Admin, None).await;
    let (_, platform) = house.account(Role::Service, None).await;
    let proposed = book(&house, &platform, &gone, json!({ "proposed": true })).await;
    let booked = book(&house, &platform, &gone, json!({ "scheduled_at": "2027-05-03T11:00:00Z" })).await;
    let removed = house.delete(&format!("/doctors/{}", gone.id), &admin).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    let said = |answer: &Answer| {
        let problem = answer.json();
        (answer.status, problem["type"].clone(), problem["detail"].clone())
    };
    let new = book(&house, &platform, &gone, json!({ "scheduled_at": "2027-05-03T13:00:00Z" })).await;
    assert_eq!(new.status, StatusCode::CONFLICT);
    for (which, command, body) in
        [(&proposed, "confirm", json!({})), (&booked, "reschedule", json!({ "scheduled_at": NINE }))]
    {
        let path = format!("/consultations/{}/{command}", id(which));
        assert_eq!(said(&house.post(&path, &platform, body).await), said(&new), "{command}");
    }
    for which in [&proposed, &booked] {
        let cancel = format!("/consultations/{}/cancel", id(which));
        assert_eq!(house.post(&cancel, &platform, json!({})).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_change_is_made_on_what_was_read() {
    let house = House::open().await;
    let doctor = house.doctor("Ada").await;
    let token = house.token(Role::Doctor, Some(doctor.id));
    let path = format!("/consultations/{}", id(&book(&house, &token, &doctor, json!({})).await));
    assert_eq!(house.get(&path, &token).await.header(header::ETAG), "\"1\"");
    let edit = json!({ "reason": "cough" });
    let bare = house.call(request("PATCH", &path, &token, Some(edit.clone()))).await;
    assert_eq!(bare.status, StatusCode::PRECONDITION_REQUIRED);
    let edited = house.with_header(("PATCH", &path), &token, ("if-match", "\"1\""), edit.clone()).await;
    assert_eq!((edited.status, &edited.json()["reason"]), (StatusCode::OK, &json!("cough")));
    for (method, path) in [("PATCH", path.clone()), ("POST", format!("{path}/start"))] {
        let body = if method == "PATCH" { edit.clone() } else { json!({}) };
        let late = house.with_header((method, &path), &token, ("if-match", "\"1\""), body).await;
        assert_eq!(late.status, StatusCode::PRECONDITION_FAILED, "{path}");
    }
    let field =
        house.with_header(("PATCH", &path), &token, ("if-match", "\"2\""), json!({ "status": "completed" }));
    assert_eq!(field.await.refused(), ["status"]);
    let start = format!("{path}/start");
    let started = house.with_header(("POST", &start), &token, ("if-match", "\"2\""), json!({})).await;
    assert_eq!(started.json()["status"], "in_progress");
}

#[tokio::test]
async fn a_paramedic_changes_an_own_case_until_it_begins() {
    let house = House::open().await;
    let doctor = house.doctor("Ada").await;
    let (_, ada) = house.account(Role::Doctor, Some(doctor.id)).await;
    let (_, mine) = house.account(Role::Paramedic, None).await;
    let (_, other) = house.account(Role::Paramedic, None).await;
    let path = format!("/consultations/{}", id(&book(&house, &mine, &doctor, json!({})).await));
    for command in ["start", "complete", "no-show"] {
        let answer = house.post(&format!("{path}/{command}"), &mine, json!({})).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{command}");
    }
    assert_eq!(house.post(&format!("{path}/arrive"), &other, json!({})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.post(&format!("{path}/arrive"), &mine, json!({})).await.status, StatusCode::OK);
    let edit = async |token: &str, tag: &str| {
        let body = json!({ "patient_name": "Mensah^Ama", "reason": "fever since" });
        house.with_header(("PATCH", &path), token, ("if-match", tag), body).await
    };
    assert_eq!(edit(&mine, "\"2\"").await.status, StatusCode::OK, "it has not begun");
    assert_eq!(house.post(&format!("{path}/start"), &ada, json!({})).await.status, StatusCode::OK);
    assert_eq!(kind(&edit(&mine, "\"4\"").await), "409 doctor-has-to");
    assert_eq!(edit(&ada, "\"4\"").await.status, StatusCode::OK);
    let late = house.post(&format!("{path}/cancel"), &mine, json!({})).await;
    assert_eq!(kind(&late), "409 doctor-has-to");
    assert_eq!(house.post(&format!("{path}/cancel"), &ada, json!({})).await.status, StatusCode::OK);
}
