//! Why bytes of an instance could not be read.

use object_storage::StorageError;

/// Why bytes of an instance could not be read. The texts hold no patient data.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The instance has no such frame, or none that can be told apart.
    #[error("frame {} does not exist", index.saturating_add(1))]
    NoSuchFrame {
        /// Index of the frame, from 0.
        index: usize,
    },
    /// The instance has no bulk data under this path.
    #[error("the instance has no such bulk data")]
    NoSuchBulkData,
    /// Longer than may be read into memory at once.
    #[error("{length_bytes} bytes are more than the {length_max_bytes} that are read at once")]
    TooLong {
        /// What was asked for.
        length_bytes: u64,
        /// The setting.
        length_max_bytes: u64,
    },
    /// What the database says about the object cannot be right.
    #[error("what is known of the object is wrong: {0}")]
    Damaged(&'static str),
    /// The object store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ReadError {
    /// True when the instance has no such thing: 404, not 500.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::NoSuchFrame { .. } | Self::NoSuchBulkData => true,
            Self::TooLong { .. } | Self::Damaged(_) | Self::Storage(_) => false,
        }
    }
}
