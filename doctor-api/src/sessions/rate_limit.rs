//! How often something may fail in a minute, by key. Held in this process.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};

/// The window in seconds.
const WINDOW_SECONDS: i64 = 60;

/// Keys remembered at once; when there are more, those that are quiet longest are forgotten first.
const KEYS_MAX: usize = 20_000;

/// Counts attempts of the last minute for each key.
pub struct RateLimit {
    per_minute: usize,
    attempts: Mutex<HashMap<String, VecDeque<DateTime<Utc>>>>,
}

impl RateLimit {
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute: per_minute as usize, attempts: Mutex::new(HashMap::new()) }
    }

    /// Counts an attempt, or says in how many seconds one is possible again.
    pub fn take(&self, key: &str, now: DateTime<Utc>) -> Result<(), u32> {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if attempts.len() >= KEYS_MAX && !attempts.contains_key(key) {
            forget(&mut attempts, now);
        }
        let times = attempts.entry(key.to_owned()).or_default();
        drop_old(times, now);
        if times.len() >= self.per_minute {
            let oldest = times.front().copied().unwrap_or(now);
            let wait = (oldest + TimeDelta::seconds(WINDOW_SECONDS) - now).num_seconds() + 1;
            return Err(u32::try_from(wait.clamp(1, WINDOW_SECONDS)).unwrap_or(1));
        }
        times.push_back(now);
        Ok(())
    }

    /// Takes one attempt back: it succeeded, and only failures count.
    pub fn give_back(&self, key: &str) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = attempts.get_mut(key) {
            times.pop_back();
            if times.is_empty() {
                attempts.remove(key);
            }
        }
    }
}

fn drop_old(times: &mut VecDeque<DateTime<Utc>>, now: DateTime<Utc>) {
    let from = now - TimeDelta::seconds(WINDOW_SECONDS);
    while times.front().is_some_and(|time| *time <= from) {
        times.pop_front();
    }
}

/// Drops every key without a recent attempt, and the quieter half when there is none.
fn forget(attempts: &mut HashMap<String, VecDeque<DateTime<Utc>>>, now: DateTime<Utc>) {
    attempts.retain(|_, times| {
        drop_old(times, now);
        !times.is_empty()
    });
    if attempts.len() >= KEYS_MAX {
        let mut last: Vec<_> = attempts.values().filter_map(|times| times.back().copied()).collect();
        let middle = last.len() / 2;
        let (_, median, _) = last.select_nth_unstable(middle);
        let median = *median;
        attempts.retain(|_, times| times.back().is_some_and(|time| *time > median));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).expect("time")
    }

    #[test]
    fn five_in_a_minute_for_each_key() {
        let limit = RateLimit::new(5);
        for second in 0..5 {
            assert_eq!(limit.take("a", at(second)), Ok(()));
        }
        assert_eq!(limit.take("a", at(10)), Err(51));
        assert_eq!(limit.take("b", at(10)), Ok(()));
        assert_eq!(limit.take("a", at(61)), Ok(()));
    }

    #[test]
    fn what_is_given_back_does_not_count() {
        let limit = RateLimit::new(1);
        for _ in 0..10 {
            assert_eq!(limit.take("a", at(0)), Ok(()));
            limit.give_back("a");
        }
        assert!(limit.attempts.lock().expect("lock").is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let limit = RateLimit::new(2);
        for index in 0_i64..20_100 {
            let now = at(index / 1000);
            assert_eq!(limit.take(&index.to_string(), now), Ok(()));
        }
        assert!(limit.attempts.lock().expect("lock").len() <= KEYS_MAX);
    }
}
