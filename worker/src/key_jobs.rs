//! Work on keys: jobs that a command asked for, and beside them what was dropped and is due. A process that only reads learns
//! here which keys others destroyed.

use std::time::Duration;

use archive::{KeyJobError, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use service::shutdown::Shutdown;
use uuid::Uuid;

use crate::WorkerState;

/// Clocks of nodes differ: the ledger is read from a little before what was seen last.
const OVERLAP: TimeDelta = TimeDelta::minutes(2);

/// A job may take days. What it replaced meanwhile, or the archive would be there twice, and what others destroyed does not wait
/// for its end.
pub(crate) async fn run(state: &WorkerState, shutdown: &Shutdown) {
    tokio::join!(do_jobs(state, shutdown), remove_dropped(state, shutdown));
}

async fn do_jobs(state: &WorkerState, shutdown: &Shutdown) {
    let worker = Uuid::now_v7();
    let mut failing = false;
    while !shutdown.has_begun() {
        let done = tokio::select! {
            () = shutdown.cancelled() => return,
            done = jobs_round(state, worker) => done,
        };
        tell(&done, &mut failing);
        pause(state, shutdown).await;
    }
}

async fn remove_dropped(state: &WorkerState, shutdown: &Shutdown) {
    let mut since = state.clock.now();
    let mut failing = false;
    while !shutdown.has_begun() {
        let done = tokio::select! {
            () = shutdown.cancelled() => return,
            done = removal_round(state, &mut since) => done,
        };
        tell(&done, &mut failing);
        pause(state, shutdown).await;
    }
}

/// Says once that it fails.
fn tell(done: &Result<(), StoreError>, failing: &mut bool) {
    match done {
        Ok(()) => *failing = false,
        Err(error) => {
            if !*failing {
                tracing::warn!(%error, "work on keys failed; trying again");
            }
            *failing = true;
        }
    }
}

async fn pause(state: &WorkerState, shutdown: &Shutdown) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = tokio::time::sleep(Duration::from_millis(state.config.poll_interval_ms)) => {}
    }
}

async fn jobs_round(state: &WorkerState, worker: Uuid) -> Result<(), StoreError> {
    let archive = &state.archive;
    for job in archive.database().open_key_jobs().await? {
        match archive.run_key_job(&job, worker).await {
            Ok(()) => tracing::info!(job = %job.id, kind = job.kind.as_str(), "work on keys is done"),
            Err(KeyJobError::Taken) => {}
            Err(error) => {
                tracing::warn!(job = %job.id, kind = job.kind.as_str(), %error, "work on keys stopped");
            }
        }
    }
    Ok(())
}

async fn removal_round(state: &WorkerState, since: &mut DateTime<Utc>) -> Result<(), StoreError> {
    let archive = &state.archive;
    let (destroyed, last) = archive.database().destroyed_keys_since(*since - OVERLAP).await?;
    for key in destroyed {
        archive.forget_key(key);
    }
    *since = last.max(*since);
    archive.sweep_dropped().await?;
    Ok(())
}
