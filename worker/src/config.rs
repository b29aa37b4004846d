//! Section `[worker]` of the configuration.

use serde::{Deserialize, Serialize};

/// Settings of the worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerConfig {
    /// Make previews.
    pub previews: bool,
    /// Previews made at the same time; 0 for one a core.
    pub previews_parallel: usize,
    /// Longest side of a preview.
    pub preview_side_pixels: u32,
    /// Longest side of a thumbnail.
    pub thumbnail_side_pixels: u32,
    /// JPEG quality of both, 1 to 100.
    pub preview_quality: u8,
    /// Memory that the frames being rendered may take together. A larger frame is rendered alone.
    pub previews_memory_max_bytes: u64,
    /// Largest stored frame of which a preview is made.
    pub frame_length_max_bytes: u64,
    /// Time between two looks at the queues when no commit tells of new work, of this node or of one that is heard.
    pub poll_interval_ms: u64,
    /// Longest time until a published event is marked as such. After a crash, events of that time are sent again.
    pub relay_mark_interval_ms: u64,
    /// Days that an event is kept for listeners who come back, once every reader has it; 0: for ever.
    pub event_days: u32,
    /// Wait before a preview is tried again whose object or decoder failed.
    pub preview_retry_ms: u64,
    /// Wait at shutdown for previews that were begun.
    pub shutdown_grace_ms: u64,
    /// A study of which nothing has come for so long is complete; 0: that is never said so.
    pub study_quiet_seconds: u32,
    /// The same while a modality says that it is at the study (MPPS).
    pub study_under_way_seconds: u32,
    /// Time between two looks for objects that no row names; 0 for none.
    pub orphan_interval_seconds: u64,
    /// Age from which such an object is removed.
    pub orphan_grace_seconds: u64,
    /// More of them at once are not what a crash leaves: none is removed.
    pub orphans_max: usize,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            previews: true,
            previews_parallel: 0,
            preview_side_pixels: 512,
            thumbnail_side_pixels: 128,
            preview_quality: 85,
            previews_memory_max_bytes: 512 << 20,
            frame_length_max_bytes: 512 << 20,
            poll_interval_ms: 2_000,
            relay_mark_interval_ms: 1_000,
            event_days: 30,
            preview_retry_ms: 5_000,
            shutdown_grace_ms: 10_000,
            study_quiet_seconds: 60,
            study_under_way_seconds: 3_600,
            orphan_interval_seconds: 3_600,
            orphan_grace_seconds: 86_400,
            orphans_max: 1_000,
        }
    }
}

impl WorkerConfig {
    /// Previews made at the same time.
    pub(crate) fn parallel(&self) -> usize {
        if self.previews_parallel > 0 {
            return self.previews_parallel;
        }
        std::thread::available_parallelism().map_or(2, usize::from)
    }
}
