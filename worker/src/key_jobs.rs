//! Work on keys: jobs that a command asked for, and what was dropped and is due. A process that only reads learns here
//! which keys others destroyed.

use std::time::Duration;

use archive::{KeyJobError, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use service::shutdown::Shutdown;
use uuid::Uuid;

use crate::WorkerState;

/// Clocks of nodes differ: the ledger is read from a little before what was seen last.
const OVERLAP: TimeDelta = TimeDelta::minutes(2);

pub(crate) async fn run(state: &WorkerState, shutdown: &Shutdown) {
    let worker = Uuid::now_v7();
    let mut since = state.clock.now();
    let mut failing = false;
    while !shutdown.has_begun() {
        let done = tokio::select! {
            () = shutdown.cancelled() => break,
            done = round(state, worker, &mut since) => done,
        };
        match done {
            Ok(()) => failing = false,
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "work on keys failed; trying again");
                }
                failing = true;
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(Duration::from_millis(state.config.poll_interval_ms)) => {}
        }
    }
}

async fn round(state: &WorkerState, worker: Uuid, since: &mut DateTime<Utc>) -> Result<(), StoreError> {
    let archive = &state.archive;
    let (destroyed, last) = archive.database().destroyed_keys_since(*since - OVERLAP).await?;
    for key in destroyed {
        archive.forget_key(key);
    }
    *since = last.max(*since);
    for job in archive.database().open_key_jobs().await? {
        match archive.run_key_job(&job, worker).await {
            Ok(()) => tracing::info!(job = %job.id, kind = job.kind.as_str(), "work on keys is done"),
            Err(KeyJobError::Taken) => {}
            Err(error) => {
                tracing::warn!(job = %job.id, kind = job.kind.as_str(), %error, "work on keys stopped");
            }
        }
    }
    archive.sweep_dropped().await?;
    Ok(())
}
