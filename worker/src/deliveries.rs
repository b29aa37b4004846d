//! From the outbox to deliveries.

use std::time::Duration;

use database::{Database, DatabaseError, Receivers};
use service::shutdown::Shutdown;
use tokio::time::Instant;

use crate::{Bells, WorkerState, forget::forget, mail::MAILED};

/// Events read at a time.
const BATCH_EVENTS: u32 = 500;
/// The kept cursor moves so often over events that nobody gets: after a crash they are read once more.
const MOVE_INTERVAL: Duration = Duration::from_secs(10);
/// Time between two looks for what can be forgotten.
const FORGET_INTERVAL: Duration = Duration::from_mins(10);

/// Makes deliveries until the shutdown begins, and rings for whoever sends them.
pub(crate) async fn run(state: &WorkerState, bells: &Bells, shutdown: &Shutdown) {
    let mut commits = state.archive.database().subscribe_commits();
    let poll = Duration::from_millis(state.config.poll_interval_ms.max(10));
    let mut maker = Maker::new(state);
    let mut failing = false;
    loop {
        match maker.round(state, bells).await {
            Ok(()) => failing = false,
            Err(error) if failing => tracing::debug!(%error, "deliveries still cannot be made"),
            Err(error) => {
                failing = true;
                tracing::warn!(%error, "deliveries cannot be made; trying again");
            }
        }
        // While nobody wants anything, commits need not wake us.
        let follow = maker.wanted && !failing;
        tokio::select! {
            () = shutdown.cancelled() => break,
            Ok(()) = commits.changed(), if follow => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
    if let Err(error) = maker.keep_cursor().await {
        tracing::warn!(%error, "the last events will be looked at again");
    }
}

struct Maker {
    database: Database,
    receivers: Receivers,
    /// The last event that was looked at; `None` before the first look.
    cursor: Option<i64>,
    /// Whether the kept cursor is behind.
    ahead: bool,
    /// Whether anybody wants events.
    wanted: bool,
    moved: Instant,
    forgot: Option<Instant>,
}

impl Maker {
    fn new(state: &WorkerState) -> Self {
        Self {
            database: state.archive.database().clone(),
            receivers: Receivers { mailed: state.mailer.iter().flat_map(|_| MAILED).collect() },
            cursor: None,
            ahead: false,
            wanted: false,
            moved: Instant::now(),
            forgot: None,
        }
    }

    async fn round(&mut self, state: &WorkerState, bells: &Bells) -> Result<(), DatabaseError> {
        self.make(bells).await?;
        if self.ahead && self.moved.elapsed() >= MOVE_INTERVAL {
            self.keep_cursor().await?;
            // Not with each commit: the last webhook is seldom removed.
            self.wanted = self.is_anybody_there().await?;
        }
        if self.forgot.is_none_or(|forgot| forgot.elapsed() >= FORGET_INTERVAL) {
            forget(state).await?;
            self.forgot = Some(Instant::now());
        }
        Ok(())
    }

    async fn make(&mut self, bells: &Bells) -> Result<(), DatabaseError> {
        let mut cursor = match self.cursor {
            Some(cursor) => cursor,
            None => self.database.delivery_cursor().await?,
        };
        if !self.wanted {
            // Before the look at who wants something: what comes after it is not skipped.
            let last = self.database.outbox_last().await?;
            self.wanted = self.is_anybody_there().await?;
            if !self.wanted {
                self.ahead |= last > cursor;
                self.cursor = Some(cursor.max(last));
                return Ok(());
            }
        }
        loop {
            self.cursor = Some(cursor);
            let batch = self.database.outbox_after(cursor, BATCH_EVENTS).await?;
            let Some(last) = batch.last() else { return Ok(()) };
            cursor = last.sequence;
            if self.database.make_deliveries(&batch, &self.receivers).await? > 0 {
                self.ahead = false;
                bells.webhooks.notify_one();
                bells.mail.notify_one();
            } else {
                self.ahead = true;
            }
            if batch.len() < BATCH_EVENTS as usize {
                self.cursor = Some(cursor);
                return Ok(());
            }
        }
    }

    async fn is_anybody_there(&self) -> Result<bool, DatabaseError> {
        Ok(!self.receivers.mailed.is_empty() || !self.database.webhooks().await?.is_empty())
    }

    async fn keep_cursor(&mut self) -> Result<(), DatabaseError> {
        let Some(cursor) = self.cursor.filter(|_| self.ahead) else { return Ok(()) };
        self.database.move_delivery_cursor(cursor).await?;
        self.ahead = false;
        self.moved = Instant::now();
        Ok(())
    }
}
