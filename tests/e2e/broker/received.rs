//! What a consumer got, beside what happened.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use database::{Database, DatabaseConfig};
use model::{
    clock::Clock,
    event::{Event, EventEnvelope},
};
use serde_json::{Value, json};
use tests::{
    platform::Platform,
    rabbitmq::{Queues, RabbitMq},
};

/// How long what waits may wait without anything of it being done: leases have to end first.
const PATIENCE: Duration = Duration::from_mins(3);

/// Above anything that tests cause.
const EVENTS_MAX: u32 = 1_000_000;

/// Between two looks at the whole outbox.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What was stored, and all of what is in this list was, has its previews, and a consumer of everything, who has the queue `all`,
/// hears of all of it, in order.
pub(crate) async fn everything_is_told(node: &Platform, rabbit: &RabbitMq, acknowledged: &BTreeSet<String>) {
    let mut progress = Progress::begin();
    let stored = loop {
        let (mut stored, mut stored_xrays, mut shown) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for envelope in outbox(node).await {
            match envelope.event {
                Event::InstanceStored { xray_id, sop_instance_uid, .. } => {
                    assert!(stored.insert(sop_instance_uid), "{xray_id} was stored twice");
                    stored_xrays.insert(xray_id);
                }
                Event::PreviewMade { xray_id, .. } => {
                    shown.insert(xray_id);
                }
                Event::PreviewFailed { xray_id, reason, .. } => panic!("no preview of {xray_id}: {reason}"),
                _ => {}
            }
        }
        let without = stored_xrays.difference(&shown).count();
        if without == 0 {
            break stored;
        }
        progress.expect(without, &format!("of {} instances have no preview", stored.len()));
        tokio::time::sleep(LOOK_EVERY).await;
    };
    assert!(stored.is_superset(acknowledged), "an event is missing");
    let received = drain(node, &rabbit.queues().await, stored.len()).await;
    assert_order(&received, &outbox(node).await);
}

/// Something that has to become less.
struct Progress {
    least: usize,
    since: Instant,
}

impl Progress {
    fn begin() -> Self {
        Self { least: usize::MAX, since: Instant::now() }
    }

    /// Fails when it was no less for minutes.
    fn expect(&mut self, left: usize, what: &str) {
        if left < self.least {
            *self = Self { least: left, since: Instant::now() };
        }
        assert!(self.since.elapsed() < PATIENCE, "{left} {what}, for {PATIENCE:?}");
    }
}

/// Takes messages until each event of the outbox has come, and previews are all made.
pub(crate) async fn drain(platform: &Platform, queues: &Queues, instances: usize) -> Vec<Value> {
    let (mut received, mut ids) = (Vec::new(), BTreeSet::new());
    let mut progress = Progress::begin();
    loop {
        while let Some(message) = queues.take("all").await {
            let body = message.json();
            ids.insert(body["event_id"].as_str().expect("an id").to_owned());
            received.push(body);
        }
        let outbox = outbox(platform).await;
        let missing = outbox.iter().filter(|event| !ids.contains(&event.event_id.to_string())).count();
        // Each with its preview.
        let awaited = (2 * instances).saturating_sub(outbox.len());
        if missing + awaited == 0 {
            return received;
        }
        progress.expect(missing + awaited, "events did not come");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

pub(crate) async fn outbox(platform: &Platform) -> Vec<EventEnvelope> {
    let url = platform.setting("MAXRAY_DATABASE__URL").unwrap_or_default().to_owned();
    let config = DatabaseConfig { url, allow_unsafe: true, insecure: true, ..DatabaseConfig::default() };
    let database = Database::open(&config, &platform.data_directory(), Clock::system()).await.expect("opens");
    let events = database.outbox_after(0, EVENTS_MAX).await.expect("events");
    database.close().await;
    events
}

/// What comes for the first time comes in the order in which it happened, and nothing comes that did not happen.
pub(crate) fn assert_order(received: &[Value], outbox: &[EventEnvelope]) {
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
