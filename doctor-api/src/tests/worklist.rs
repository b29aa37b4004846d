//! `/worklist`: what is scheduled for modalities.

use axum::http::{StatusCode, header};
use model::access::Role;
use serde_json::{Value, json};

use super::house::House;

fn order(patient_id: &str) -> Value {
    json!({
        "patient_id": patient_id, "patient_name": "Mensah^Kofi",
        "scheduled_procedure_step_sequence": [{
            "scheduled_station_ae_title": "CR1", "modality": "DX",
            "scheduled_procedure_step_start_date": "20260131", "scheduled_procedure_step_start_time": "0930"
        }]
    })
}

#[tokio::test]
async fn an_order_is_made_read_replaced_and_taken_back() {
    let house = House::open().await;
    let platform = house.token(Role::Service, None);
    let made = house.post("/worklist", &platform, order("P1")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let path = made.header(header::LOCATION).to_owned();
    let item = made.json();
    let study = item["study_instance_uid"].as_str().expect("a UID").to_owned();
    assert!(study.starts_with("2.25."), "{study}");
    let requested = item["requested_procedure_id"].as_str().expect("an id").to_owned();
    let step = &item["scheduled_procedure_step_sequence"][0];
    assert_eq!(step["scheduled_procedure_step_id"], json!(format!("{requested}-1")));
    assert_eq!(step["scheduled_procedure_step_start_time"], "093000");
    assert_eq!(step["scheduled_procedure_step_status"], "SCHEDULED");
    assert_eq!(house.get(&path, &platform).await.json(), item);

    let mut arrived = order("P1");
    arrived["scheduled_procedure_step_sequence"][0]["scheduled_procedure_step_status"] = json!("ARRIVED");
    arrived["requested_procedure_id"] = json!(requested);
    let put = async |tag: &str| {
        house.with_header(("PUT", &path), &platform, ("if-match", tag), arrived.clone()).await
    };
    let updated = put("\"1\"").await;
    assert_eq!(updated.status, StatusCode::OK, "{:?}", updated.body);
    let updated = updated.json();
    assert_eq!((&updated["version"], &updated["study_instance_uid"]), (&json!(2), &json!(study)));
    let step = &updated["scheduled_procedure_step_sequence"][0];
    assert_eq!(step["scheduled_procedure_step_status"], "ARRIVED");
    assert_eq!(put("\"1\"").await.status, StatusCode::PRECONDITION_FAILED);

    let again = json!({ "study_instance_uid": study });
    let mut again = order("P2").as_object().cloned().into_iter().chain(again.as_object().cloned()).flatten();
    let again: Value = again.by_ref().collect::<serde_json::Map<_, _>>().into();
    assert_eq!(house.post("/worklist", &platform, again).await.status, StatusCode::CONFLICT);
    assert_eq!(house.delete(&path, &platform).await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.get(&path, &platform).await.status, StatusCode::NOT_FOUND);
    let trail = house.trail().await;
    for action in ["create", "update", "delete"] {
        assert!(trail.contains(&format!("{action}_worklist_item success")), "{action}: {trail:?}");
    }
}

#[tokio::test]
async fn images_that_came_before_their_order_are_in_its_consultation() {
    let house = House::open().await;
    let ada = house.doctor("Ada Osei").await;
    let (platform, own) = (house.token(Role::Service, None), house.token(Role::Doctor, Some(ada.id)));
    let (_, study) = house.store("P1", 1).await;
    let consultation = house.book(&platform, &ada, "P1").await;
    let shown = format!("/consultations/{consultation}");
    let mut wanted = order("P1");
    wanted["study_instance_uid"] = json!(study);
    let made = house.post("/worklist", &platform, wanted.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    assert_eq!(house.get(&shown, &own).await.json()["studies"], json!([]));
    let path = made.header(header::LOCATION).to_owned();
    wanted["consultation_id"] = json!(consultation);
    let put = house.with_header(("PUT", &path), &platform, ("if-match", "\"1\""), wanted).await;
    assert_eq!((put.status, put.header(header::ETAG)), (StatusCode::OK, "\"3\""), "{:?}", put.body);
    let step = &put.json()["scheduled_procedure_step_sequence"][0];
    assert_eq!(step["scheduled_procedure_step_status"], "STARTED");
    let studies = house.get(&shown, &own).await.json()["studies"].clone();
    assert_eq!(studies.as_array().map(Vec::len), Some(1), "{studies}");
    assert_eq!(studies[0]["study_instance_uid"], json!(study));
    // Without an order in between, too.
    let (_, study) = house.store("P1", 2).await;
    let mut late = order("P1");
    (late["study_instance_uid"], late["consultation_id"]) = (json!(study), json!(consultation));
    assert_eq!(house.post("/worklist", &own, late).await.status, StatusCode::CREATED);
    let studies = house.get(&shown, &own).await.json()["studies"].clone();
    assert_eq!(studies.as_array().map(Vec::len), Some(2), "{studies}");
}

#[tokio::test]
async fn what_is_no_order_is_named() {
    let house = House::open().await;
    let platform = house.token(Role::Service, None);
    let bad = json!({
        "study_instance_uid": "1..2", "accession_number": "12345678901234567", "requested_procedure_id": "A\\B",
        "patient_id": "", "patient_name": " ", "patient_birth_date": "20260230", "patient_sex": "X",
        "scheduled_procedure_step_sequence": [{
            "scheduled_station_ae_title": "A\\B", "modality": "dx", "scheduled_procedure_step_start_date": "tomorrow",
            "scheduled_procedure_step_start_time": "2500", "scheduled_procedure_step_status": "DONE"
        }]
    });
    let mut refused = house.post("/worklist", &platform, bad).await.refused();
    refused.sort();
    let step = |name: &str| format!("scheduled_procedure_step_sequence[0].{name}");
    let mut expected: Vec<String> =
        ["accession_number", "patient_birth_date", "patient_id", "patient_name", "patient_sex"]
            .map(str::to_owned)
            .to_vec();
    expected.extend(["requested_procedure_id", "study_instance_uid"].map(str::to_owned));
    expected.extend(
        ["modality", "scheduled_procedure_step_start_date", "scheduled_procedure_step_start_time"].map(step),
    );
    expected.extend(["scheduled_procedure_step_status", "scheduled_station_ae_title"].map(step));
    expected.sort();
    assert_eq!(refused, expected);
    let mut none = order("P1");
    none["scheduled_procedure_step_sequence"] = json!([]);
    let refused = house.post("/worklist", &platform, none).await.refused();
    assert_eq!(refused, ["scheduled_procedure_step_sequence"]);
}

#[tokio::test]
async fn doctors_and_paramedics_reach_what_is_for_their_consultations() {
    let house = House::open().await;
    let (ada, bob) = (house.doctor("Ada Osei").await, house.doctor("Bob Ray").await);
    let platform = house.token(Role::Service, None);
    let (own, other) = (house.token(Role::Doctor, Some(ada.id)), house.token(Role::Doctor, Some(bob.id)));
    let (_, paramedic) = house.account(Role::Paramedic, None).await;
    let consultation = house.book(&paramedic, &ada, "P1").await;
    let with = |patient_id: &str, consultation: &str| {
        let mut order = order(patient_id);
        order["consultation_id"] = json!(consultation);
        order
    };
    // Nobody but a platform schedules without a consultation, or for one of another patient, or of somebody else.
    assert_eq!(house.post("/worklist", &own, order("P1")).await.status, StatusCode::CONFLICT);
    assert_eq!(house.post("/worklist", &own, with("P2", &consultation)).await.status, StatusCode::CONFLICT);
    assert_eq!(
        house.post("/worklist", &other, with("P1", &consultation)).await.status,
        StatusCode::NOT_FOUND
    );
    let made = house.post("/worklist", &own, with("P1", &consultation)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    house.post("/worklist", &platform, order("P3")).await;
    let path = made.header(header::LOCATION).to_owned();
    for (token, status, count) in [
        (&own, StatusCode::OK, 1),
        (&paramedic, StatusCode::OK, 1),
        (&other, StatusCode::NOT_FOUND, 0),
        (&platform, StatusCode::OK, 2),
    ] {
        assert_eq!(house.get(&path, token).await.status, status);
        let list = house.get("/worklist", token).await.json();
        assert_eq!(list["items"].as_array().map(Vec::len), Some(count), "{list}");
    }
    assert_eq!(house.delete(&path, &other).await.status, StatusCode::NOT_FOUND);
    for (query, count) in [
        ("patient_id=P1", 1),
        ("modality=DX&scheduled_station_ae_title=CR1", 2),
        ("scheduled_procedure_step_status=STARTED", 0),
        ("from=20260131&to=20260131", 2),
        ("from=20260201", 0),
        (&format!("consultation_id={consultation}"), 1),
        ("limit=1", 1),
    ] {
        let list = house.get(&format!("/worklist?{query}"), &platform).await.json();
        assert_eq!(list["items"].as_array().map(Vec::len), Some(count), "{query}: {list}");
    }
    for (query, field) in [
        ("scheduled_procedure_step_status=DONE", "scheduled_procedure_step_status"),
        ("from=2026-01-31", "from"),
        ("to=20260231", "to"),
    ] {
        let refused = house.get(&format!("/worklist?{query}"), &platform).await;
        assert_eq!((refused.status, refused.refused()), (StatusCode::BAD_REQUEST, vec![field.to_owned()]));
    }
}
