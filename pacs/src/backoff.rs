//! How long is waited between attempts.

use chrono::TimeDelta;

/// The wait after this many attempts: `first`, doubled after each further one, at most `longest`; all in milliseconds.
pub fn wait_after(attempts: u32, first: u64, longest: u64) -> u64 {
    let doubled = 1_u64.checked_shl(attempts.saturating_sub(1)).unwrap_or(u64::MAX);
    first.saturating_mul(doubled).min(longest)
}

/// Milliseconds as a span of time.
pub fn milliseconds(count: u64) -> TimeDelta {
    // A time that no calendar reaches is as good as a thousand years.
    i64::try_from(count).ok().and_then(TimeDelta::try_milliseconds).unwrap_or(TimeDelta::days(365_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_stay_there() {
        let seconds = |attempts| wait_after(attempts, 10_000, 3_600_000) / 1000;
        assert_eq!([0, 1, 2, 3, 9, 10, 64, 1000].map(seconds), [10, 10, 20, 40, 2560, 3600, 3600, 3600]);
    }
}
