//! Events on their way to RabbitMQ: protected, to the queues that want them, and never in the way of who stores.

mod outages;
pub(crate) mod received;
mod trust;

use std::fs;

use serde_json::json;
use tests::{
    platform::{Engine, Options, Platform},
    rabbitmq::{Message, Queues, RabbitMq},
    scu,
    synthetic::Synthetic,
    tls::Authority,
    wait,
};

use crate::notifications::asyncapi;

pub(crate) fn options(engine: Engine, url: &str, queues: &str) -> Options {
    Options::on(engine)
        .with("MAXRAY_BROKER__URL", url)
        .with("MAXRAY_BROKER__QUEUES", queues)
        .with("MAXRAY_BROKER__RETRY_FIRST_MS", "100")
        .with("MAXRAY_BROKER__RETRY_MAX_MS", "500")
        .with("MAXRAY_BROKER__LEASE_MS", "2000")
        .with("MAXRAY_WORKER__POLL_INTERVAL_MS", "100")
        // Events come when something is done, and not because a test takes long.
        .with("MAXRAY_WORKER__STUDY_QUIET_SECONDS", "0")
}

async fn next(queues: &Queues, queue: &str) -> Message {
    wait::until(&format!("a message in {queue}"), async || queues.take(queue).await).await
}

pub(crate) async fn metric_is(platform: &Platform, name: &str, expected: impl Fn(f64) -> bool) {
    wait::until(name, async || expected(platform.metric(name).await).then_some(())).await;
}

fn store(platform: &Platform, xray: &Synthetic) {
    assert_eq!(scu::send_files(platform.dicom(), &[xray.part10()]).expect("an association"), [0]);
}

#[tokio::test]
async fn each_queue_gets_what_it_is_bound_to_over_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "ca");
    let rabbit = RabbitMq::start(Some(&authority.issue("localhost", |_| ()))).await;
    let queues = r#"{ris=["instance.*","study.*"], billing=["prescription.*"]}"#;
    let mut platform = Platform::start(options(Engine::of_home(), &rabbit.tls_url(), queues)).await;

    // Nobody has said that this authority is to be trusted: nothing is sent, and nobody waits.
    metric_is(&platform, "maxray_broker_failures_total", |failures| failures >= 2.0).await;
    assert!(platform.metric("maxray_broker_connected").await < 1.0);
    let first = Synthetic::cr("PAT-1", 64, 64);
    store(&platform, &first);
    assert!(platform.stop().await.success());
    platform.set("MAXRAY_BROKER__CA_FILE", &authority.file().display().to_string());
    platform.restart().await;
    metric_is(&platform, "maxray_broker_connected", |connected| connected > 0.0).await;

    let messages = rabbit.queues().await;
    let message = next(&messages, "ris").await;
    let body = message.json();
    assert_eq!(message.routing_key(), "instance.stored");
    assert_eq!(body["study_instance_uid"], json!(first.study_instance_uid));
    let id = body["event_id"].as_str().expect("an id");
    assert_eq!(message.properties(), (id, "instance.stored", "application/json", true));
    assert_eq!(message.header("maxray-signature"), None, "nobody has given a key");
    asyncapi::check(&[body.to_string()]);
    assert!(!body.to_string().contains("PAT-1"), "{body}");

    // Nobody is bound to previews.
    metric_is(&platform, "maxray_broker_unroutable_total{event=\"preview.made\"}", |count| count >= 1.0)
        .await;
    assert!(platform.log().contains("no queue of the broker takes this event"), "{}", platform.log());
    assert!(!platform.log().contains("guest:guest"));
    assert!(messages.take("billing").await.is_none());
    give_back_until_dead(&platform, &messages).await;
}

/// A consumer that fails on an event again and again does not see it for ever.
async fn give_back_until_dead(platform: &Platform, messages: &Queues) {
    let broken = Synthetic::cr("PAT-2", 64, 64);
    store(platform, &broken);
    let mut given_back = 0;
    let dead = wait::until("an event among the dead", async || {
        given_back += u32::from(messages.give_back("ris").await);
        messages.take("maxray.events.dead").await
    });
    assert_eq!(dead.await.json()["study_instance_uid"], json!(broken.study_instance_uid));
    assert_eq!(given_back, 6, "the limit of 5, and once more");
}

#[tokio::test]
async fn a_queue_takes_cancellations_alone_and_no_queue_takes_one_twice() {
    let rabbit = RabbitMq::start(None).await;
    let queues = r##"{cancelled=["consultation.ended.cancelled"], all=["consultation.#", "#.cancelled"]}"##;
    let platform = Platform::start(options(Engine::of_home(), &rabbit.url(), queues)).await;
    metric_is(&platform, "maxray_broker_connected", |connected| connected > 0.0).await;
    let (admin, bookings) =
        (platform.user("operator", "admin").await, platform.user("bookings", "service").await);
    let doctor = admin.post_json("/doctors", &json!({ "name": "Ada" })).await;
    let path = format!("/doctors/{}/consultation", doctor["id"].as_str().expect("an id"));
    for (patient_id, at, command) in
        [("P1", "2027-05-03T09:00:00Z", "no-show"), ("P2", "2027-05-03T10:00:00Z", "cancel")]
    {
        let body = json!({ "patient_id": patient_id, "scheduled_at": at });
        let made = bookings.post_json(&path, &body).await;
        let id = made["id"].as_str().expect("an id");
        bookings.post_json(&format!("/consultations/{id}/{command}"), &json!({})).await;
    }
    let messages = rabbit.queues().await;
    let cancelled = next(&messages, "cancelled").await;
    assert_eq!(cancelled.routing_key(), "consultation.ended", "by its name, as ever");
    assert_eq!(cancelled.json()["change"], "cancelled");
    let mut told = Vec::new();
    for _ in 0..4 {
        let body = next(&messages, "all").await.json();
        told.push(body["change"].as_str().expect("a word").to_owned());
    }
    assert_eq!(told, ["booked", "no_show", "booked", "cancelled"]);
    assert!(messages.take("all").await.is_none() && messages.take("cancelled").await.is_none());
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_with_a_word() {
    let platform = Platform::prepare(Options::default());
    let refusal = |name: &str, value: &str| {
        let mut command = platform.command(&["serve"]);
        let output = command.env(name, value).output().expect("maxray runs");
        assert!(!output.status.success(), "{name}={value}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let plain = refusal("MAXRAY_BROKER__URL", "amqp://me:hunter2@rabbit.example.org");
    assert!(plain.contains("amqps://") && !plain.contains("hunter2"), "{plain}");
    let strange = refusal("MAXRAY_BROKER__QUEUES", r#"{ris=["studies.*"]}"#);
    assert!(strange.contains("studies.*") && strange.contains("ris"), "{strange}");
    let short = refusal("MAXRAY_BROKER__SIGNING_KEY", "c2hvcnQ=");
    assert!(short.contains("broker.signing_key is not 32 bytes") && !short.contains("c2hvcnQ="), "{short}");
    fs::write(platform.data_directory().with_file_name("no.pem"), "nothing").expect("a file");
    let mut command = platform.command(&["serve"]);
    command.env("MAXRAY_BROKER__URL", "amqps://localhost");
    let output = command.env("MAXRAY_BROKER__CA_FILE", "no.pem").output().expect("maxray runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no.pem holds no certificate"));
}
