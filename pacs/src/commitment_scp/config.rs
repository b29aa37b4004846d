//! Section `[pacs.commitment]`: how much may be asked for, and how long its requestor is looked for.

use serde::{Deserialize, Serialize};

/// Section `[pacs.commitment]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommitmentConfig {
    /// Instances of one transaction.
    pub references_max: u32,
    /// Transactions of one AE that have not been reported on.
    pub pending_per_ae_max: u32,
    /// Reports made at once.
    pub reports_max: usize,
    /// Wait after the first attempt to report that failed; doubled after each further one.
    pub retry_first_ms: u64,
    /// Longest such wait.
    pub retry_longest_ms: u64,
    /// Time after the request from which nothing more is tried.
    pub give_up_after_ms: u64,
    /// Time for which a transaction that is over is remembered.
    pub remember_ms: u64,
}

impl Default for CommitmentConfig {
    fn default() -> Self {
        Self {
            references_max: 10_000,
            pending_per_ae_max: 100,
            reports_max: 4,
            retry_first_ms: 10_000,
            retry_longest_ms: 3_600_000,
            give_up_after_ms: 604_800_000,
            remember_ms: 604_800_000,
        }
    }
}

impl CommitmentConfig {
    /// The wait after this many attempts.
    pub fn wait_after_ms(&self, attempts: u32) -> u64 {
        let doubled = 1_u64.checked_shl(attempts.saturating_sub(1)).unwrap_or(u64::MAX);
        self.retry_first_ms.saturating_mul(doubled).min(self.retry_longest_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_an_hour_and_stay_there() {
        let config = CommitmentConfig::default();
        let seconds = |attempts| config.wait_after_ms(attempts) / 1000;
        assert_eq!([0, 1, 2, 3, 9, 10, 64, 1000].map(seconds), [10, 10, 20, 40, 2560, 3600, 3600, 3600]);
    }
}
