//! The reserve: new objects are refused before the database, its log and deletes run out of room.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{disk::Disk, error::StorageError};

/// How long an answer of the file system is used.
const READING_AGE_MAX: Duration = Duration::from_secs(1);

/// Watches the free space of one file system.
pub(super) struct FreeSpace {
    path: PathBuf,
    reserve_bytes: u64,
    reserve_percent_max: u8,
    reading: Mutex<Option<Reading>>,
}

struct Reading {
    at: Instant,
    /// Free beyond the reserve when it was read, less what was taken since.
    usable_bytes: u64,
}

impl FreeSpace {
    pub(super) fn new(path: &Path, reserve_bytes: u64, reserve_percent_max: u8) -> Self {
        Self { path: path.to_owned(), reserve_bytes, reserve_percent_max, reading: Mutex::new(None) }
    }

    /// Takes `bytes` of what is free beyond the reserve.
    pub(super) fn take(&self, bytes: u64) -> Result<(), StorageError> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let mut current = match reading.take() {
            Some(fresh) if fresh.at.elapsed() < READING_AGE_MAX => fresh,
            _ => self.read()?,
        };
        let fits = current.usable_bytes > bytes;
        if fits {
            current.usable_bytes -= bytes;
        }
        *reading = Some(current);
        if fits { Ok(()) } else { Err(StorageError::OutOfSpace) }
    }

    fn read(&self) -> Result<Reading, StorageError> {
        let disk = Disk::of(&self.path, self.reserve_bytes, self.reserve_percent_max)
            .map_err(StorageError::io("ask for free space"))?;
        disk.tell("objects");
        Ok(Reading { at: Instant::now(), usable_bytes: disk.free_bytes.saturating_sub(disk.reserve_bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_capped_by_share_only_when_asked() {
        let directory = tempfile::tempdir().expect("tempdir");
        let none_left = FreeSpace::new(directory.path(), u64::MAX, 100);
        assert!(matches!(none_left.take(1), Err(StorageError::OutOfSpace)));
        assert!(FreeSpace::new(directory.path(), u64::MAX, 0).take(1).is_ok());
    }

    #[test]
    fn what_was_taken_since_the_last_reading_counts() {
        let directory = tempfile::tempdir().expect("tempdir");
        let space = FreeSpace::new(directory.path(), 0, 100);
        space.take(1).expect("space");
        if let Some(reading) = space.reading.lock().expect("lock").as_mut() {
            reading.usable_bytes = 100;
        }
        space.take(60).expect("space");
        assert!(matches!(space.take(60), Err(StorageError::OutOfSpace)));
    }
}
