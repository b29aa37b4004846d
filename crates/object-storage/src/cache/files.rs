//! The files of the cache: `xx/UUID.NUMBER`, a block each. Blocking: runs off the async threads.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    ops::Range,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use bytes::Bytes;
use uuid::Uuid;

use super::Block;
use crate::disk::Disk;

/// How the names of unfinished files begin.
const UNFINISHED: &str = ".new-";
/// What a file system hands out at a time.
const PAGE_BYTES: u64 = 4096;

/// Where they lie.
pub(super) struct Files {
    root: PathBuf,
    reserve_bytes: u64,
    reserve_percent_max: u8,
}

/// What a file of so many bytes takes of the disk.
pub(super) fn taken_bytes(length: u64) -> u64 {
    length.next_multiple_of(PAGE_BYTES)
}

impl Files {
    pub(super) fn new(root: PathBuf, reserve_bytes: u64, reserve_percent_max: u8) -> Self {
        Self { root, reserve_bytes, reserve_percent_max }
    }

    /// Makes the directory; true when nothing is in it.
    pub(super) fn prepare(&self) -> io::Result<bool> {
        make_directory(&self.root)?;
        Ok(fs::read_dir(&self.root)?.next().is_none())
    }

    fn path(&self, block: Block) -> PathBuf {
        self.root.join(block.shard()).join(block.file_name())
    }

    /// A part of a block that is `length` bytes long. A file of another length is one that ends too early.
    pub(super) fn read(&self, block: Block, length: u64, part: Range<u64>) -> io::Result<Bytes> {
        let file = File::open(self.path(block))?;
        if file.metadata()?.len() != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; (part.end - part.start) as usize];
        file.read_exact_at(&mut bytes, part.start)?;
        Ok(Bytes::from(bytes))
    }

    /// False when there is no room for it. Not synced.
    pub(super) fn write(&self, block: Block, bytes: &[u8]) -> io::Result<bool> {
        make_directory(&self.root.join(block.shard()))?;
        let disk = Disk::of(&self.root, self.reserve_bytes, self.reserve_percent_max)?;
        // Twice the reserve, so that what can be had again takes no room of what cannot.
        if disk.free_bytes.saturating_sub(bytes.len() as u64) <= disk.reserve_bytes.saturating_mul(2) {
            return Ok(false);
        }
        let unfinished = self.root.join(format!("{UNFINISHED}{}", Uuid::now_v7()));
        let written = write_new(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, self.path(block)));
        if written.is_err() {
            // The next start removes it when this fails, too.
            drop(fs::remove_file(&unfinished));
        }
        written.map(|()| true)
    }

    /// Those that are not there are no error.
    pub(super) fn remove(&self, blocks: &[Block]) -> io::Result<()> {
        blocks.iter().try_for_each(|block| remove_file(&self.path(*block)))
    }

    /// Tells of every block, its length and when it was written, until `found` wants no more; then removes what was never
    /// finished.
    pub(super) fn list(&self, mut found: impl FnMut(Block, u64, SystemTime) -> bool) -> io::Result<()> {
        let mut unfinished = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let path = entry?.path();
            if path.is_dir() {
                if !list_shard(&path, &mut found)? {
                    return Ok(());
                }
            } else if is_unfinished(&path) {
                unfinished.push(path);
            }
        }
        unfinished.iter().try_for_each(|path| remove_file(path))
    }

    /// Removes all blocks, and nothing that is not ours.
    pub(super) fn clear(&self) -> io::Result<()> {
        if !self.root.is_dir() {
            return Ok(());
        }
        self.list(|block, _, _| self.remove(&[block]).is_ok())?;
        for shard in fs::read_dir(&self.root)? {
            // Something else may be in it.
            drop(fs::remove_dir(shard?.path()));
        }
        drop(fs::remove_dir(&self.root));
        Ok(())
    }
}

fn list_shard(shard: &Path, found: &mut impl FnMut(Block, u64, SystemTime) -> bool) -> io::Result<bool> {
    for entry in fs::read_dir(shard)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(block) = name.to_str().and_then(Block::from_file_name) else { continue };
        match entry.metadata() {
            Ok(metadata) => {
                if !found(block, metadata.len(), metadata.modified()?) {
                    return Ok(false);
                }
            }
            // Removed while we looked.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(UNFINISHED))
}

/// With those above it.
fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
