//! Whether instances are coming in, so that work that can wait lets them pass.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// How long after the last instance more is expected: the pause between two instances of one association.
const QUIET_AFTER: Duration = Duration::from_millis(250);

/// Counts instances on their way in.
pub(crate) struct Activity {
    receiving: AtomicUsize,
    started: Instant,
    last_end_ms: AtomicU64,
}

impl Activity {
    pub fn new() -> Arc<Self> {
        let receiving = AtomicUsize::new(0);
        Arc::new(Self { receiving, started: Instant::now(), last_end_ms: AtomicU64::new(0) })
    }

    /// One more, until the guard is dropped.
    pub fn enter(self: &Arc<Self>) -> Receiving {
        self.receiving.fetch_add(1, Ordering::Relaxed);
        Receiving(Arc::clone(self))
    }

    pub fn is_busy(&self) -> bool {
        if self.receiving.load(Ordering::Relaxed) > 0 {
            return true;
        }
        let last_end = self.last_end_ms.load(Ordering::Relaxed);
        let quiet_at = Duration::from_millis(last_end) + QUIET_AFTER;
        last_end > 0 && self.started.elapsed() < quiet_at
    }
}

/// An instance on its way in.
pub(crate) struct Receiving(Arc<Activity>);

impl Drop for Receiving {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last_end_ms.store(now.max(1), Ordering::Relaxed);
        self.0.receiving.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_while_receiving_and_a_moment_longer() {
        let activity = Activity::new();
        assert!(!activity.is_busy());
        let (one, other) = (activity.enter(), activity.enter());
        drop(one);
        assert!(activity.is_busy());
        drop(other);
        assert!(activity.is_busy(), "the next instance of the association may come");
        std::thread::sleep(QUIET_AFTER + Duration::from_millis(20));
        assert!(!activity.is_busy());
    }
}
