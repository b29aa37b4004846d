//! What a consumer got, beside what happened.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use database::{Database, DatabaseConfig};
use model::{clock::Clock, event::EventEnvelope};
use serde_json::{Value, json};
use tests::{platform::Platform, rabbitmq::Queues};

/// Above anything that tests cause.
const EVENTS_MAX: u32 = 1_000_000;

/// Between two looks at the whole outbox.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Takes messages until each event of the outbox has come, and previews are all made.
pub(crate) async fn drain(platform: &Platform, queues: &Queues, instances: usize) -> Vec<Value> {
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
        // Each with its preview.
        if missing == 0 && outbox.len() >= 2 * instances {
            return received;
        }
        assert!(Instant::now() < deadline, "{missing} of {} events did not come", outbox.len());
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

pub(crate) async fn outbox(platform: &Platform) -> Vec<EventEnvelope> {
    let url = platform.setting("MAXRAY_DATABASE__URL").unwrap_or_default().to_owned();
    let config = DatabaseConfig { url, allow_unsafe: true, ..DatabaseConfig::default() };
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
