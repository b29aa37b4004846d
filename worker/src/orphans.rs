//! Removes objects that no row names: what a crash between an object and its row leaves, and pictures whose row was
//! never written.
//!
//! An object goes only when it has been finished for the whole grace, no row names it when the store is listed, and no
//! row names it when it is asked for again right before. Rows never lose their object this way: a row is removed
//! before its object, and an object that gets a row gets it within seconds. A database that does not know every object, as an older
//! one that was put back, is no reason to remove any: `store_beat.rs` finds it out. Many orphans at once are no crash either: then
//! nothing is removed and an operator has to look. One node looks, for a bucket is listed by a request for each thousand objects.

use std::time::Duration;

use archive::{DATABASE_BEHIND, Orphan, OrphanError};
use chrono::TimeDelta;
use database::Lease;
use fail_point::Point;
use futures_util::TryStreamExt as _;
use service::shutdown::Shutdown;

use crate::WorkerState;

/// Time from the start to the first look, so that a restart loop does not list the store again and again.
const FIRST_LOOK_AFTER: Duration = Duration::from_mins(10);
/// Name of the lease.
pub(crate) const LEASE: &str = "orphan-objects";
/// A node that is gone keeps the others from looking no longer than this.
const LEASE_TIME_MAX: Duration = Duration::from_hours(30 * 24);

/// Looks in intervals until the shutdown begins.
pub(crate) async fn run(state: &WorkerState, shutdown: &Shutdown) {
    let interval = Duration::from_secs(state.config.orphan_interval_seconds);
    if interval.is_zero() {
        return;
    }
    let lease = Lease::new(LEASE);
    let mut wait = FIRST_LOOK_AFTER.min(interval);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(wait) => {}
        }
        wait = interval;
        tokio::select! {
            () = shutdown.cancelled() => break,
            swept = sweep_as_holder(state, &lease) => {
                if let Err(error) = swept {
                    tracing::warn!(%error, "orphan objects could not be removed; trying again later");
                }
            }
        }
    }
    if let Err(error) = state.archive.database().give_lease_back(&lease).await {
        tracing::debug!(%error, "another node looks when the lease is over");
    }
}

/// Looks, unless another node is the one that does. The lease goes on until the next look, so that nodes do not take turns.
pub(crate) async fn sweep_as_holder(state: &WorkerState, lease: &Lease) -> Result<(), OrphanError> {
    let database = state.archive.database();
    let interval = Duration::from_secs(state.config.orphan_interval_seconds);
    let time = interval.saturating_mul(2).min(LEASE_TIME_MAX);
    let lease_time = TimeDelta::from_std(time).unwrap_or(TimeDelta::days(30));
    if !database.take_lease(lease, lease_time).await? {
        metrics::gauge!("maxray_orphan_objects").set(0.0);
        return Ok(());
    }
    let swept = sweep(state);
    tokio::pin!(swept);
    loop {
        tokio::select! {
            ended = &mut swept => {
                ended?;
                // From its end on: it may have taken long.
                database.take_lease(lease, lease_time).await?;
                return Ok(());
            }
            () = tokio::time::sleep(time / 4) => {
                if !database.take_lease(lease, lease_time).await? {
                    return Ok(());
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
    if !are_left_by_crashes(state, old.len()).await? {
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

/// Whether so many old objects without a row are what crashes left, and not what the database has forgotten.
async fn are_left_by_crashes(state: &WorkerState, old: usize) -> Result<bool, OrphanError> {
    let beat = state.archive.beat().await?;
    let is_behind = beat.is_behind || (old > 0 && knows_nothing(state).await?);
    if is_behind {
        tracing::error!("{DATABASE_BEHIND}");
        return Ok(false);
    }
    let (orphans_max, count) = (state.config.orphans_max, old as u64);
    let are_most = beat.is_unproved && count > state.archive.database().instances_up_to(count).await?;
    if old > orphans_max || are_most {
        tracing::error!(
            orphans_max,
            "too many objects without a row to be left by a crash, so none is removed: was an older database put \
             back? Run maxray reindex, then maxray verify"
        );
        return Ok(false);
    }
    Ok(true)
}

/// Whether the database has no instance at all, as an empty one that took the place of another: it stays behind then.
async fn knows_nothing(state: &WorkerState) -> Result<bool, OrphanError> {
    let database = state.archive.database();
    if database.instances_up_to(1).await? > 0 {
        return Ok(false);
    }
    database.mark_behind().await?;
    Ok(true)
}
