//! Destinations that do not answer are left alone for a while: what waits for one may be thousands, and none of it asks again before.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use model::AeTitle;

use super::ForwardingConfig;
use crate::backoff::wait_after;

/// Longest rest: one association a minute harms nobody, and who is back is heard of soon.
const LONGEST_MS: u64 = 60_000;

/// Which destinations rest, as this process knows.
pub(super) struct Resting {
    first_ms: u64,
    longest_ms: u64,
    known: Mutex<HashMap<AeTitle, (u32, Instant)>>,
}

impl Resting {
    pub(super) fn new(config: &ForwardingConfig) -> Self {
        let (first_ms, longest_ms) = (config.retry_first_ms, config.retry_longest_ms.min(LONGEST_MS));
        Self { first_ms, longest_ms, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<AeTitle, (u32, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It does not answer; what fails while it rests is the same failure.
    pub(super) fn rest(&self, destination: &AeTitle) {
        let now = Instant::now();
        let mut known = self.known();
        let (failures, until) = known.entry(destination.clone()).or_insert((0, now));
        if *until <= now {
            *failures = failures.saturating_add(1);
            *until = now + Duration::from_millis(wait_after(*failures, self.first_ms, self.longest_ms));
        }
    }

    /// It answers.
    pub(super) fn wake(&self, destination: &AeTitle) {
        self.known().remove(destination);
    }

    pub(super) fn is_resting(&self, destination: &AeTitle) -> bool {
        self.known().get(destination).is_some_and(|(_, until)| *until > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_answer_rests_until_it_answers() {
        let resting = Resting::new(&ForwardingConfig::default());
        let title = |text| AeTitle::parse(text).expect("a title");
        let (central, other) = (title("CENTRAL"), title("OTHER"));
        resting.rest(&central);
        resting.rest(&central);
        assert!(resting.is_resting(&central) && !resting.is_resting(&other));
        assert_eq!(resting.known().get(&central).map(|(failures, _)| *failures), Some(1), "one failure");
        resting.wake(&central);
        assert!(!resting.is_resting(&central));
    }
}
