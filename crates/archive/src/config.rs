//! Settings of the archive: the section `[archive]`.

use database::ConflictPolicy;
use serde::{Deserialize, Serialize};

/// The section `[archive]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArchiveConfig {
    /// Longest instance that is taken.
    pub object_length_max_bytes: u64,
    /// What to do with other content under a known SOP Instance UID: `keep-both` (the first stays current, the second
    /// is hidden and reported) or `refuse` (0x0111).
    pub conflict_policy: ConflictPolicy,
    /// Longest frame that is read into memory at once; longer ones can only be streamed.
    pub frame_length_max_bytes: u64,
    /// How long what was deleted can be restored.
    pub delete_grace_ms: u64,
    /// Whether two administrators have to ask for the same deletion, within 24 hours.
    pub delete_two_person: bool,
}

impl Default for ArchiveConfig {
    fn default() -> Self {
        Self {
            object_length_max_bytes: 4 << 30,
            conflict_policy: ConflictPolicy::KeepBoth,
            frame_length_max_bytes: 512 << 20,
            delete_grace_ms: 7 * 24 * 3_600_000,
            delete_two_person: true,
        }
    }
}
