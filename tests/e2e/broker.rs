//! Events on their way to RabbitMQ: protected, in order, at least once, and never in the way of who stores.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::{Duration, Instant},
};

use database::{Database, DatabaseConfig};
use model::{clock::Clock, event::EventEnvelope};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{
    platform::{Engine, Options, Platform},
    rabbitmq::{Message, Queues, RabbitMq},
    scu,
    synthetic::Synthetic,
    tls::Authority,
    wait,
};

use crate::notifications::asyncapi;

/// Above anything that these tests cause.
const EVENTS_MAX: u32 = 10_000;

fn options(engine: Engine, url: &str, queues: &str) -> Options {
    Options::on(engine)
        .with("MAXRAY_BROKER__URL", url)
        .with("MAXRAY_BROKER__QUEUES", queues)
        .with("MAXRAY_BROKER__RETRY_FIRST_MS", "100")
        .with("MAXRAY_BROKER__RETRY_MAX_MS", "500")
        .with("MAXRAY_BROKER__LEASE_MS", "2000")
        .with("MAXRAY_WORKER__POLL_INTERVAL_MS", "100")
}

async fn next(queues: &Queues, queue: &str) -> Message {
    wait::until(&format!("a message in {queue}"), async || queues.take(queue).await).await
}

/// The value of a metric; 0 before it is first set.
async fn metric(platform: &Platform, name: &str) -> f64 {
    let answer = platform.client().get(platform.url("/metrics")).send().await.expect("an answer");
    let text = answer.text().await.expect("text");
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

async fn metric_is(platform: &Platform, name: &str, expected: impl Fn(f64) -> bool) {
    wait::until(name, async || expected(metric(platform, name).await).then_some(())).await;
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
    let mut platform = Platform::start(options(Engine::Sqlite, &rabbit.tls_url(), queues)).await;

    // Nobody has said that this authority is to be trusted: nothing is sent, and nobody waits.
    metric_is(&platform, "maxray_broker_failures_total", |failures| failures >= 2.0).await;
    assert!(metric(&platform, "maxray_broker_connected").await < 1.0);
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
async fn nothing_is_lost_when_broker_and_server_die_on_sqlite() {
    nothing_is_lost_when_broker_and_server_die(Engine::Sqlite).await;
}

#[tokio::test]
async fn nothing_is_lost_when_broker_and_server_die_on_postgres() {
    nothing_is_lost_when_broker_and_server_die(Engine::Postgres).await;
}

async fn nothing_is_lost_when_broker_and_server_die(engine: Engine) {
    let mut rabbit = RabbitMq::prepare(None);
    let mut platform = Platform::start(options(engine, &rabbit.url(), r##"{all=["#"]}"##)).await;
    // There is no broker yet: what happens waits, and who stores does not.
    metric_is(&platform, "maxray_broker_failures_total", |failures| failures >= 1.0).await;
    store(&platform, &Synthetic::cr("PAT-1", 64, 64));
    rabbit.start_again().await;
    metric_is(&platform, "maxray_broker_connected", |connected| connected > 0.0).await;
    for round in 0..3 {
        send_many(&platform).await;
        if round == 1 {
            rabbit.kill();
            store(&platform, &Synthetic::cr("PAT-1", 64, 64));
            metric_is(&platform, "maxray_broker_behind_events", |behind| behind >= 1.0).await;
        }
        platform.kill();
        platform.restart().await;
        if round == 1 {
            rabbit.start_again().await;
        }
    }
    let ready = platform.client().get(platform.url("/readyz")).send().await.expect("an answer");
    assert_eq!(ready.status(), StatusCode::OK);
    let received = drain(&platform, &rabbit.queues().await).await;
    assert_order(&received, &outbox(&platform).await);
}

/// Several senders at once, so that the relay is always in the middle of something.
async fn send_many(platform: &Platform) {
    let address = platform.dicom();
    let sending = (0..4).map(|sender| {
        tokio::task::spawn_blocking(move || {
            let series = Synthetic::cr(&format!("PAT-{sender}"), 16, 16).series(25);
            let files: Vec<Vec<u8>> = series.iter().map(Synthetic::part10).collect();
            assert_eq!(scu::send_files(address, &files).expect("an association"), [0; 25]);
        })
    });
    for sender in sending.collect::<Vec<_>>() {
        sender.await.expect("sent");
    }
}

/// Takes messages until each event of the outbox has come, and previews are all made.
async fn drain(platform: &Platform, queues: &Queues) -> Vec<Value> {
    let (mut received, mut ids) = (Vec::new(), BTreeSet::new());
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        while let Some(message) = queues.take("all").await {
            let body = message.json();
            ids.insert(body["event_id"].as_str().expect("an id").to_owned());
            received.push(body);
        }
        let outbox = outbox(platform).await;
        let missing = outbox.iter().filter(|event| !ids.contains(&event.event_id.to_string())).count();
        // 301 instances and 301 pictures of them.
        if missing == 0 && outbox.len() >= 602 + 2 {
            return received;
        }
        assert!(Instant::now() < deadline, "{missing} of {} events did not come", outbox.len());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn outbox(platform: &Platform) -> Vec<EventEnvelope> {
    let url = platform.setting("MAXRAY_DATABASE__URL").unwrap_or_default().to_owned();
    let config = DatabaseConfig { url, allow_unsafe: true, ..DatabaseConfig::default() };
    let database = Database::open(&config, &platform.data_directory(), Clock::system()).await.expect("opens");
    let events = database.outbox_after(0, EVENTS_MAX).await.expect("events");
    database.close().await;
    events
}

/// What comes for the first time comes in the order in which it happened, and nothing comes that did not happen.
fn assert_order(received: &[Value], outbox: &[EventEnvelope]) {
    let happened: BTreeMap<String, i64> =
        outbox.iter().map(|event| (event.event_id.to_string(), event.sequence)).collect();
    let (mut seen, mut last) = (BTreeSet::new(), 0);
    for body in received {
        let id = body["event_id"].as_str().expect("an id");
        let sequence = *happened.get(id).unwrap_or_else(|| panic!("{body} did not happen"));
        assert_eq!(body["sequence"], json!(sequence));
        if seen.insert(id) {
            assert!(sequence > last, "{sequence} came after {last}");
            last = sequence;
        }
    }
    assert_eq!(seen.len(), happened.len());
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
    fs::write(platform.data_directory().with_file_name("no.pem"), "nothing").expect("a file");
    let mut command = platform.command(&["serve"]);
    command.env("MAXRAY_BROKER__URL", "amqps://localhost");
    let output = command.env("MAXRAY_BROKER__CA_FILE", "no.pem").output().expect("maxray runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no.pem holds no certificate"));
}
