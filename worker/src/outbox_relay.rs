//! Events from the outbox to the listeners of this process, in order and at least once.
//!
//! Publishing follows a cursor and is done at every commit; marking rows as relayed is a write of its own, so it is
//! done for many rows together. A crash between the two repeats events, and consumers drop known `event_id`s.

use std::time::Duration;

use database::{Database, DatabaseError};
use fail_point::Point;
use model::event::EventEnvelope;
use service::{events::EventBus, shutdown::Shutdown};
use tokio::time::Instant;

use crate::WorkerState;

/// Events read at a time.
const BATCH_EVENTS: u32 = 500;
/// While nobody listens, events of this time are read together: each look at the outbox wakes a thread of the database, and without
/// this every commit had one.
const GATHERING: Duration = Duration::from_millis(50);
/// Published events that are marked without waiting longer.
const UNMARKED_MAX: usize = 5_000;

/// Relays until the shutdown begins.
pub(crate) async fn run(state: &WorkerState, shutdown: &Shutdown) {
    let mut commits = state.archive.database().subscribe_commits();
    let poll = Duration::from_millis(state.config.poll_interval_ms.max(10));
    let mut relay = Relay::new(state);
    let mut failing = false;
    loop {
        match relay.work().await {
            Ok(()) => failing = false,
            Err(error) if failing => tracing::debug!(%error, "the outbox still cannot be relayed"),
            Err(error) => {
                failing = true;
                tracing::warn!(%error, "the outbox cannot be relayed; trying again");
            }
        }
        // After a failure commits do not wake us: each of them would only fail again.
        let wait = if failing { poll } else { relay.wait(poll) };
        tokio::select! {
            () = shutdown.cancelled() => break,
            Ok(()) = commits.changed(), if !failing => {
                if !state.events.has_listeners() {
                    let _time_is_over = tokio::time::timeout(GATHERING, shutdown.cancelled()).await;
                }
            }
            () = tokio::time::sleep(wait) => {}
        }
    }
    if let Err(error) = relay.finish().await {
        tracing::warn!(%error, "the last events could not be marked as relayed; they will be sent again");
    }
}

struct Relay {
    database: Database,
    events: EventBus,
    /// The last event published; `None` before the first look.
    cursor: Option<i64>,
    unmarked: Vec<i64>,
    oldest_unmarked: Instant,
    mark_interval: Duration,
}

impl Relay {
    fn new(state: &WorkerState) -> Self {
        Self {
            database: state.archive.database().clone(),
            events: state.events.clone(),
            cursor: None,
            unmarked: Vec::new(),
            oldest_unmarked: Instant::now(),
            mark_interval: Duration::from_millis(state.config.relay_mark_interval_ms),
        }
    }

    async fn work(&mut self) -> Result<(), DatabaseError> {
        let mut cursor = match self.cursor {
            Some(cursor) => cursor,
            None => self.relay_left_over().await?,
        };
        self.cursor = Some(cursor);
        loop {
            let batch = self.database.outbox_after(cursor, BATCH_EVENTS).await?;
            let Some(last) = batch.last() else { break };
            cursor = last.sequence;
            self.cursor = Some(cursor);
            let more = batch.len() >= BATCH_EVENTS as usize;
            self.publish(batch);
            // A commit since then wakes us. On PostgreSQL not every end of a transaction that events were behind does: who listens gets
            // them by a second look, if not by the next poll.
            if !more && !self.events.has_listeners() {
                break;
            }
        }
        let due = !self.unmarked.is_empty() && self.oldest_unmarked.elapsed() >= self.mark_interval;
        if due || self.unmarked.len() >= UNMARKED_MAX { self.finish().await } else { Ok(()) }
    }

    /// What an earlier process left: published but not marked, or not even published. Gives the cursor to go on from.
    async fn relay_left_over(&mut self) -> Result<i64, DatabaseError> {
        let last = self.database.outbox_last().await?;
        loop {
            let mut batch = self.database.outbox_unrelayed(BATCH_EVENTS).await?;
            batch.retain(|event| event.sequence <= last);
            if batch.is_empty() {
                return Ok(last);
            }
            self.publish(batch);
            self.finish().await?;
        }
    }

    fn publish(&mut self, batch: Vec<EventEnvelope>) {
        fail_point::pass(Point::K29BatchClaimed);
        if self.unmarked.is_empty() {
            self.oldest_unmarked = Instant::now();
        }
        metrics::counter!("maxray_events_relayed_total").increment(batch.len() as u64);
        for event in batch {
            self.unmarked.push(event.sequence);
            self.events.publish(event);
        }
        fail_point::pass(Point::K30Published);
    }

    async fn finish(&mut self) -> Result<(), DatabaseError> {
        self.database.mark_relayed(&self.unmarked).await?;
        if !self.unmarked.is_empty() {
            fail_point::pass(Point::K32Marked);
        }
        self.unmarked.clear();
        Ok(())
    }

    /// How long nothing needs to be done if nothing is committed.
    fn wait(&self, poll: Duration) -> Duration {
        if self.unmarked.is_empty() {
            return poll;
        }
        poll.min(self.mark_interval.saturating_sub(self.oldest_unmarked.elapsed()) + Duration::from_millis(1))
    }
}
