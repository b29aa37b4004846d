//! Tokens of devices in the field.

use axum::http::StatusCode;
use model::access::{Action, Role};
use serde_json::{Value, json};

use super::house::House;

const PASSWORD: &str = "correct horse battery staple";

async fn paramedic(house: &House, username: &str) -> (String, String) {
    house.user(username, PASSWORD, Role::Paramedic, None).await;
    let session: Value =
        house.post("/sessions", "", json!({ "username": username, "password": PASSWORD })).await.json();
    let token = session["access_token"].as_str().expect("token").to_owned();
    let who = house.get("/sessions/current", &token).await.json();
    (token, who["user_id"].as_str().expect("id").to_owned())
}

#[tokio::test]
async fn a_device_acts_for_its_paramedic_and_opens_nothing_else() {
    let house = House::open().await;
    let (token, user_id) = paramedic(&house, "para.medic").await;
    let answer = house.post("/devices", &token, json!({ "name": "tablet of car 3" })).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    let device = answer.json();
    let device_token = device["token"].as_str().expect("token");
    assert!(device_token.starts_with("mxd_"));
    let proved = house.authenticate(device_token).await.expect("a principal");
    assert_eq!((proved.user_id.to_string(), proved.role), (user_id.clone(), Role::Paramedic));
    for action in Action::ALL {
        let allowed = proved.authorize(*action).is_ok();
        assert_eq!(allowed, matches!(action, Action::StoreInstance | Action::ReadStudy), "{action:?}");
    }
    // It manages no sessions and no devices, not even its own account's.
    for path in ["/sessions", "/doctors"] {
        assert_eq!(house.get(path, device_token).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let again = house.post("/devices", device_token, json!({ "name": "another" })).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);

    let listed = house.get("/sessions", &token).await.json();
    let found = listed.as_array().expect("list").iter().find(|session| session["kind"] == json!("device"));
    assert_eq!(found.expect("the device")["label"], json!("tablet of car 3"));
    let path = format!("/sessions/{}", device["session_id"].as_str().expect("id"));
    assert_eq!(house.delete(&path, &token).await.status, StatusCode::NO_CONTENT);
    assert!(house.authenticate(device_token).await.is_err(), "ended at once");
    assert_eq!(house.get("/sessions", device_token).await.status, StatusCode::UNAUTHORIZED);
    let trail = house.trail().await;
    assert!(trail.iter().any(|line| line == "authenticate refused"), "{trail:?}");
}

#[tokio::test]
async fn a_device_is_bound_to_an_active_paramedic() {
    let house = House::open().await;
    let admin = house.token(Role::Admin, None);
    let (token, user_id) = paramedic(&house, "para.medic").await;
    let (_, other_id) = paramedic(&house, "other").await;
    house.user("viewer", PASSWORD, Role::Viewer, None).await;
    let viewers = house.get("/users?role=viewer", &admin).await.json();
    for (caller, user) in [
        (&token, json!(other_id)),
        (&admin, json!(null)),
        (&admin, viewers["items"][0]["id"].clone()),
        (&admin, json!("00000000-0000-0000-0000-000000000001")),
    ] {
        let answer = house.post("/devices", caller, json!({ "name": "tablet", "user_id": user })).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{user}");
        assert_eq!(answer.refused(), ["user_id"]);
    }
    let viewer = house.token(Role::Viewer, None);
    assert_eq!(house.post("/devices", &viewer, json!({ "name": "x" })).await.status, StatusCode::FORBIDDEN);
    let made = house.post("/devices", &admin, json!({ "name": "tablet", "user_id": user_id })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let device = made.json();
    let device_token = device["token"].as_str().expect("token");
    assert!(house.authenticate(device_token).await.is_ok());
    assert_eq!(house.delete(&format!("/users/{user_id}"), &admin).await.status, StatusCode::NO_CONTENT);
    assert!(house.authenticate(device_token).await.is_err(), "its paramedic was deactivated");
}
