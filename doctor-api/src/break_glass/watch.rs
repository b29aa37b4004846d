//! Records the ends of emergency accesses whose time is over. They open nothing any more then, whether this runs or not.

use std::time::Duration;

use database::Database;
use service::shutdown::Shutdown;

/// How often to look.
const INTERVAL: Duration = Duration::from_secs(20);

/// Runs until the shutdown begins.
pub async fn watch_break_glass(database: Database, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        match database.end_expired_break_glass().await {
            Ok(0) => {}
            Ok(ended) => tracing::info!(ended, "emergency accesses have ended"),
            Err(error) => tracing::warn!(%error, "the ends of emergency accesses could not be recorded"),
        }
    }
}
