//! A disk that fails under the database ends the server.

use archive::Archive;
use service::shutdown::Shutdown;

/// The database's file could not be synced. What the kernel says to a second sync means nothing, so nothing is promised
/// until a new process has opened the file.
#[derive(Debug, thiserror::Error)]
#[error("the disk failed under a commit of the database: check the disk, then start maxray again")]
pub struct DiskFailed;

impl DiskFailed {
    /// EX_SOFTWARE of sysexits.h: a supervisor starts us again.
    pub const EXIT_CODE: u8 = 70;
}

/// Returns with [`DiskFailed`] when that happens, and without when the shutdown begins.
pub async fn watch_disk(archive: Archive, shutdown: Shutdown) -> anyhow::Result<()> {
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        () = archive.database().disk_failed() => Err(DiskFailed.into()),
    }
}
