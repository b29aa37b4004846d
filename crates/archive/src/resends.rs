//! Whether senders are sending again what is here already.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Who sends one instance again sends more of them: for this long each one is looked for before it is written.
const EXPECTED_FOR: Duration = Duration::from_mins(1);

/// Remembers when an instance came that was here. Looking for each one beforehand costs every new instance a question; not looking costs
/// the first of those that come again an object that is removed at once, for the transaction decides in either case.
pub(crate) struct Resends {
    started: Instant,
    /// Milliseconds since then; 0 for none so far.
    last_ms: AtomicU64,
}

impl Resends {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), last_ms: AtomicU64::new(0) }
    }

    /// One came.
    pub(crate) fn note(&self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(now.max(1), Ordering::Relaxed);
    }

    pub(crate) fn are_expected(&self) -> bool {
        let last = self.last_ms.load(Ordering::Relaxed);
        last > 0 && self.started.elapsed() < Duration::from_millis(last) + EXPECTED_FOR
    }
}
