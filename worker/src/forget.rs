//! What ended long ago is removed: deliveries, and events that every reader has.

use chrono::TimeDelta;
use database::DatabaseError;

use crate::WorkerState;

/// More days are as good as for ever, and a database's calendar may not have them.
const DAYS_MAX: u32 = 36_500;
/// Rows removed in one transaction.
const ROWS_MAX: u32 = 1_000;

/// Removes what can be forgotten now.
pub(crate) async fn forget(state: &WorkerState) -> Result<(), DatabaseError> {
    let database = state.archive.database();
    let now = database.now();
    let before = |days: u32| now - TimeDelta::days(i64::from(days.min(DAYS_MAX)));
    let ended_before = before(state.notifications.webhooks.delivery_days);
    while database.forget_deliveries(ended_before, ROWS_MAX).await? == u64::from(ROWS_MAX) {}
    if state.config.event_days == 0 {
        return Ok(());
    }
    let (happened_before, has_broker) = (before(state.config.event_days), state.broker.is_some());
    while database.forget_events(happened_before, has_broker, ROWS_MAX).await? == u64::from(ROWS_MAX) {}
    Ok(())
}
