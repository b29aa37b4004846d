//! Keeps a server that is down from costing every caller the whole time-out.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Failures in a row after which the server is left alone.
pub(super) const FAILURES_MAX: u32 = 5;
/// How long. Then one question is tried, and the others go on being spared until it is answered.
pub(super) const REST: Duration = Duration::from_secs(10);

#[derive(Default)]
struct State {
    failures: u32,
    /// Nobody asks before.
    until: Option<Instant>,
}

/// Counts failures in a row.
#[derive(Default)]
pub(super) struct Breaker(Mutex<State>);

impl Breaker {
    /// Whether the server is asked now.
    pub(super) fn may_ask(&self, now: Instant) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.until {
            Some(until) if now < until => false,
            Some(_) => {
                state.until = Some(now + REST);
                true
            }
            None => true,
        }
    }

    /// The server answered.
    pub(super) fn succeeded(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// It did not.
    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES_MAX {
            state.until = Some(now + REST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_fails_is_left_alone_and_tried_again() {
        let breaker = Breaker::default();
        let start = Instant::now();
        for _ in 1..FAILURES_MAX {
            assert!(breaker.may_ask(start));
            breaker.failed(start);
        }
        breaker.succeeded();
        for _ in 0..FAILURES_MAX {
            assert!(breaker.may_ask(start), "failures in a row count, not failures");
            breaker.failed(start);
        }
        assert!(!breaker.may_ask(start) && !breaker.may_ask(start + REST / 2));
        let later = start + REST;
        assert!(breaker.may_ask(later), "one tries");
        assert!(!breaker.may_ask(later), "and the others wait for it");
        breaker.failed(later);
        assert!(!breaker.may_ask(later + REST / 2));
        assert!(breaker.may_ask(later + REST));
        breaker.succeeded();
        assert!(breaker.may_ask(later + REST) && breaker.may_ask(later + REST));
    }
}
