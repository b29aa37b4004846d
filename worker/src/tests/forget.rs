//! How long events are kept.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta};
use model::clock::Clock;
use rendering::wire::handle_request;

use super::{EXPLICIT, Kit, data_set};
use crate::forget::forget;

const START_SECONDS: i64 = 1_800_000_000;

#[tokio::test]
async fn events_are_kept_for_as_many_days_as_were_asked_for() {
    let seconds = Arc::new(AtomicI64::new(START_SECONDS));
    let shown = Arc::clone(&seconds);
    let clock =
        Clock::from_fn(move || DateTime::from_timestamp(shown.load(Ordering::Relaxed), 0).expect("a time"));
    let mut kit = Kit::open_at(handle_request, clock).await;
    for sop in ["1.2.3.4.5", "1.2.3.4.6", "1.2.3.4.7"] {
        kit.store(sop, EXPLICIT, data_set(sop, 8, 8, None)).await;
    }
    let database = kit.state.archive.database().clone();
    let events = async || database.outbox_after(0, 9).await.expect("events").len();
    let all: Vec<i64> =
        database.outbox_after(0, 9).await.expect("events").iter().map(|event| event.sequence).collect();
    database.mark_relayed(&all).await.expect("marked");
    database.queue_forwards(&[], all[2]).await.expect("moved");
    database.move_delivery_cursor(all[2]).await.expect("moved");

    seconds.fetch_add(TimeDelta::days(400).num_seconds(), Ordering::Relaxed);
    for for_ever in [0, u32::MAX, 401] {
        kit.state.config.event_days = for_ever;
        forget(&kit.state).await.expect("done");
        assert_eq!(events().await, 3, "{for_ever} days");
    }
    kit.state.config.event_days = 399;
    forget(&kit.state).await.expect("done");
    assert_eq!(events().await, 1, "the newest stays");
}
