//! How far this machine's clock is from that of PostgreSQL.
//!
//! Every node stamps its rows by its own clock, and each judges by its own what the others wrote: holds, claims, leases, tokens. A clock
//! that is somewhere else lets go what others hold, so a node with such a clock does not start.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use model::clock::Clock;
use sqlx_postgres::PgConnection;

use crate::{DatabaseConfig, DatabaseError};

/// Further away, a node does not start.
const SKEW_MAX_MS: i64 = 30_000;
/// Further away, it says so.
const SKEW_TOLD_MS: i64 = 5_000;

/// What the server's clock shows at this moment, and not when the transaction began.
pub(crate) const SERVER_TIME: &str = "SELECT clock_timestamp()";

/// Our time before the server was asked for its own.
pub(crate) struct Asked {
    at: DateTime<Utc>,
    since: Instant,
}

impl Asked {
    /// Now.
    pub(crate) fn now(clock: &Clock) -> Self {
        Self { at: clock.now(), since: Instant::now() }
    }

    /// The server has answered: by how many milliseconds our clock is ahead of its own, and less than nought when behind.
    pub(crate) fn answered(&self, theirs: DateTime<Utc>) -> i64 {
        let ahead_ms = certainly_ahead_ms(self.at, theirs, self.since.elapsed());
        metrics::gauge!("maxray_clock_ahead_seconds").set(ahead_ms as f64 / 1_000.0);
        ahead_ms
    }
}

/// Refuses a clock that is far away from the server's.
///
/// # Errors
/// [`DatabaseError::Refused`], unless the settings take what is unsafe.
pub(crate) async fn check_clock(
    connection: &mut PgConnection,
    clock: &Clock,
    config: &DatabaseConfig,
) -> Result<(), DatabaseError> {
    let asked = Asked::now(clock);
    let theirs: DateTime<Utc> = sqlx::query_scalar(SERVER_TIME).fetch_one(connection).await?;
    let ahead_ms = asked.answered(theirs);
    let (off_ms, side) = (ahead_ms.saturating_abs(), if ahead_ms > 0 { "ahead of" } else { "behind" });
    if off_ms > SKEW_MAX_MS && !config.allow_unsafe {
        return Err(DatabaseError::Refused(format!(
            "this machine's clock is {} s {side} that of PostgreSQL, and {} s are the most: set both clocks (NTP), then \
             start again",
            off_ms / 1_000,
            SKEW_MAX_MS / 1_000
        )));
    }
    if off_ms > SKEW_TOLD_MS {
        tracing::warn!(ahead_ms, "this machine's clock is {side} that of PostgreSQL: set both clocks (NTP)");
    }
    Ok(())
}

/// The server looked at its clock at some moment of the trip: what that leaves open, half of the trip to either side of its middle,
/// is no difference.
fn certainly_ahead_ms(asked_at: DateTime<Utc>, theirs: DateTime<Utc>, trip: Duration) -> i64 {
    let half_ms = i64::try_from(trip.as_millis() / 2).unwrap_or(i64::MAX);
    let ahead_ms = (asked_at - theirs).num_milliseconds().saturating_add(half_ms);
    ahead_ms.saturating_abs().saturating_sub(half_ms).max(0) * ahead_ms.signum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_trip_leaves_open_is_no_difference() {
        let at = |milliseconds| DateTime::from_timestamp_millis(milliseconds).expect("a time");
        let ahead =
            |asked, theirs, trip| certainly_ahead_ms(at(asked), at(theirs), Duration::from_millis(trip));
        for theirs in [0, 1_000, 2_000] {
            assert_eq!(ahead(0, theirs, 2_000), 0, "it was asked at 0 and answered at 2000");
        }
        assert_eq!(ahead(0, 2_500, 2_000), -500);
        assert_eq!(ahead(500, 0, 2_000), 500);
        assert_eq!(ahead(40_000, 0, 10), 40_000);
    }
}
