//! The room of a file system, and what of it stays free for the database: the reserve.

use std::{io, path::Path};

/// What a file system says of itself, and what we leave of it.
#[derive(Debug, Clone, Copy)]
pub struct Disk {
    /// Free for this process.
    pub free_bytes: u64,
    /// All of it.
    pub size_bytes: u64,
    /// What new objects leave free.
    pub reserve_bytes: u64,
}

impl Disk {
    /// Asks the file system that holds `path`. The reserve is capped at `reserve_percent_max` of it; 100 is no cap.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn of(path: &Path, reserve_bytes: u64, reserve_percent_max: u8) -> io::Result<Self> {
        let status = rustix::fs::statvfs(path)?;
        let size_bytes = status.f_blocks.saturating_mul(status.f_frsize);
        let reserve_bytes = if reserve_percent_max >= 100 {
            reserve_bytes
        } else {
            reserve_bytes.min(size_bytes / 100 * u64::from(reserve_percent_max))
        };
        Ok(Self { free_bytes: status.f_bavail.saturating_mul(status.f_frsize), size_bytes, reserve_bytes })
    }

    /// Shows it at `/metrics`, as the disk of `objects` or of `data`.
    pub fn tell(&self, of: &'static str) {
        metrics::gauge!("maxray_disk_free_bytes", "of" => of).set(self.free_bytes as f64);
        metrics::gauge!("maxray_disk_size_bytes", "of" => of).set(self.size_bytes as f64);
        metrics::gauge!("maxray_disk_reserve_bytes", "of" => of).set(self.reserve_bytes as f64);
    }
}
