//! `/webhooks`: an administrator says where events are sent.

use axum::http::{StatusCode, header};
use database::{Attempt, DeliveryOutcome};
use model::{access::Role, event::Event};
use serde_json::json;
use uuid::Uuid;

use super::house::House;

#[tokio::test]
async fn a_webhook_is_made_tried_and_removed_and_its_secret_is_shown_once() {
    let house = House::open().await;
    let (_, admin) = house.account(Role::Admin, None).await;
    let body = json!({
        "address": "https://hooks.example.org/maxray", "description": "books",
        "event_types": ["reminder.due", "consultation.scheduled", "reminder.due"]
    });
    let key = ("idempotency-key", "k1");
    let made = house.with_header(("POST", "/webhooks"), &admin, key, body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let mut shown = made.json();
    let secret = shown.as_object_mut().expect("an object").remove("secret").expect("a secret");
    assert!(
        secret.as_str().is_some_and(|secret| secret.starts_with("whsec_") && secret.len() == 50),
        "{secret}"
    );
    assert_eq!(shown["event_types"], json!(["consultation.scheduled", "reminder.due"]));
    let path = made.header(header::LOCATION).to_owned();
    assert_eq!(house.get(&path, &admin).await.json(), shown, "without the secret");
    assert_eq!(house.get("/webhooks", &admin).await.json(), json!([shown]));

    let tried = house.post(&format!("{path}/test"), &admin, json!({})).await;
    assert_eq!(tried.status, StatusCode::ACCEPTED);
    assert_eq!(
        (&tried.json()["event_type"], &tried.json()["state"]),
        (&json!("webhook.tested"), &json!("pending"))
    );
    let list = house.get(&format!("{path}/deliveries?state=pending"), &admin).await.json();
    assert_eq!(list["items"], json!([tried.json()]));
    let dead = house.get(&format!("{path}/deliveries?state=dead"), &admin).await.json();
    assert_eq!(dead["items"], json!([]));
    assert_eq!(
        house.get(&format!("{path}/deliveries?state=gone"), &admin).await.status,
        StatusCode::BAD_REQUEST
    );
    let again = format!("{path}/deliveries/{}/redeliver", tried.json()["id"].as_str().expect("an id"));
    let refused = house.post(&again, &admin, json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "it is still being tried");
    assert_eq!(refused.json()["type"], "urn:maxray:problem:delivery-pending");
    let id = tried.json()["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    let ended = [Attempt { id, status: Some(500), outcome: DeliveryOutcome::Dead("answered 500".into()) }];
    house.database().settle_deliveries(&ended).await.expect("settled");
    assert_eq!(house.post(&again, &admin, json!({})).await.status, StatusCode::ACCEPTED);
    let other = format!(
        "/webhooks/{}/deliveries/{}/redeliver",
        Uuid::nil(),
        tried.json()["id"].as_str().expect("an id")
    );
    assert_eq!(house.post(&other, &admin, json!({})).await.status, StatusCode::NOT_FOUND);

    assert_eq!(house.delete(&path, &admin).await.status, StatusCode::NO_CONTENT);
    for (method, path) in
        [("GET", path.clone()), ("DELETE", path.clone()), ("GET", format!("{path}/deliveries"))]
    {
        let answer = house.call(super::house::request(method, &path, &admin, None)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    assert_eq!(house.post(&format!("{path}/test"), &admin, json!({})).await.status, StatusCode::NOT_FOUND);
    let trail = house.trail().await;
    for action in ["create_webhook", "test_webhook", "redeliver", "delete_webhook", "list_deliveries"] {
        assert!(trail.contains(&format!("{action} success")), "{action}: {trail:?}");
    }
}

#[tokio::test]
async fn an_address_that_leads_inside_and_an_event_that_is_none_are_named() {
    let house = House::open().await;
    let admin = house.token(Role::Admin, None);
    let refused = async |address: &str, types: serde_json::Value| {
        let body = json!({ "address": address, "description": "a\u{1}b", "event_types": types });
        let answer = house.post("/webhooks", &admin, body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{address}");
        answer.refused()
    };
    for address in
        ["http://hooks.example.org/", "https://169.254.169.254/", "https://10.1.2.3/", "hooks", "file:///etc"]
    {
        assert_eq!(refused(address, json!(["reminder.due"])).await, ["description", "address"], "{address}");
    }
    assert_eq!(
        refused("https://hooks.example.org/", json!(["reminder.due", "webhook.tested", "*"])).await,
        ["description", "event_types[1]", "event_types[2]"]
    );
    let detailed = json!(["consultation.ended.cancelled", "consultation.ended.booked"]);
    assert_eq!(refused("https://hooks.example.org/", detailed).await, ["description", "event_types[1]"]);
    assert_eq!(refused("https://hooks.example.org/", json!([])).await, ["description", "event_types"]);
    assert_eq!(house.get("/webhooks", &admin).await.json(), json!([]));
}

/// The document says how many events there are to choose from.
#[test]
fn as_many_events_may_be_asked_for_as_there_are() {
    let document = serde_json::to_value(crate::openapi()).expect("JSON");
    let events = &document["components"]["schemas"]["CreateWebhook"]["properties"]["event_types"];
    let names = Event::NAMES.len() + Event::DETAILED_NAMES.len();
    assert_eq!(events["maxItems"], json!(names));
}
