//! Notices that nothing more comes of a study, and says so. One node does it at a time.

use std::time::Duration;

use chrono::TimeDelta;
use database::{DatabaseError, Lease, Quiet};
use service::shutdown::Shutdown;

use crate::{WorkerConfig, WorkerState};

/// Name of the lease.
const LEASE: &str = "quiet-studies";
/// What is begun is over in much less.
const LEASE_TIME: TimeDelta = TimeDelta::seconds(30);
/// Events, and studies, of one transaction.
const BATCH: u32 = 500;

/// Looks for quiet studies until the shutdown begins.
pub(crate) async fn run(state: &WorkerState, shutdown: &Shutdown) {
    let Some(quiet) = quiet(&state.config) else {
        if let Err(error) = state.archive.database().stop_quiet_studies().await {
            tracing::warn!(%error, "what was known of quiet studies stays until the next start");
        }
        return;
    };
    let poll = Duration::from_millis(state.config.poll_interval_ms.max(10));
    let lease = Lease::new(LEASE);
    let mut failing = false;
    loop {
        match round(state, quiet, &lease, shutdown).await {
            Ok(()) => failing = false,
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "it cannot be seen which studies are quiet; trying again");
                }
                failing = true;
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(poll) => {}
        }
    }
}

/// None when nobody wants to know.
fn quiet(config: &WorkerConfig) -> Option<Quiet> {
    let seconds = |seconds: u32| TimeDelta::seconds(i64::from(seconds));
    (config.study_quiet_seconds > 0).then(|| Quiet {
        usual: seconds(config.study_quiet_seconds),
        under_way: seconds(config.study_under_way_seconds),
    })
}

async fn round(
    state: &WorkerState,
    quiet: Quiet,
    lease: &Lease,
    shutdown: &Shutdown,
) -> Result<(), DatabaseError> {
    let database = state.archive.database();
    // An idle archive is not written to.
    if !database.has_quiet_work(quiet).await? || !database.take_lease(lease, LEASE_TIME).await? {
        return Ok(());
    }
    while let Some(read) = database.note_arrivals(BATCH, lease).await? {
        if shutdown.has_begun() {
            return Ok(());
        }
        if read == BATCH as usize {
            continue;
        }
        // Everything is read: what seems quiet is.
        while database.complete_quiet_studies(quiet, BATCH, lease).await? == u64::from(BATCH) {
            if shutdown.has_begun() {
                return Ok(());
            }
        }
        break;
    }
    Ok(())
}
