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
