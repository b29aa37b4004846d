//! A patient's view: who it is, and what happened.

use axum::http::StatusCode;
use model::access::Role;
use serde_json::json;

use super::house::House;

#[tokio::test]
async fn a_patients_past_is_what_is_yours_in_the_order_of_time() {
    let house = House::open().await;
    let (ada, ben) = (house.doctor("Ada").await, house.doctor("Ben").await);
    let (_, for_ada) = house.account(Role::Doctor, Some(ada.id)).await;
    let (_, for_ben) = house.account(Role::Doctor, Some(ben.id)).await;
    let (_, platform) = house.account(Role::Service, None).await;
    let (_, study) = house.store("P1", 1).await;
    house.store("p1", 2).await;
    let path = format!("/doctors/{}/consultation", ada.id);
    let body =
        json!({ "patient_id": "P1", "patient_name": "Mensah^K", "scheduled_at": "2027-05-03T09:00:00Z" });
    assert_eq!(house.post(&path, &platform, body).await.status, StatusCode::CREATED);
    house.book(&for_ada, &ada, "P1").await;
    let patient = house.get("/patients/P1", &for_ada).await;
    assert_eq!(patient.status, StatusCode::OK, "{:?}", patient.body);
    let patient = patient.json();
    assert_eq!(patient["records"][0]["patient_name"], "Mensah^Kofi");
    assert_eq!(patient["booked_names"], json!(["Mensah^K"]), "a conflict is shown");
    assert_eq!((&patient["studies"], &patient["consultations"]), (&json!(1), &json!(2)));
    let history = house.get("/patients/P1/history", &for_ada).await.json();
    let kinds: Vec<_> =
        history["items"].as_array().expect("items").iter().map(|item| item["kind"].clone()).collect();
    assert_eq!(kinds, ["consultation", "consultation", "study"]);
    assert_eq!(history["items"][2]["study"]["study_instance_uid"], json!(study));
    assert_eq!(history["items"][2]["at"], "2026-01-02T00:00:00", "the machine's own clock");
    let short = house.get("/patients/P1/history?limit=2", &for_ada).await.json();
    assert_eq!((short["items"].as_array().map(Vec::len), &short["more"]), (Some(2), &json!(true)));
    for path in ["/patients/P1", "/patients/P1/history", "/patients/P9", "/patients/P9/history"] {
        assert_eq!(house.get(path, &for_ben).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn each_patient_that_is_looked_at_has_a_record_that_names_somebody() {
    let house = House::open().await;
    let doctor = house.doctor("Ada").await;
    let (_, token) = house.account(Role::Doctor, Some(doctor.id)).await;
    let mut booked = Vec::new();
    for patient in ["P1", "P2"] {
        booked.push(house.book(&token, &doctor, patient).await);
    }
    for (path, action) in [("", "read_patient"), ("/history", "read_patient_history")] {
        for patient in ["P1", "P2", "P1"] {
            let answer = house.get(&format!("/patients/{patient}{path}"), &token).await;
            assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        }
        let rows = house.database().audit_page(0, 1_000).await.expect("audit");
        let records = rows.iter().map(|row| &row.record).filter(|record| record.action == action);
        let named: Vec<_> = records.map(|record| (record.subject.clone(), record.consultation_id)).collect();
        let expected: Vec<_> = booked.iter().map(|id| (id.clone(), id.parse().ok())).collect();
        assert_eq!(named, expected, "{action}: the second look at P1 is covered, P2 is not");
    }
    // What names nobody covers nothing.
    for _ in 0..2 {
        house.get("/doctors", &token).await;
    }
    let lists = house.trail().await.into_iter().filter(|record| record == "list_doctors success").count();
    assert_eq!(lists, 2);
}
