//! Section `[pacs.forwarding]`: how long a destination is looked for, and how many at once.

use serde::{Deserialize, Serialize};

/// Section `[pacs.forwarding]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForwardingConfig {
    /// Destinations that are sent to at once.
    pub destinations_max: usize,
    /// Wait after the first attempt that failed; doubled after each further one.
    pub retry_first_ms: u64,
    /// Longest such wait.
    pub retry_longest_ms: u64,
    /// Time after which an instance that could not be sent is given up.
    pub give_up_after_ms: u64,
    /// Times that a destination may refuse an instance before it is given up.
    pub refusals_max: u32,
    /// Time for which it is remembered that an instance was sent.
    pub remember_ms: u64,
}

impl Default for ForwardingConfig {
    fn default() -> Self {
        Self {
            destinations_max: 4,
            retry_first_ms: 10_000,
            retry_longest_ms: 3_600_000,
            give_up_after_ms: 604_800_000,
            refusals_max: 3,
            remember_ms: 604_800_000,
        }
    }
}
