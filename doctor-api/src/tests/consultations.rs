//! Meetings and the studies linked to them.

use axum::http::{StatusCode, header};
use model::access::Role;
use serde_json::{Value, json};

use super::house::{Answer, House};

fn without_id(answer: &Answer) -> Value {
    let mut body = answer.json();
    body["request_id"].take();
    body
}

#[tokio::test]
async fn booked_or_started_now() {
    let house = House::open().await;
    let doctor = house.doctor("Ada Osei").await;
    let token = house.token(Role::Doctor, Some(doctor.id));
    let path = format!("/doctors/{}/consultation", doctor.id);
    let started = house.post(&path, &token, json!({ "patient_id": "P1" })).await;
    assert_eq!(started.status, StatusCode::CREATED, "{:?}", started.body);
    assert_eq!(started.json()["status"], "in_progress");
    let at = "2027-05-01T09:30:00+02:00";
    let booked = house.post(&path, &token, json!({ "patient_id": "P2", "scheduled_at": at })).await;
    assert_eq!(booked.json()["status"], "booked", "{:?}", booked.body);
    assert_eq!(booked.json()["scheduled_at"], "2027-05-01T07:30:00Z");
    let read = house.get(booked.header(header::LOCATION), &token).await;
    assert_eq!(read.json()["id"], booked.json()["id"]);
    let list = format!("/doctors/{}/consultations", doctor.id);
    for (query, count) in [
        ("", 2),
        ("?status=booked", 1),
        ("?patient_id=P1", 1),
        ("?from=2027-01-01T00:00:00Z", 1),
        ("?to=2027-01-01T00:00:00Z", 1),
        ("?limit=1", 1),
    ] {
        let page = house.get(&format!("{list}{query}"), &token).await;
        assert_eq!(page.json()["items"].as_array().expect("items").len(), count, "{query}");
    }
    assert_eq!(house.get(&format!("{list}?limit=1"), &token).await.json()["more"], true);
    for (query, field) in [("status=gone", "status"), ("from=today", "from"), ("nurse=1", "nurse")] {
        let refused = house.get(&format!("{list}?{query}"), &token).await;
        assert_eq!((refused.status, refused.refused()), (StatusCode::BAD_REQUEST, vec![field.to_owned()]));
    }
}

#[tokio::test]
async fn what_cannot_be_booked_is_said_field_by_field() {
    let house = House::open().await;
    let doctor = house.doctor("Ada Osei").await;
    let token = house.token(Role::Service, None);
    let path = format!("/doctors/{}/consultation", doctor.id);
    for (body, field) in [
        (json!({}), "patient_id"),
        (json!({ "patient_id": "" }), "patient_id"),
        (json!({ "patient_id": "A\\B" }), "patient_id"),
        (json!({ "patient_id": "x".repeat(65) }), "patient_id"),
        (json!({ "patient_id": "P1", "scheduled_at": "2020-01-01T00:00:00Z" }), "scheduled_at"),
        (json!({ "patient_id": "P1", "scheduled_at": "2020-01-01" }), "scheduled_at"),
        (json!({ "patient_id": "P1", "scheduled_at": "2999-01-01T00:00:00Z" }), "scheduled_at"),
        (json!({ "patient_id": "P1", "reason": "x".repeat(2001) }), "reason"),
        (json!({ "patient_id": "P1", "doctor_id": doctor.id }), "doctor_id"),
    ] {
        let answer = house.post(&path, &token, body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.refused(), [field]);
    }
    let nobody = format!("/doctors/{}/consultation", uuid::Uuid::from_u128(1));
    assert_eq!(
        house.post(&nobody, &token, json!({ "patient_id": "P1" })).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn another_doctor_sees_nothing_not_even_that_it_is_there() {
    let house = House::open().await;
    let (ada, ben) = (house.doctor("Ada").await, house.doctor("Ben").await);
    let (for_ada, for_ben) =
        (house.token(Role::Doctor, Some(ada.id)), house.token(Role::Doctor, Some(ben.id)));
    let (xray, study) = house.store("P1", 1).await;
    let consultation = house.book(&for_ada, &ada, "P1").await;
    let link = json!({ "study_instance_uid": study });
    let studies = format!("/consultations/{consultation}/studies");
    assert_eq!(house.post(&studies, &for_ada, link.clone()).await.status, StatusCode::CREATED);

    let nothing = uuid::Uuid::from_u128(1);
    let absent = without_id(&house.get(&format!("/consultations/{nothing}"), &for_ben).await);
    for path in [
        format!("/consultations/{consultation}"),
        studies.clone(),
        "/consultations/not-a-key".to_owned(),
        format!("/doctors/{}/consultations", ada.id),
        format!("/xrays/{xray}"),
        format!("/xrays/{xray}/download"),
        format!("/xrays/{xray}/preview"),
        format!("/xrays/{nothing}"),
    ] {
        let answer = house.get(&path, &for_ben).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(without_id(&answer), absent, "{path}");
    }
    assert_eq!(without_id(&house.post(&studies, &for_ben, link).await), absent);
    assert_eq!(without_id(&house.delete(&format!("{studies}/{study}"), &for_ben).await), absent);
    let booking = format!("/doctors/{}/consultation", ada.id);
    assert_eq!(without_id(&house.post(&booking, &for_ben, json!({ "patient_id": "P1" })).await), absent);
    for path in ["/xrays?patient_id=P1", "/patients/P1/studies"] {
        assert_eq!(house.get(path, &for_ben).await.json()["items"], json!([]), "{path}");
        assert_eq!(
            house.get(path, &for_ada).await.json()["items"].as_array().map(Vec::len),
            Some(1),
            "{path}"
        );
    }
}

#[tokio::test]
async fn studies_are_linked_once_and_only_to_their_own_patient() {
    let house = House::open().await;
    let doctor = house.doctor("Ada").await;
    let token = house.token(Role::Doctor, Some(doctor.id));
    let ((xray, mine), (_, theirs), (_, hidden)) =
        (house.store("P1", 1).await, house.store("P2", 2).await, house.store("P3", 3).await);
    let (first, _second) = (house.book(&token, &doctor, "P1").await, house.book(&token, &doctor, "P2").await);
    let path = format!("/consultations/{first}");
    let before = house.get(&path, &token).await.json();
    assert_eq!(before["studies"], json!([]));
    assert_eq!(before["candidate_studies"][0]["study_instance_uid"], json!(mine));
    let studies = format!("{path}/studies");
    let alone = house.get(&studies, &token).await.json();
    assert_eq!(alone, json!({ "studies": [], "prior_studies": before["candidate_studies"] }));
    for (study, status) in [
        (mine.as_str(), StatusCode::CREATED),
        (&mine, StatusCode::OK),
        (&theirs, StatusCode::CONFLICT),
        (&hidden, StatusCode::NOT_FOUND),
        ("9.9.9", StatusCode::NOT_FOUND),
        ("../x", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let answer = house.post(&studies, &token, json!({ "study_instance_uid": study })).await;
        assert_eq!(answer.status, status, "{study}");
    }
    let after = house.get(&path, &token).await.json();
    assert_eq!(after["candidate_studies"], json!([]));
    let alone = house.get(&studies, &token).await.json();
    assert_eq!(alone, json!({ "studies": after["studies"], "prior_studies": [] }));
    let study = &after["studies"][0];
    assert_eq!(study["study_instance_uid"], json!(mine));
    assert_eq!(study["patient"]["patient_name"], "Mensah^Kofi");
    let listed = &study["series"][0]["xrays"][0];
    assert_eq!(listed["id"], json!(xray));
    assert_eq!(listed["links"]["preview"], json!(format!("/xrays/{xray}/preview")));
    let unlink = format!("{studies}/{mine}");
    assert_eq!(house.delete(&unlink, &token).await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.delete(&unlink, &token).await.status, StatusCode::NOT_FOUND);
    let actions: Vec<String> = house
        .database()
        .audit_page(0, 100)
        .await
        .expect("audit")
        .into_iter()
        .map(|row| row.record.action)
        .collect();
    for action in [
        "create_consultation",
        "link_study",
        "unlink_study",
        "read_consultation",
        "list_consultation_studies",
    ] {
        assert!(actions.iter().any(|done| done == action), "{action}: {actions:?}");
    }
}
