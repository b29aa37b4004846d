//! A file system that loses what was not synced, in memory, mounted through FUSE: a power cut without a power cut.
//!
//! Programs on it see what they would see on any Linux file system, O_DIRECT, locks and shared mappings included.
//! [`PowerCutDisk::cut`] takes the power away. What is left then:
//!
//! - of a file: its bytes and its length at its last fsync or fdatasync (or write with O_SYNC, O_DSYNC); with
//!   [`Loss::Torn`] also any of the 512-byte sectors written since, in any order;
//! - of a directory: its names at its last fsync; with [`Loss::Torn`] also the oldest changes since, as a journal would
//!   have them. A sync of a *file* makes no name durable, stricter than ext4 and XFS are and as POSIX allows;
//! - of a rename between two directories: both halves or none, once the new name's directory was synced.
//!
//! From the cut on no call returns until [`PowerCutDisk::release`], so that nothing can be acknowledged that the
//! disk does not hold. Kill the programs in between, as the cut would.
//!
//! Not modelled: permission bits, owners and times are durable at once; a directory cannot move to another
//! parent; memory is the only limit of space.

mod content;
mod disk;
mod journal;
mod mount;
mod mounted;
mod power;
mod wire;

#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread::JoinHandle,
};

use self::{disk::Disk, power::Power};
use crate::random::Random;

/// Unmounts `$1` when its input ends, which is when this process does, however that comes.
const SUPERVISE: &str =
    r#"read -r _; umount -l "$1" 2>/dev/null || fusermount3 -uz "$1" 2>/dev/null; rmdir "$1""#;

/// What happens to what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// It is lost, all of it: the least that a disk may keep.
    Unsynced,
    /// Any sectors of it are kept, and the oldest changes of names.
    Torn,
}

/// What went with the power.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// Changes of names.
    pub names: usize,
    /// Files with unsynced bytes.
    pub files: usize,
}

/// The disk. Dropping it unmounts.
#[derive(Debug)]
pub struct PowerCutDisk {
    folder: PathBuf,
    power: Arc<Power>,
    server: Option<JoinHandle<()>>,
    /// Its input is a pipe that the kernel closes when this process ends.
    supervisor: Child,
}

impl PowerCutDisk {
    /// An empty disk, mounted in a folder of its own. As root every user may use it, PostgreSQL's too.
    ///
    /// # Panics
    /// When FUSE cannot be mounted; the text says what to do.
    pub fn mount() -> Self {
        let folder = tempfile::Builder::new().prefix("maxray-disk-").tempdir().expect("a temporary folder");
        let folder = folder.keep();
        let mut supervisor = Command::new("sh");
        supervisor.args(["-c", SUPERVISE, "supervise"]).arg(&folder).current_dir("/").stdin(Stdio::piped());
        // In a group of its own, so that a runner which kills the test's group spares it.
        std::os::unix::process::CommandExt::process_group(&mut supervisor, 0);
        let supervisor = supervisor.spawn().expect("sh starts");
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let power = Arc::new(Power::on(Disk::new(owner.0, owner.1)));
        let mut disk = Self { folder, power, server: None, supervisor };
        disk.power_on();
        disk
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// As if everything on it had been synced long ago.
    pub fn settle(&self) {
        self.power.settle();
    }

    /// Takes the power away at once: from here on nothing is written and no call returns. Kill the programs, then
    /// [`Self::release`] their calls, wait for their end and [`Self::restore`].
    pub fn cut(&self) {
        self.power.cut();
    }

    /// Lets the calls that hang since the cut fail, so that killed programs can end.
    pub fn release(&self) {
        self.power.release();
    }

    /// Unmounts, loses what was not durable at the cut, and mounts what is left.
    ///
    /// # Panics
    /// When it cannot be mounted again.
    pub fn restore(&mut self, loss: Loss, random: &mut Random) -> Lost {
        self.power.release();
        self.unmount();
        let lost = self.power.lose(loss, random);
        self.power_on();
        lost
    }

    fn power_on(&mut self) {
        let device = mount::mount(&self.folder).unwrap_or_else(|error| {
            panic!(
                "FUSE cannot be mounted ({error}): it needs /dev/fuse, and root or fusermount3 (./test \
                 installs it; in a container: --device /dev/fuse --cap-add SYS_ADMIN)"
            )
        });
        let power = Arc::clone(&self.power);
        self.server = Some(std::thread::spawn(move || mounted::serve(&device, &power)));
    }

    fn unmount(&mut self) {
        if let Some(server) = self.server.take() {
            mount::unmount(&self.folder);
            let _panicked_and_said_so = server.join();
        }
    }
}

impl Drop for PowerCutDisk {
    fn drop(&mut self) {
        self.power.release();
        self.unmount();
        drop(self.supervisor.stdin.take());
        let _status = self.supervisor.wait();
    }
}
