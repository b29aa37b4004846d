//! How many events wait for the broker, counted by the node that sends, whatever the broker does: also while it takes nothing and
//! sending stands still.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use database::{Database, DatabaseError};
use service::shutdown::Shutdown;

/// Between two counts.
const INTERVAL: Duration = Duration::from_secs(15);
/// Events that are counted at most.
const COUNTED_MAX: u32 = 100_000;

/// Counts while this node sends, until the shutdown begins.
pub(super) async fn watch(database: &Database, sends: &AtomicBool, shutdown: &Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        if !sends.load(Ordering::Relaxed) {
            continue;
        }
        match count(database).await {
            // Another node may send by now, and tells.
            Ok(behind) if sends.load(Ordering::Relaxed) => say(behind),
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "it is not known how many events wait for the broker"),
        }
    }
}

/// How many come after what the broker has, as far as that is noted.
pub(super) async fn count(database: &Database) -> Result<i64, DatabaseError> {
    let cursor = database.broker_cursor().await?;
    database.outbox_behind(cursor, COUNTED_MAX).await
}

/// Tells whoever reads the metrics.
pub(super) fn say(behind: i64) {
    metrics::gauge!("maxray_broker_behind_events").set(behind as f64);
}
