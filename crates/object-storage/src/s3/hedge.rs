//! Reads whose answer is late are asked for a second time: one slow disk or gateway of many keeps no viewer waiting. The
//! first answer is taken, and only a small part of all reads is asked for twice, so that a bucket that is slow as a whole
//! does not get twice the work. Writes are never hedged.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::{Either, select};
use tokio::time::Instant;

/// How many reads the estimate is made of, and after how many more it is made again.
const SAMPLES: usize = 128;
const ESTIMATED_EVERY: u32 = 16;
/// The second request waits for the first answer as long as 95 of 100 reads took, within these bounds.
const DELAY_MIN: Duration = Duration::from_millis(50);
const DELAY_MAX: Duration = Duration::from_secs(3);
/// While nothing is known.
const DELAY_FIRST: Duration = Duration::from_secs(1);
/// What a second request costs; each read brings as many points as reads of a hundred may have one.
const PRICE: u32 = 100;
/// Second requests that may be saved up for a bad moment, and those that there are at first.
const SAVED_MAX: u32 = 10 * PRICE;
const SAVED_FIRST: u32 = 3 * PRICE;

/// Decides when a read is asked for again.
pub(super) struct Hedge {
    percent_max: u32,
    state: Mutex<State>,
}

struct State {
    /// How long answers took to begin, the newest last.
    recent: VecDeque<Duration>,
    since_estimate: u32,
    delay: Duration,
    points: u32,
}

impl Hedge {
    pub(super) fn new(percent_max: u8) -> Self {
        let state = State {
            recent: VecDeque::with_capacity(SAMPLES),
            since_estimate: 0,
            delay: DELAY_FIRST,
            points: if percent_max > 0 { SAVED_FIRST } else { 0 },
        };
        Self { percent_max: percent_max.into(), state: Mutex::new(state) }
    }

    /// The first answer to what `ask` asks, once or twice. An error is taken when no other answer is to come.
    pub(super) async fn first_answer<T, F>(&self, ask: impl Fn() -> F) -> object_store::Result<T>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let began = Instant::now();
        let delay = self.begin();
        let mut first = pin!(ask());
        if let Ok(answer) = tokio::time::timeout(delay, first.as_mut()).await {
            if answer.is_ok() {
                self.note(began.elapsed());
            }
            return answer;
        }
        if !self.may_ask_again() {
            let answer = first.await;
            if answer.is_ok() {
                self.note(began.elapsed());
            }
            return answer;
        }
        let asked_again = Instant::now();
        let second = pin!(ask());
        let (answer, taken) = match select(first, second).await {
            Either::Left((Err(_), second)) => (second.await, "second"),
            Either::Right((Err(_), first)) => (first.await, "first"),
            Either::Left((answer, _)) => (answer, "first"),
            Either::Right((answer, _)) => (answer, "second"),
        };
        metrics::counter!("maxray_s3_hedged_reads_total", "taken" => taken).increment(1);
        if answer.is_ok() {
            // The one that is dropped took at least so long.
            self.note(began.elapsed());
            if taken == "second" {
                self.note(asked_again.elapsed());
            }
        }
        answer
    }

    /// One more read: how long it waits for its answer before it asks again.
    fn begin(&self) -> Duration {
        let mut state = self.state();
        state.points = (state.points + self.percent_max).min(SAVED_MAX);
        state.delay
    }

    fn may_ask_again(&self) -> bool {
        let mut state = self.state();
        let left = state.points.checked_sub(PRICE);
        state.points = left.unwrap_or(state.points);
        left.is_some()
    }

    fn note(&self, took: Duration) {
        let mut state = self.state();
        if state.recent.len() == SAMPLES {
            state.recent.pop_front();
        }
        state.recent.push_back(took);
        state.since_estimate += 1;
        if state.since_estimate < ESTIMATED_EVERY {
            return;
        }
        state.since_estimate = 0;
        let mut sorted: Vec<Duration> = state.recent.iter().copied().collect();
        sorted.sort_unstable();
        let slow = sorted.get(sorted.len() * 95 / 100).copied();
        state.delay = slow.unwrap_or(DELAY_FIRST).clamp(DELAY_MIN, DELAY_MAX);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Asks; every request but the one with this number takes so long, that one for ever.
    async fn ask(hedge: &Hedge, took: Duration, hanging: Option<u32>) -> (Duration, u32) {
        let asked = AtomicU32::new(0);
        let began = Instant::now();
        let answer = hedge.first_answer(|| {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            async move {
                if Some(number) == hanging {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(took).await;
                Ok(number)
            }
        });
        answer.await.expect("an answer");
        (began.elapsed(), asked.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_hangs_is_asked_for_again_and_soon_when_others_are_quick() {
        let hedge = Hedge::new(5);
        let (waited, asked) = ask(&hedge, Duration::from_millis(5), Some(0)).await;
        assert_eq!(asked, 2);
        assert!(waited < DELAY_FIRST + Duration::from_millis(20), "{waited:?}");
        // The one that hung is among the samples for a while.
        for _ in 0..2 * SAMPLES {
            assert_eq!(ask(&hedge, Duration::from_millis(5), None).await.1, 1);
        }
        let (waited, asked) = ask(&hedge, Duration::from_millis(5), Some(0)).await;
        assert_eq!(asked, 2);
        assert!(waited < DELAY_MIN + Duration::from_millis(20), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_that_is_slow_as_a_whole_is_not_asked_twice_for_everything() {
        let hedge = Hedge::new(5);
        let mut requests = 0;
        for _ in 0..400 {
            requests += ask(&hedge, Duration::from_secs(8), None).await.1;
        }
        assert!(requests <= 400 + 400 / 20 + 3, "{requests} requests for 400 reads");
        let never = Hedge::new(0);
        for _ in 0..100 {
            assert_eq!(ask(&never, Duration::from_secs(8), None).await.1, 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_is_taken_only_when_no_answer_is_to_come() {
        let hedge = Hedge::new(5);
        let asked = AtomicU32::new(0);
        let answer = hedge.first_answer(|| {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(DELAY_FIRST * 2).await;
                let (operation, implementer) = ("a read".to_owned(), "a test".to_owned());
                let refused = object_store::Error::NotImplemented { operation, implementer };
                if number == 0 { Err(refused) } else { Ok(number) }
            }
        });
        assert_eq!(answer.await.expect("the second one's answer"), 1);
    }
}
