//! Turns reminders that are due into events of the outbox.

use std::time::Duration;

use database::DatabaseError;
use service::shutdown::Shutdown;

use crate::WorkerState;

/// Reminders of one transaction.
const BATCH_REMINDERS: u32 = 100;

/// Looks for reminders until the shutdown begins.
pub(crate) async fn run(state: &WorkerState, shutdown: &Shutdown) {
    let poll = Duration::from_millis(state.config.poll_interval_ms.max(10));
    let mut failing = false;
    loop {
        let wait = match round(state).await {
            Ok(next) => {
                failing = false;
                next.map_or(poll, |next| poll.min(next))
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "reminders cannot be sent; trying again");
                }
                failing = true;
                poll
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Sends what is due, and gives the time until the next one.
async fn round(state: &WorkerState) -> Result<Option<Duration>, DatabaseError> {
    let database = state.archive.database();
    loop {
        let Some(next) = database.next_reminder().await? else { return Ok(None) };
        let wait = (next - state.clock.now()).to_std().ok().filter(|wait| !wait.is_zero());
        if wait.is_some() {
            return Ok(wait);
        }
        if database.send_due_reminders(BATCH_REMINDERS).await? == 0 {
            // Another node is at them.
            return Ok(None);
        }
    }
}
