//! How long the oldest event has waited for a relay. On PostgreSQL nobody reads an event while a transaction is open that is older
//! than it, of whatever database of the server: then everything that follows events stands still, and this number alone tells.

use std::time::Duration;

use service::shutdown::Shutdown;

use crate::WorkerState;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(15);

/// Looks until the shutdown begins.
pub(crate) async fn run(state: &WorkerState, shutdown: &Shutdown) {
    let database = state.archive.database();
    loop {
        match database.outbox_oldest_unrelayed().await {
            Ok(oldest) => {
                // Another node's clock may be a little ahead.
                let age = oldest.map_or(0.0, |at| (database.now() - at).as_seconds_f64().max(0.0));
                metrics::gauge!("maxray_outbox_oldest_seconds").set(age);
            }
            Err(error) => tracing::debug!(%error, "it is not known how long events wait"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}
