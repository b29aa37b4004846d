//! Tells the object store every minute how far the database is, so that an older one that is put back later is known for what it is.
//! One node does.

use std::time::Duration;

use archive::{DATABASE_BEHIND, OrphanError};
use chrono::TimeDelta;
use database::Lease;
use service::shutdown::Shutdown;

use crate::WorkerState;

/// What a database may forget at most, when all ends at once, without being found out.
const INTERVAL: Duration = Duration::from_mins(1);
/// Name of the lease.
const LEASE: &str = "store-beat";
/// A node that is gone keeps the others from it no longer than this.
const LEASE_MINUTES: i64 = 3;

/// Tells it until the shutdown begins.
pub(crate) async fn run(state: &WorkerState, shutdown: &Shutdown) {
    let lease = Lease::new(LEASE);
    let mut was_behind = false;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            told = tell_as_holder(state, &lease) => match told {
                Ok(is_behind) => {
                    if is_behind && !was_behind {
                        tracing::error!("{DATABASE_BEHIND}");
                    }
                    was_behind = is_behind;
                }
                Err(error) => {
                    tracing::warn!(%error, "the object store was not told how far the database is; trying again later");
                }
            }
        }
    }
    if let Err(error) = state.archive.database().give_lease_back(&lease).await {
        tracing::debug!(%error, "another node tells it when the lease is over");
    }
}

/// Whether the database is behind, as far as this node is the one to ask.
async fn tell_as_holder(state: &WorkerState, lease: &Lease) -> Result<bool, OrphanError> {
    if !state.archive.database().take_lease(lease, TimeDelta::minutes(LEASE_MINUTES)).await? {
        return Ok(false);
    }
    Ok(state.archive.beat().await?.is_behind)
}
