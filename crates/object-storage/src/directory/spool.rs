//! A file in the spool on its way to becoming an object. Blocking: runs off the async threads.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::PathBuf,
    sync::Arc,
};

use fail_point::Point;
use rustix::{
    fs::{CWD, OFlags, RenameFlags},
    io::Errno,
};

use super::{Directory, Durability, Step, sync_directory};
use crate::{error::StorageError, key::ObjectKey};

/// Removes a file when dropped, unless told to leave it. It travels with the work from thread to thread, so that
/// nothing stays behind wherever the work stops.
struct Removal(Option<PathBuf>);

impl Removal {
    fn cancel(mut self) {
        self.0 = None;
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        if let Some(path) = self.0.take()
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(%error, path = %path.display(), "could not remove what is left of an object");
        }
    }
}

/// `spool/UUID.part`, removed when dropped.
pub(super) struct Part {
    directory: Arc<Directory>,
    key: ObjectKey,
    file: File,
    removal: Removal,
    /// Writes bypass the page cache.
    direct: bool,
    length: u64,
}

/// An object with its final name, durable, but not yet known to the one who asked for it: removed when dropped.
pub(super) struct Finished(Removal);

impl Finished {
    /// The one who asked has it.
    pub(super) fn keep(self) {
        self.0.cancel();
    }
}

impl Part {
    /// `direct` is a wish: file systems without `O_DIRECT` refuse it at open or at the first write.
    pub(super) fn create(
        directory: Arc<Directory>,
        key: ObjectKey,
        direct: bool,
    ) -> Result<Self, StorageError> {
        let path = directory.part_path(key);
        let open = |flags: OFlags| {
            let flags = i32::try_from(flags.bits()).unwrap_or(0);
            OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(flags).open(&path)
        };
        let failed = StorageError::io("create a file in the spool");
        if let Err(error) = directory.step(Step::CreatePart) {
            return Err(failed(error));
        }
        let (file, direct) = if direct {
            match open(OFlags::DIRECT) {
                // Linux has made the file by then on some file systems.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {
                    drop(fs::remove_file(&path));
                    (open(OFlags::empty()), false)
                }
                result => (result, true),
            }
        } else {
            (open(OFlags::empty()), false)
        };
        let file = file.map_err(failed)?;
        let removal = Removal(Some(path));
        fail_point::reach(Point::K3PartCreated).map_err(StorageError::io("create a file in the spool"))?;
        Ok(Self { directory, key, file, removal, direct, length: 0 })
    }

    /// Appends whole sectors from an aligned address.
    pub(super) fn append_aligned(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        match self.write(bytes) {
            Err(error) if self.direct && Errno::from_io_error(&error) == Some(Errno::INVAL) => {
                self.append(bytes)
            }
            result => result.map_err(StorageError::io("write an object")),
        }
    }

    /// Appends anything, through the page cache: the disk takes only whole sectors directly.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        if self.direct && !bytes.is_empty() {
            let flags = rustix::fs::fcntl_getfl(&self.file).map_err(StorageError::io("write an object"))?;
            rustix::fs::fcntl_setfl(&self.file, flags - OFlags::DIRECT)
                .map_err(StorageError::io("write an object"))?;
            self.direct = false;
        }
        self.write(bytes).map_err(StorageError::io("write an object"))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.directory.step(Step::Write)?;
        self.file.write_all_at(bytes, self.length)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Steps 2 to 4 of the [module's](super) words.
    pub(super) fn finish(self, durability: Durability) -> Result<Finished, StorageError> {
        let Self { directory, key, file, removal, .. } = self;
        let part = directory.part_path(key);
        let object = directory.object_path(key);

        if durability == Durability::Synced {
            directory.step(Step::SyncFile).map_err(StorageError::io("sync an object"))?;
            fail_point::reach(Point::K6BeforeFileSync).map_err(StorageError::io("sync an object"))?;
            rustix::fs::fdatasync(&file).map_err(StorageError::io("sync an object"))?;
            fail_point::reach(Point::K7FileSynced).map_err(StorageError::io("sync an object"))?;
        }

        directory.step(Step::Rename).map_err(StorageError::io("name an object"))?;
        fail_point::reach(Point::K9BeforeRename).map_err(StorageError::io("name an object"))?;
        rename_without_replacing(&part, &object).map_err(StorageError::io("name an object"))?;
        removal.cancel();
        let finished = Finished(Removal(Some(object.clone())));
        fail_point::reach(Point::K10Renamed).map_err(StorageError::io("name an object"))?;

        if durability == Durability::Derived {
            return Ok(finished);
        }
        directory.step(Step::SyncShard).map_err(StorageError::io("sync a shard directory"))?;
        let shard = object.parent().expect("an object lies in a shard");
        sync_directory(shard).map_err(StorageError::io("sync a shard directory"))?;
        fail_point::reach(Point::K11ShardSynced).map_err(StorageError::io("sync a shard directory"))?;
        Ok(finished)
    }
}

/// File systems without `renameat2` flags get a hard link, which refuses an existing name as well.
fn rename_without_replacing(from: &PathBuf, to: &PathBuf) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(from, to)?;
            // The object has its name; a second name in the spool goes at the next start at the latest.
            drop(fs::remove_file(from));
            Ok(())
        }
        result => Ok(result?),
    }
}
