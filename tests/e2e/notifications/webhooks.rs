//! Webhooks of the true program: signed, repeated, given up, sent again, and kept out of where they must not go.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use model::clock::Clock;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    platform::{Engine, Options, Platform},
    receiver::Receiver,
    scu,
    synthetic::Synthetic,
    wait,
};

use super::{asyncapi, book, impatient, path_of, people, subscribe};

#[tokio::test]
async fn what_happens_is_sent_signed_on_sqlite() {
    what_happens_is_sent_signed(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_happens_is_sent_signed_on_postgres() {
    what_happens_is_sent_signed(Engine::Postgres).await;
}

async fn what_happens_is_sent_signed(engine: Engine) {
    let platform = Platform::start(impatient(Options::on(engine))).await;
    let ((admin, bookings), receiver) = (people(&platform).await, Receiver::start().await);
    book(&admin, &bookings, "before", None).await;
    let types = [
        "consultation.scheduled",
        "consultation.changed",
        "consultation.ended",
        "instance.stored",
        "preview.made",
    ];
    let (path, secret) = subscribe(&admin, &receiver, &types).await;
    let (_, other_secret) = subscribe(&admin, &receiver, &["patient.erased"]).await;

    admin.post_json(&format!("{path}/test"), &json!({})).await;
    receiver.wait_for("webhook.tested", 1).await;
    let consultation =
        book(&admin, &bookings, "ada", Some(Clock::system().now() + TimeDelta::hours(3))).await;
    bookings.post_json(&path_of(&consultation, "arrive"), &json!({})).await;
    bookings.post_json(&path_of(&consultation, "cancel"), &json!({})).await;
    let xray = Synthetic::cr("PAT-1", 64, 64);
    assert_eq!(scu::send_files(platform.dicom(), &[xray.part10()]).expect("an association"), [0]);
    let ended = receiver.wait_for("consultation.ended", 1).await.remove(0);
    assert_eq!(ended.json()["consultation_id"], consultation["id"]);
    let stored = receiver.wait_for("instance.stored", 1).await.remove(0);
    assert_eq!(stored.json()["study_instance_uid"], json!(xray.study_instance_uid));
    receiver.wait_for("preview.made", 1).await;

    let received = receiver.received();
    let ids: BTreeSet<&str> = received.iter().map(|one| one.header("webhook-id")).collect();
    assert_eq!(ids.len(), received.len(), "each once");
    assert_eq!(
        receiver.of_type("consultation.scheduled").len(),
        1,
        "what was before the webhook is not sent"
    );
    for one in &received {
        assert!(one.is_signed_with(&secret) && !one.is_signed_with(&other_secret), "{one:?}");
        assert_eq!(one.header("webhook-id"), one.json()["event_id"].as_str().expect("an id"));
        assert_eq!((one.path.as_str(), one.header("content-type")), ("/hooks", "application/json"));
    }
    let payloads: Vec<String> = received.iter().map(|one| one.json().to_string()).collect();
    asyncapi::check(&payloads);
    assert!(!payloads.concat().contains("PAT-1"), "{payloads:?}");

    assert_eq!(
        admin.request(Method::DELETE, &path).send().await.expect("an answer").status(),
        StatusCode::NO_CONTENT
    );
    // Deliveries are made with the event: when the other webhook has got it, there is none for the one that was deleted.
    let witness = Receiver::start().await;
    subscribe(&admin, &witness, &["consultation.scheduled"]).await;
    book(&admin, &bookings, "after", None).await;
    witness.wait_for("consultation.scheduled", 1).await;
    assert_eq!(receiver.received().len(), received.len(), "nothing is sent to a webhook that was deleted");
}

/// The deliveries of a webhook in a state.
async fn deliveries(admin: &tests::session::Session, path: &str, state: &str) -> Vec<Value> {
    let page = admin.get_json(&format!("{path}/deliveries?state={state}")).await;
    page["items"].as_array().expect("items").clone()
}

#[tokio::test]
async fn what_fails_is_repeated_given_up_and_sent_again() {
    let platform = Platform::start(impatient(Options::default())).await;
    let ((admin, bookings), receiver) = (people(&platform).await, Receiver::start().await);
    let (path, secret) = subscribe(&admin, &receiver, &["consultation.scheduled"]).await;
    receiver.answer(StatusCode::INTERNAL_SERVER_ERROR);
    book(&admin, &bookings, "ada", None).await;
    let tries = receiver.wait_for("consultation.scheduled", 3).await;
    let same = |one: &tests::receiver::Received| (one.header("webhook-id").to_owned(), one.body.clone());
    assert!(tries.iter().all(|one| same(one) == same(&tries[0]) && one.is_signed_with(&secret)));
    let dead = wait::until("it is given up", async || deliveries(&admin, &path, "dead").await.pop()).await;
    assert_eq!((&dead["attempts"], &dead["last_status"]), (&json!(3), &json!(500)));
    assert_eq!(dead["last_error"], "answered 500 Internal Server Error");
    assert_eq!(receiver.received().len(), 3, "what is dead is not sent by itself");

    receiver.answer(StatusCode::OK);
    let again = format!("{path}/deliveries/{}/redeliver", dead["id"].as_str().expect("an id"));
    admin.post_json(&again, &json!({})).await;
    let fourth = receiver.wait_for("consultation.scheduled", 4).await.remove(3);
    assert_eq!(same(&fourth), same(&tries[0]));
    wait::until("it is noted", async || deliveries(&admin, &path, "delivered").await.pop()).await;
    assert_eq!(receiver.received().len(), 4, "once");

    // A redirect is a failure and is not followed; nor does one that hangs on keep others waiting.
    receiver.answer(StatusCode::TEMPORARY_REDIRECT);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/", silent.local_addr().expect("an address"));
    let slow = json!({ "address": address, "event_types": ["consultation.scheduled"] });
    let slow = admin.post_json("/webhooks", &slow).await;
    let slow = format!("/webhooks/{}", slow["id"].as_str().expect("an id"));
    book(&admin, &bookings, "ben", None).await;
    receiver.wait_for("consultation.scheduled", 7).await;
    assert!(receiver.received().iter().all(|one| one.path == "/hooks"));
    let waiting = deliveries(&admin, &slow, "pending").await.pop().expect("its delivery");
    assert_eq!(
        (&waiting["attempts"], &waiting["last_error"]),
        (&json!(1), &json!("")),
        "the first attempt goes on"
    );
}

#[tokio::test]
async fn what_waits_is_sent_after_a_kill_and_a_restart() {
    let mut platform = Platform::start(
        impatient(Options::default()).with("MAXRAY_NOTIFICATIONS__WEBHOOKS__ATTEMPTS_MAX", "1000"),
    )
    .await;
    let ((admin, bookings), receiver) = (people(&platform).await, Receiver::start().await);
    let (path, secret) = subscribe(&admin, &receiver, &["consultation.scheduled"]).await;
    receiver.answer(StatusCode::SERVICE_UNAVAILABLE);
    book(&admin, &bookings, "ada", None).await;
    wait::until("a failed attempt", async || {
        deliveries(&admin, &path, "pending").await.into_iter().find(|one| one["last_status"] == 503)
    })
    .await;
    platform.stop().await;
    let before = receiver.received().len();
    receiver.answer(StatusCode::OK);
    platform.restart().await;
    let admin = admin.moved_to(&platform);
    let all = receiver.wait_for("consultation.scheduled", before + 1).await;
    let last = all.last().expect("one");
    assert!(last.is_signed_with(&secret), "the secret is the same after a restart");
    assert_eq!(last.header("webhook-id"), all[0].header("webhook-id"));
    wait::until("it is noted", async || deliveries(&admin, &path, "delivered").await.pop()).await;
    platform.kill();
    platform.restart().await;
    let (admin, bookings) = (admin.moved_to(&platform), bookings.moved_to(&platform));
    assert!(deliveries(&admin, &path, "pending").await.is_empty(), "what was delivered waits no more");
    book(&admin, &bookings, "ben", None).await;
    let all = receiver.wait_for("consultation.scheduled", before + 2).await;
    assert_eq!(all.len(), before + 2, "what was delivered is not sent again");
}
