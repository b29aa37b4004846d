//! Server-sent events.

use std::time::Duration;

use axum::{
    body::BodyDataStream,
    http::{StatusCode, header},
};
use chrono::TimeDelta;
use futures_util::StreamExt;
use model::{access::Role, clinical::Doctor};
use serde_json::{Value, json};

use super::house::{House, request};

/// Does what the worker does: hands what is in the outbox to whoever listens.
async fn relay(house: &House) {
    for event in house.database().outbox_after(0, 1000).await.expect("outbox") {
        house.events.publish(event);
    }
}

struct Stream(BodyDataStream, String);

impl Stream {
    async fn open(house: &House, token: &str, last_event_id: Option<i64>) -> Self {
        let mut request = request("GET", "/events", token, None);
        if let Some(id) = last_event_id {
            request.headers_mut().insert("last-event-id", id.to_string().parse().expect("header"));
        }
        let response = house.send(request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self(response.into_body().into_data_stream(), String::new())
    }

    /// The next event: its name and data. `None` when the stream has ended or nothing comes.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.1.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.map(|value| value.trim().to_owned())
                };
                let parsed = field("event:").zip(field("data:"));
                self.1 = rest.to_owned();
                if let Some((name, data)) = parsed {
                    return Some((name, serde_json::from_str(&data).expect("JSON")));
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(2), self.0.next()).await.ok()??;
            self.1.push_str(std::str::from_utf8(&chunk.expect("chunk")).expect("UTF-8"));
        }
    }
}

#[tokio::test]
async fn a_doctor_hears_of_the_own_patients_only() {
    let house = House::open().await;
    let (ada, ben) = (house.doctor("Ada").await, house.doctor("Ben").await);
    let (for_ada, for_ben) =
        (house.token(Role::Doctor, Some(ada.id)), house.token(Role::Doctor, Some(ben.id)));
    let mut ada_hears = Stream::open(&house, &for_ada, None).await;
    let mut ben_hears = Stream::open(&house, &for_ben, None).await;
    let consultation = house.book(&for_ada, &ada, "P1").await;
    let (id, study) = house.store("P1", 1).await;
    house.store("P2", 2).await;
    house.book(&for_ben, &ben, "P2").await;
    let link = json!({ "study_instance_uid": study });
    house.post(&format!("/consultations/{consultation}/studies"), &for_ada, link).await;
    house.make_preview(id).await;
    relay(&house).await;
    let (name, data) = ada_hears.next().await.expect("an event");
    assert_eq!((name.as_str(), &data["consultation_id"]), ("consultation.scheduled", &json!(consultation)));
    let (name, data) = ada_hears.next().await.expect("an event");
    assert_eq!(
        (name.as_str(), &data["xray_id"], &data["type"]),
        ("instance.stored", &json!(id), &json!(name))
    );
    assert_eq!(ada_hears.next().await.expect("an event").0, "study.linked");
    assert_eq!(ada_hears.next().await.expect("an event").0, "preview.made");
    // Ben's patient's study came before the booking, but he is told when he may see it: now.
    let (name, data) = ben_hears.next().await.expect("an event");
    assert_eq!((name.as_str(), &data["study_instance_uid"]), ("instance.stored", &json!("1.2.3.2")));
    assert_eq!(ben_hears.next().await.expect("an event").0, "consultation.scheduled");
    assert_eq!(ben_hears.next().await, None);
}

#[tokio::test]
async fn who_comes_back_misses_nothing_and_hears_nothing_twice() {
    let house = House::open().await;
    let token = house.token(Role::Service, None);
    house.store("P1", 1).await;
    house.store("P1", 2).await;
    let all = house.database().outbox_after(0, 10).await.expect("outbox");
    let mut stream = Stream::open(&house, &token, Some(all[0].sequence)).await;
    let (_, data) = stream.next().await.expect("the second event");
    assert_eq!(data["sequence"], json!(all[1].sequence));
    house.store("P1", 3).await;
    relay(&house).await;
    let (_, data) = stream.next().await.expect("the third event");
    assert_eq!(data["study_instance_uid"], "1.2.3.3");
    house.shutdown.begin();
    assert_eq!(stream.next().await, None);
    let mut malformed = request("GET", "/events", &token, None);
    malformed.headers_mut().insert("last-event-id", "x".parse().expect("header"));
    assert_eq!(house.call(malformed).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn who_comes_back_after_too_long_is_told_so() {
    let house = House::open().await;
    let token = house.token(Role::Service, None);
    for number in 1..=3 {
        house.store("P1", number).await;
    }
    let all: Vec<i64> = house
        .database()
        .outbox_after(0, 10)
        .await
        .expect("outbox")
        .iter()
        .map(|event| event.sequence)
        .collect();
    let database = house.database();
    database.mark_relayed(&all).await.expect("marked");
    database.queue_forwards(&[], all[2]).await.expect("moved");
    database.move_delivery_cursor(all[2]).await.expect("moved");
    let now = database.now() + TimeDelta::seconds(1);
    assert_eq!(database.forget_events(now, false, 10).await.expect("forgotten"), 2);

    let mut late = Stream::open(&house, &token, Some(all[0])).await;
    let (name, data) = late.next().await.expect("a word");
    assert_eq!((name.as_str(), &data["type"]), ("events.forgotten", &json!("events.forgotten")));
    assert_eq!(data["happened_before"], json!(now));
    assert_eq!(late.next().await.expect("what is kept").1["sequence"], json!(all[2]));
    // Who has seen all that was forgotten misses nothing.
    let mut in_time = Stream::open(&house, &token, Some(all[1])).await;
    assert_eq!(in_time.next().await.expect("what is kept").1["sequence"], json!(all[2]));
}

/// A consultation of P1 with this doctor, booked or only asked for.
async fn appointment(house: &House, token: &str, doctor: &Doctor, proposed: bool) -> String {
    let body = json!({ "patient_id": "P1", "scheduled_at": "2027-05-03T09:00:00Z", "proposed": proposed });
    let made = house.post(&format!("/doctors/{}/consultation", doctor.id), token, body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    made.json()["id"].as_str().expect("id").to_owned()
}

async fn command(house: &House, token: &str, consultation: &str, command: &str, body: Value) {
    let done = house.post(&format!("/consultations/{consultation}/{command}"), token, body).await;
    assert_eq!(done.status, StatusCode::OK, "{command}: {:?}", done.body);
}

#[tokio::test]
async fn an_event_of_a_consultation_says_what_was_done_and_where_it_stands() {
    let house = House::open().await;
    let ada = house.doctor("Ada").await;
    let (_, platform) = house.account(Role::Service, None).await;
    let mut hears = Stream::open(&house, &platform, None).await;
    let (missed, called_off) =
        (appointment(&house, &platform, &ada, true).await, appointment(&house, &platform, &ada, true).await);
    command(&house, &platform, &missed, "confirm", json!({})).await;
    let later = json!({ "scheduled_at": "2027-05-03T10:00:00Z" });
    command(&house, &platform, &missed, "reschedule", later).await;
    command(&house, &platform, &missed, "no-show", json!({})).await;
    command(&house, &platform, &called_off, "cancel", json!({})).await;
    relay(&house).await;
    let expected = [
        json!(["consultation.scheduled", missed, "proposed", "proposed"]),
        json!(["consultation.scheduled", called_off, "proposed", "proposed"]),
        json!(["consultation.scheduled", missed, "booked", "booked"]),
        json!(["consultation.changed", missed, "rescheduled", "booked"]),
        json!(["consultation.ended", missed, "no_show", "no_show"]),
        json!(["consultation.ended", called_off, "cancelled", "cancelled"]),
    ];
    for expected in expected {
        let (name, data) = hears.next().await.expect("an event");
        assert_eq!(json!([name, data["consultation_id"], data["change"], data["status"]]), expected);
    }
}

#[tokio::test]
async fn who_loses_a_consultation_hears_that_and_nothing_more() {
    let house = House::open().await;
    let (ada, ben) = (house.doctor("Ada").await, house.doctor("Ben").await);
    let (for_ada, for_ben) =
        (house.token(Role::Doctor, Some(ada.id)), house.token(Role::Doctor, Some(ben.id)));
    let (_, platform) = house.account(Role::Service, None).await;
    let consultation = appointment(&house, &platform, &ada, false).await;
    let mut ada_hears = Stream::open(&house, &for_ada, None).await;
    let mut ben_hears = Stream::open(&house, &for_ben, None).await;
    command(&house, &platform, &consultation, "reassign", json!({ "doctor_id": ben.id })).await;
    command(&house, &platform, &consultation, "cancel", json!({})).await;
    relay(&house).await;
    let (name, mut data) = ada_hears.next().await.expect("an event");
    let fields = data.as_object_mut().expect("an object");
    fields.retain(|field, _| !["sequence", "event_id", "at"].contains(&field.as_str()));
    let told = json!({
        "type": name, "consultation_id": consultation, "doctor_id": ada.id, "scheduled_at": "2027-05-03T09:00:00Z"
    });
    assert_eq!((name.as_str(), data), ("consultation.given_away", told), "nothing of the other doctor");
    assert_eq!(ada_hears.next().await, None, "what becomes of it is not Ada's any more");
    let (name, data) = ben_hears.next().await.expect("an event");
    assert_eq!((name.as_str(), &data["change"]), ("consultation.changed", &json!("reassigned")));
    assert_eq!((&data["doctor_id"], &data["previous_doctor_id"]), (&json!(ben.id), &json!(ada.id)));
    assert_eq!(ben_hears.next().await.expect("an event").0, "consultation.ended");
}

#[tokio::test]
async fn one_account_leaves_places_to_others() {
    let config = crate::DoctorApiConfig { event_listeners_per_account_max: 1, ..Default::default() };
    let house = House::with(config).await;
    let (greedy, other) = (house.token(Role::Service, None), house.token(Role::Service, None));
    let first = Stream::open(&house, &greedy, None).await;
    let second = house.call(request("GET", "/events", &greedy, None)).await;
    assert_eq!(second.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(second.header(header::RETRY_AFTER), "5");
    Stream::open(&house, &other, None).await;
    drop(first);
    Stream::open(&house, &greedy, None).await;
}

#[tokio::test]
async fn listeners_are_limited() {
    let config = crate::DoctorApiConfig { event_listeners_max: 1, ..Default::default() };
    let house = House::with(config).await;
    let token = house.token(Role::Service, None);
    let first = Stream::open(&house, &token, None).await;
    let second = house.call(request("GET", "/events", &token, None)).await;
    assert_eq!(second.status, StatusCode::SERVICE_UNAVAILABLE);
    drop(first);
    Stream::open(&house, &token, None).await;
}
