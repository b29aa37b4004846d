//! Removes objects that no row names: what a crash between an object and its row leaves, and pictures whose row was
//! never written.
//!
//! An object goes only when it has been finished for the whole grace, no row names it when the store is listed, and no
//! row names it when it is asked for again right before. Rows never lose their object this way: a row is removed
//! before its object, and an object that gets a row gets it within seconds. Many orphans at once are no crash but an
//! older database that was put back: then nothing is removed and an operator has to look.

use std::time::Duration;

use archive::{Orphan, OrphanError};
use fail_point::Point;
use futures_util::TryStreamExt as _;
use service::shutdown::Shutdown;

use crate::WorkerState;

/// Time from the start to the first look, so that a restart loop does not list the store again and again.
const FIRST_LOOK_AFTER: Duration = Duration::from_mins(10);

/// Looks in intervals until the shutdown begins.
pub(crate) async fn run(state: &WorkerState, shutdown: &Shutdown) {
    let interval = Duration::from_secs(state.config.orphan_interval_seconds);
    if interval.is_zero() {
        return;
    }
    let mut wait = FIRST_LOOK_AFTER.min(interval);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = interval;
        tokio::select! {
            () = shutdown.cancelled() => return,
            swept = sweep(state) => {
                if let Err(error) = swept {
                    tracing::warn!(%error, "orphan objects could not be removed; trying again later");
                }
            }
        }
    }
}

/// One look at the whole store.
async fn sweep(state: &WorkerState) -> Result<(), OrphanError> {
    let grace = Duration::from_secs(state.config.orphan_grace_seconds);
    let orphans_max = state.config.orphans_max;
    let mut old: Vec<Orphan> = Vec::new();
    let mut orphans = state.archive.orphans();
    let mut seen = 0_u64;
    while let Some(orphan) = orphans.try_next().await? {
        seen += 1;
        if orphan.age >= grace && old.len() <= orphans_max {
            old.push(orphan);
        }
    }
    drop(orphans);
    metrics::gauge!("maxray_orphan_objects").set(seen as f64);
    fail_point::pass(Point::K36OrphansListed);
    if old.len() > orphans_max {
        tracing::error!(
            orphans_max,
            "too many objects without a row to be left by a crash, so none is removed: was an older database put \
             back? Run maxray reindex, then maxray verify"
        );
        metrics::counter!("maxray_orphan_sweeps_refused_total").increment(1);
        return Ok(());
    }
    for orphan in old {
        if !state.archive.is_still_orphan(&orphan).await? {
            continue;
        }
        state.archive.storage().delete(orphan.key).await?;
        fail_point::pass(Point::K37OrphanRemoved);
        metrics::counter!("maxray_orphan_objects_removed_total").increment(1);
        tracing::info!(object = %orphan.key, age_seconds = orphan.age.as_secs(), "removed an object that no row names");
    }
    Ok(())
}
