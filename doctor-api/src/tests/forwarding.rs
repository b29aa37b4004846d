//! `/forwarding`: an administrator says what is sent on, and looks after what was given up.

use axum::http::{StatusCode, header};
use database::{ForwardOutcome, NewForward};
use model::{AeTitle, access::Role};
use serde_json::{Value, json};
use uuid::Uuid;

use super::house::House;

fn rule() -> Value {
    json!({ "destination": "CENTRAL", "from": ["CR_ROOM_1"], "attributes": { "Modality": "CR,DX" }, "priority": "high" })
}

#[tokio::test]
async fn a_rule_is_made_changed_and_removed() {
    let house = House::open().await;
    let (_, admin) = house.account(Role::Admin, None).await;
    let body = json!({ "name": "chests", "rule": rule() });
    let made = house.post("/forwarding/rules", &admin, body.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let path = made.header(header::LOCATION).to_owned();
    let shown = made.json();
    assert_eq!(
        (&shown["name"], &shown["enabled"], &shown["priority"]),
        (&json!("chests"), &json!(true), &json!("high"))
    );
    assert_eq!(house.get("/forwarding/rules", &admin).await.json(), json!([shown]));
    assert_eq!(house.post("/forwarding/rules", &admin, body).await.status, StatusCode::CONFLICT);
    let mut off = rule();
    off["enabled"] = json!(false);
    let put = house.with_header(("PUT", &path), &admin, ("x-none", "1"), off).await;
    assert_eq!(put.status, StatusCode::NO_CONTENT);
    let shown = house.get("/forwarding/rules", &admin).await.json();
    assert_eq!((&shown[0]["enabled"], &shown[0]["attributes"]["Modality"]), (&json!(false), &json!("CR,DX")));
    assert_eq!(house.delete(&path, &admin).await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.delete(&path, &admin).await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.get("/forwarding/rules", &admin).await.json(), json!([]));
    for role in [Role::Doctor, Role::Paramedic, Role::Viewer, Role::Service] {
        let (_, other) = house.account(role, None).await;
        for path in ["/forwarding/rules", "/forwarding/queue"] {
            assert_eq!(house.get(path, &other).await.status, StatusCode::FORBIDDEN, "{role:?} {path}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_a_rule_is_named() {
    let house = House::open().await;
    let (_, admin) = house.account(Role::Admin, None).await;
    let body = json!({ "name": " ", "rule": {
        "destination": "A\\B", "from": ["OK", ""], "attributes": { "Modality": "CR" }
    } });
    let refused = house.post("/forwarding/rules", &admin, body).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.refused(), ["name", "destination", "from[1]"]);
    let body = json!({ "name": "x", "rule": {
        "destination": "C", "attributes": { "Modalty": "CR", "StudyDate": "soon", "PatientName": "*" }
    } });
    let refused = house.post("/forwarding/rules", &admin, body).await;
    assert_eq!(refused.refused(), ["attributes.Modalty", "attributes.StudyDate"]);
    let body = json!({ "name": "x", "rule": { "destination": "C", "priority": "urgent" } });
    assert_eq!(house.post("/forwarding/rules", &admin, body).await.refused(), ["rule.priority"]);
}

#[tokio::test]
async fn what_was_given_up_is_sent_again_when_somebody_asks() {
    let house = House::open().await;
    let (_, admin) = house.account(Role::Admin, None).await;
    let made = house
        .post("/forwarding/rules", &admin, json!({ "name": "all", "rule": { "destination": "C" } }))
        .await;
    let rule_id: Uuid = made.json()["id"].as_str().expect("an id").parse().expect("an id");
    let (instance, _) = house.store("P1", 1).await;
    let destination = AeTitle::parse("C").expect("a title");
    let new = NewForward { rule_id, instance, destination: destination.clone(), priority: 1 };
    let database = house.database();
    let until = database.forward_cursor().await.expect("a cursor") + 1;
    database.queue_forwards(&[new.clone(), new], until).await.expect("queued");
    let lease = chrono::TimeDelta::minutes(1);
    let taken = database.take_forwards(&destination, 10, lease).await.expect("taken");
    assert_eq!(taken.len(), 1, "once each");
    let again = format!("/forwarding/queue/{}/retry", taken[0].id);
    assert_eq!(house.post(&again, &admin, json!({})).await.status, StatusCode::NOT_FOUND, "it is under way");
    let dead = [(taken[0].id, ForwardOutcome::Dead("refused".to_owned()))];
    database.settle_forwards(&dead).await.expect("settled");
    let listed = house.get("/forwarding/queue?state=dead", &admin).await.json();
    assert_eq!(
        (&listed["items"][0]["last_error"], &listed["items"][0]["attempts"]),
        (&json!("refused"), &json!(1))
    );
    assert_eq!(house.get("/forwarding/queue?state=lost", &admin).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(house.post(&again, &admin, json!({})).await.status, StatusCode::ACCEPTED);
    let listed = house.get("/forwarding/queue?state=pending", &admin).await.json();
    assert_eq!(listed["items"][0]["attempts"], json!(0));
    let taken = database.take_forwards(&destination, 10, lease).await.expect("taken");
    database.settle_forwards(&[(taken[0].id, ForwardOutcome::Sent)]).await.expect("settled");
    let sent = house.get("/forwarding/queue", &admin).await.json();
    assert_eq!((&sent["items"][0]["state"], &sent["items"][0]["due_at"]), (&json!("sent"), &Value::Null));
}
