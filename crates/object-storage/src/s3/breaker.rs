//! A bucket that fails again and again is asked nothing for a while: whoever waits hears at once that the store is away,
//! and one that comes back is not run over. Then one request tries.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What a failure counts, and what "slow down" does, which a bucket under load says now and then.
const FAILURE: u32 = 4;
const SLOW_DOWN: u32 = 1;
/// Failures of one moment, as of a gateway that starts anew, are left to the retries.
const STREAK_MIN: Duration = Duration::from_secs(1);

/// Nothing is asked at the moment.
#[derive(Debug, thiserror::Error)]
#[error("the bucket failed again and again and is asked nothing for some seconds: try again then")]
pub(super) struct BucketAway;

/// One for the whole bucket, reads and writes alike: it is there or it is not.
#[derive(Debug)]
pub(super) struct Breaker {
    /// What opens it; 0 for nothing.
    points_max: u32,
    open_for: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Requests go. `since` is when the first of the failures in a row was.
    Closed { points: u32, since: Option<Instant> },
    /// None goes.
    Open { until: Instant },
    /// One goes, and its answer decides.
    Trial,
}

impl State {
    const CALM: Self = Self::Closed { points: 0, since: None };
}

impl Breaker {
    pub(super) fn new(failures_max: u32, open_for: Duration) -> Arc<Self> {
        metrics::gauge!("maxray_s3_breaker_open").set(0.0);
        let points_max = failures_max.saturating_mul(FAILURE);
        Arc::new(Self { points_max, open_for, state: Mutex::new(State::CALM) })
    }

    /// Leave for one request.
    pub(super) fn admit(self: &Arc<Self>) -> Result<Pass, BucketAway> {
        self.admit_at(Instant::now())
    }

    fn admit_at(self: &Arc<Self>, now: Instant) -> Result<Pass, BucketAway> {
        let mut state = self.state();
        let is_trial = match *state {
            State::Closed { .. } => false,
            State::Open { until } if now >= until => {
                *state = State::Trial;
                true
            }
            State::Open { .. } | State::Trial => {
                metrics::counter!("maxray_s3_requests_refused_total").increment(1);
                return Err(BucketAway);
            }
        };
        drop(state);
        Ok(Pass { breaker: Arc::clone(self), is_trial })
    }

    /// The bucket did what it was asked for.
    pub(super) fn succeeded(&self) {
        let before = mem::replace(&mut *self.state(), State::CALM);
        if !matches!(before, State::Closed { .. }) {
            metrics::gauge!("maxray_s3_breaker_open").set(0.0);
            tracing::info!("the bucket answers again");
        }
    }

    /// It gave no answer, or not the whole of one.
    pub(super) fn failed(&self) {
        self.count(FAILURE, Instant::now());
    }

    fn count(&self, more: u32, now: Instant) {
        let mut state = self.state();
        // What was asked before it opened says nothing new.
        let State::Closed { points, since } = *state else { return };
        let (points, since) = (points.saturating_add(more), since.unwrap_or(now));
        let is_streak = points >= self.points_max && now.duration_since(since) >= STREAK_MIN;
        if self.points_max == 0 || !is_streak {
            *state = State::Closed { points, since: Some(since) };
            return;
        }
        *state = State::Open { until: now + self.open_for };
        drop(state);
        metrics::gauge!("maxray_s3_breaker_open").set(1.0);
        metrics::counter!("maxray_s3_breaker_opened_total").increment(1);
        let seconds = self.open_for.as_secs_f64();
        tracing::warn!(seconds, "the bucket fails again and again: it is asked nothing for a while");
    }

    /// The one that tried had no answer.
    fn reopen(&self, until: Instant) {
        let mut state = self.state();
        if matches!(*state, State::Trial) {
            *state = State::Open { until };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave for one request. Dropped without a word, as when nobody waits for the answer any more, it says nothing of the
/// bucket.
#[derive(Debug)]
pub(super) struct Pass {
    breaker: Arc<Breaker>,
    is_trial: bool,
}

impl Pass {
    /// There was an answer, whatever it says.
    pub(super) fn answered(mut self) {
        self.is_trial = false;
        self.breaker.succeeded();
    }

    /// An answer has begun; whoever reads it says whether it came to its end.
    pub(super) fn begun(mut self) {
        if mem::take(&mut self.is_trial) {
            self.breaker.succeeded();
        }
    }

    /// There was none, or one that says that the bucket is out of order.
    pub(super) fn failed(self) {
        self.count(FAILURE, Instant::now());
    }

    /// The bucket asks for fewer requests.
    pub(super) fn told_to_slow_down(self) {
        self.count(SLOW_DOWN, Instant::now());
    }

    fn count(mut self, points: u32, now: Instant) {
        if mem::take(&mut self.is_trial) {
            self.breaker.reopen(now + self.breaker.open_for);
        } else {
            self.breaker.count(points, now);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.is_trial {
            self.breaker.reopen(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN_FOR: Duration = Duration::from_secs(5);

    fn fail_for(breaker: &Arc<Breaker>, began: Instant, failures: u32, each: Duration) {
        for number in 0..failures {
            let now = began + each * number;
            breaker.admit_at(now).expect("still closed").count(FAILURE, now);
        }
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_that_tries_closes_it() {
        let (breaker, began) = (Breaker::new(5, OPEN_FOR), Instant::now());
        fail_for(&breaker, began, 5, Duration::from_millis(250));
        let opened = began + Duration::from_secs(1);
        breaker.admit_at(opened).expect_err("open");
        let later = opened + OPEN_FOR;
        let trial = breaker.admit_at(later).expect("one tries");
        breaker.admit_at(later).expect_err("and one alone");
        trial.count(FAILURE, later);
        breaker.admit_at(later + OPEN_FOR / 2).expect_err("open again");
        let trial = breaker.admit_at(later + OPEN_FOR).expect("the next one tries");
        trial.answered();
        breaker.admit_at(later + OPEN_FOR).expect("closed");
    }

    #[test]
    fn a_success_in_between_or_a_moment_alone_opens_nothing() {
        let (breaker, began) = (Breaker::new(5, OPEN_FOR), Instant::now());
        fail_for(&breaker, began, 4, Duration::from_secs(1));
        breaker.succeeded();
        fail_for(&breaker, began + Duration::from_secs(5), 4, Duration::from_secs(1));
        breaker.succeeded();
        fail_for(&breaker, began + Duration::from_secs(10), 50, Duration::from_millis(10));
        breaker
            .admit_at(began + Duration::from_secs(11))
            .expect("half a second of failures is left to retries");
    }

    #[test]
    fn slow_down_has_to_be_said_often_and_never_is_never() {
        let (breaker, began) = (Breaker::new(5, OPEN_FOR), Instant::now());
        for second in 0..19 {
            let now = began + Duration::from_secs(second);
            breaker.admit_at(now).expect("closed").count(SLOW_DOWN, now);
        }
        let now = began + Duration::from_secs(20);
        breaker.admit_at(now).expect("closed").count(SLOW_DOWN, now);
        breaker.admit_at(now).expect_err("twenty times and nothing else");
        let never = Breaker::new(0, OPEN_FOR);
        fail_for(&never, began, 100, Duration::from_secs(1));
    }

    #[test]
    fn who_leaves_without_an_answer_leaves_the_trial_to_the_next() {
        let (breaker, began) = (Breaker::new(1, OPEN_FOR), Instant::now());
        fail_for(&breaker, began, 2, STREAK_MIN);
        // `drop` takes the time of the machine, which is not later.
        drop(breaker.admit_at(began + Duration::from_mins(1)).expect("one tries"));
        breaker.admit_at(began + Duration::from_mins(1)).expect("and so does the next");
    }
}
