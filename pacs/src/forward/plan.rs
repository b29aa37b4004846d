//! From the outbox to the queue: what the rules say of instances that were stored.

use std::time::Duration;

use database::{Database, DatabaseError};
use model::access::Scope;
use tokio::time::Instant;

/// Events looked at together.
const BATCH_EVENTS: u32 = 200;
/// The kept cursor moves so often over events that are about nothing: after a crash they are looked at once more.
const MOVE_EVERY: Duration = Duration::from_secs(10);

/// Reads the outbox.
pub(super) struct Planner {
    database: Database,
    scope: Scope,
    /// The last event that was looked at; `None` before the first look.
    cursor: Option<i64>,
    /// The cursor that is kept is behind.
    ahead: bool,
    moved: Instant,
}

impl Planner {
    pub(super) fn new(database: Database, scope: Scope) -> Self {
        Self { database, scope, cursor: None, ahead: false, moved: Instant::now() }
    }

    /// Looks at what has happened; says whether something was queued.
    pub(super) async fn round(&mut self) -> Result<bool, DatabaseError> {
        let mut cursor = match self.cursor {
            Some(cursor) => cursor,
            None => self.database.forward_cursor().await?,
        };
        // Before the rules: what is stored after it is looked at with them.
        let last = self.database.outbox_last().await?;
        let rules = self.database.forward_rules().await?;
        let mut queued = false;
        if rules.iter().all(|row| !row.rule.enabled) {
            self.ahead |= last > cursor;
            cursor = cursor.max(last);
        }
        self.cursor = Some(cursor);
        while cursor < last {
            let batch = self.database.outbox_after(cursor, BATCH_EVENTS).await?;
            let Some(end) = batch.last() else { break };
            let new = self.database.forwards_of(&self.scope, &rules, &batch).await?;
            if new.is_empty() {
                self.ahead = true;
            } else {
                self.database.queue_forwards(&new, end.sequence).await?;
                metrics::counter!("maxray_forwards_queued_total").increment(new.len() as u64);
                (queued, self.ahead) = (true, false);
            }
            cursor = end.sequence;
            self.cursor = Some(cursor);
        }
        if self.moved.elapsed() >= MOVE_EVERY {
            self.keep_cursor().await?;
        }
        Ok(queued)
    }

    async fn keep_cursor(&mut self) -> Result<(), DatabaseError> {
        if let Some(cursor) = self.cursor.filter(|_| self.ahead) {
            self.database.queue_forwards(&[], cursor).await?;
        }
        (self.ahead, self.moved) = (false, Instant::now());
        Ok(())
    }

    /// Keeps how far it came.
    pub(super) async fn finish(&mut self) {
        if let Err(error) = self.keep_cursor().await {
            tracing::warn!(%error, "the last events will be looked at again by the rules of forwarding");
        }
    }
}
