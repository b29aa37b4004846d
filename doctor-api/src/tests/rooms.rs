//! Rooms on a server of somebody else, where MaxRay only signs who comes in.

use axum::http::StatusCode;
use chrono::TimeDelta;
use model::access::Role;
use serde_json::{Value, json};

use super::house::House;
use crate::{
    DoctorApiConfig,
    rooms::config::{RoomConfig, RoomProvider},
};

#[tokio::test]
async fn who_lost_a_consultation_has_no_way_into_the_room_of_its_new_doctor() {
    let room = RoomConfig {
        provider: RoomProvider::Jitsi,
        server: "https://meet.example.org".into(),
        application: "maxray".into(),
        application_secret: "0123456789abcdef".into(),
        ..RoomConfig::default()
    };
    let house = House::with(DoctorApiConfig { room, ..DoctorApiConfig::default() }).await;
    let (ada, ben) = (house.doctor("Ada").await, house.doctor("Ben").await);
    let (_, for_ada) = house.account(Role::Doctor, Some(ada.id)).await;
    let (_, for_ben) = house.account(Role::Doctor, Some(ben.id)).await;
    let (_, platform) = house.account(Role::Service, None).await;
    let soon = house.archive.clock().now() + TimeDelta::minutes(5);
    let booking = json!({ "patient_id": "P1", "scheduled_at": soon });
    let booked = house.post(&format!("/doctors/{}/consultation", ada.id), &platform, booking).await;
    assert_eq!(booked.status, StatusCode::CREATED, "{:?}", booked.body);
    let path = format!("/consultations/{}", booked.json()["id"].as_str().expect("an id"));
    let room_of = async |token: &str| -> Value {
        let opened = house.post(&format!("{path}/room"), token, json!({})).await;
        assert_eq!(opened.status, StatusCode::CREATED, "{:?}", opened.body);
        opened.json()["room"].clone()
    };
    let of_ada = room_of(&for_ada).await;
    assert_eq!(room_of(&platform).await, of_ada, "both sides meet");
    let given = house.post(&format!("{path}/reassign"), &for_ada, json!({ "doctor_id": ben.id })).await;
    assert_eq!(given.status, StatusCode::OK, "{:?}", given.body);
    let of_ben = room_of(&for_ben).await;
    assert_ne!(of_ben, of_ada, "the token that Ada still has leads there no more");
    assert_eq!(room_of(&platform).await, of_ben, "both sides meet");
}
