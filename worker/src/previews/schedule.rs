//! Which previews are being made, and which are to be left alone for a while.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

/// Longest wait, in multiples of the first.
const BACKOFF_FACTOR_MAX: u32 = 32;

enum Entry {
    Making { failures: u32 },
    Waiting { until: Instant, failures: u32 },
}

/// Entries are few: those being made, and those whose object or decoder failed.
pub(super) struct Schedule {
    entries: HashMap<Uuid, Entry>,
    retry: Duration,
}

impl Schedule {
    pub fn new(retry: Duration) -> Self {
        Self { entries: HashMap::new(), retry }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_ready(&self, id: Uuid, now: Instant) -> bool {
        match self.entries.get(&id) {
            None => true,
            Some(Entry::Making { .. }) => false,
            Some(Entry::Waiting { until, .. }) => *until <= now,
        }
    }

    pub fn begin(&mut self, id: Uuid) {
        let failures = match self.entries.get(&id) {
            Some(Entry::Waiting { failures, .. }) => *failures,
            _ => 0,
        };
        self.entries.insert(id, Entry::Making { failures });
    }

    pub fn end(&mut self, id: Uuid) {
        self.entries.remove(&id);
    }

    pub fn retry_later(&mut self, id: Uuid, now: Instant) {
        let failures = match self.entries.get(&id) {
            Some(Entry::Making { failures }) => *failures,
            _ => 0,
        };
        let factor = 1_u32.checked_shl(failures).unwrap_or(u32::MAX).min(BACKOFF_FACTOR_MAX);
        let until = now + self.retry * factor;
        self.entries.insert(id, Entry::Waiting { until, failures: failures.saturating_add(1) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_one_waits_longer_each_time() {
        let mut schedule = Schedule::new(Duration::from_secs(1));
        let (id, now) = (Uuid::nil(), Instant::now());
        assert!(schedule.is_ready(id, now));
        schedule.begin(id);
        assert!(!schedule.is_ready(id, now + Duration::from_secs(99)));
        schedule.retry_later(id, now);
        assert!(!schedule.is_ready(id, now) && schedule.is_ready(id, now + Duration::from_secs(1)));
        schedule.begin(id);
        schedule.retry_later(id, now);
        assert!(!schedule.is_ready(id, now + Duration::from_secs(1)));
        assert!(schedule.is_ready(id, now + Duration::from_secs(2)));
        schedule.end(id);
        assert_eq!(schedule.len(), 0);
    }
}
