//! Settings of the audit trail's checkpoints.

use serde::{Deserialize, Serialize};

/// Settings of the audit trail's checkpoints; every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// Time between two checkpoints while there is something new; what a cut of the trail's end may hide.
    pub checkpoint_interval_ms: u64,
    /// Records after which one is made at once.
    pub checkpoint_records_max: u32,
    /// Directory for a second copy of the checkpoints, on storage that this machine's administrator cannot change;
    /// empty for none.
    pub witness_directory: String,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            checkpoint_interval_ms: 10_000,
            checkpoint_records_max: 1_000,
            witness_directory: String::new(),
        }
    }
}
