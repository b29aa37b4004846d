//! Objects as files of one directory: `objects/xx/UUID`, written through `spool/UUID.part`.
//!
//! Why an object that [`DirectoryWriter::finish`] has returned for survives a power cut:
//! 1. the bytes go into a new file in `spool` (`O_EXCL`, 0600), which no reader looks at;
//! 2. `fdatasync` puts its content and its length on stable storage;
//! 3. `renameat2(NOREPLACE)` gives it its name in one step: the name never shows a part of the content, and never
//!    takes the place of another object;
//! 4. `fsync` of the shard directory puts the name on stable storage. The shard directories themselves, and every
//!    directory above them that MaxRay made, were synced when the store was opened.
//!
//! A cut before 4 leaves at most a part, removed by the next [`Directory::open`], or a whole object that no
//! database row names. Each descriptor is synced once: after a failure the kernel may call the lost pages clean, so
//! the error is final for this object. Writes that bypass the page cache still need 2: the disk has a cache too.
//!
//! Syncs of a shard are not merged between writers: with 256 shards two writers seldom meet in one, and on ext4 a
//! directory sync right after the file's costs little (measured with 0.5 MB objects: 915/s with, 1,040/s without,
//! 8 writers).

mod age;
mod buffer;
mod free_space;
mod keys;
mod read;
mod spool;
mod write;

#[cfg(test)]
mod tests;

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::task::JoinHandle;

use self::{buffer::BufferPool, free_space::FreeSpace};
pub(crate) use write::DirectoryWriter;

/// What an object must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// A power cut: file and directory are synced.
    Synced,
    /// The end of the process: it can be made again.
    Derived,
}

use crate::{config::ObjectStorageConfig, error::StorageError, key::ObjectKey, storage::ObjectKeyStream};

/// A step that touches the disk, in the order of the module's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    CreatePart,
    Write,
    SyncFile,
    Rename,
    SyncShard,
}

/// The directory store.
pub(crate) struct Directory {
    objects: PathBuf,
    keys: PathBuf,
    spool: PathBuf,
    free_space: FreeSpace,
    buffers: BufferPool,
    direct_io: bool,
    #[cfg(test)]
    pub(crate) trace: std::sync::Mutex<Vec<Step>>,
    #[cfg(test)]
    pub(crate) fail_at: std::sync::Mutex<Option<Step>>,
}

impl Directory {
    /// `owner`: this process alone writes here, and what another one left half-written goes.
    pub(crate) async fn open(
        config: &ObjectStorageConfig,
        data_directory: &Path,
        owner: bool,
    ) -> Result<Arc<Self>, StorageError> {
        let root = if config.directory.as_os_str().is_empty() {
            data_directory.to_owned()
        } else {
            config.directory.clone()
        };
        let config = config.clone();
        blocking(move || {
            make_tree(&root).map_err(StorageError::io("make the object directories"))?;
            let spool = root.join("spool");
            let keys = root.join("keys");
            if owner {
                remove_stale_parts(&spool).map_err(StorageError::io("clear the spool"))?;
                keys::remove_unfinished(&keys).map_err(StorageError::io("clear the key directory"))?;
            }
            Ok(Arc::new(Self {
                objects: root.join("objects"),
                keys,
                free_space: FreeSpace::new(&root, config.reserve_bytes, config.reserve_percent_max),
                buffers: BufferPool::default(),
                direct_io: config.direct_io,
                spool,
                #[cfg(test)]
                trace: std::sync::Mutex::default(),
                #[cfg(test)]
                fail_at: std::sync::Mutex::default(),
            }))
        })
        .await
    }

    fn object_path(&self, key: ObjectKey) -> PathBuf {
        self.objects.join(key.path())
    }

    fn part_path(&self, key: ObjectKey) -> PathBuf {
        self.spool.join(format!("{key}.part"))
    }

    pub(crate) async fn length(&self, key: ObjectKey) -> Result<u64, StorageError> {
        let path = self.object_path(key);
        blocking(move || match fs::metadata(&path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) => Err(not_found_or("stat object", key, error)),
        })
        .await
    }

    /// Not synced: an object that comes back after a power cut is an orphan, and deleting again is harmless.
    pub(crate) async fn delete(&self, key: ObjectKey) -> Result<(), StorageError> {
        let path = self.object_path(key);
        blocking(move || match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StorageError::io("delete object")(error))
            }
            _ => Ok(()),
        })
        .await
    }

    /// One shard in memory at a time.
    pub(crate) fn list(&self) -> ObjectKeyStream {
        use futures_util::{StreamExt as _, stream};
        let objects = self.objects.clone();
        let shards = stream::iter(0..=u8::MAX).then(move |shard| {
            let path = objects.join(format!("{shard:02x}"));
            blocking(move || keys_of(&path).map_err(StorageError::io("list objects")))
        });
        Box::pin(shards.flat_map(|keys| match keys {
            Ok(keys) => stream::iter(keys.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        }))
    }

    /// In tests: records the step, or fails it.
    #[cfg(test)]
    fn step(&self, step: Step) -> io::Result<()> {
        self.trace.lock().expect("no test panics with the lock").push(step);
        let fail_at = *self.fail_at.lock().expect("no test panics with the lock");
        if fail_at == Some(step) { Err(rustix::io::Errno::IO.into()) } else { Ok(()) }
    }

    #[cfg(not(test))]
    #[inline]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the tests record and fail steps here")]
    fn step(&self, _step: Step) -> io::Result<()> {
        Ok(())
    }
}

fn keys_of(shard: &Path) -> io::Result<Vec<ObjectKey>> {
    let mut keys = Vec::new();
    for entry in fs::read_dir(shard)? {
        keys.extend(entry?.file_name().to_str().and_then(ObjectKey::from_file_name));
    }
    Ok(keys)
}

/// Makes what is missing and syncs every directory that has names in it. Those that were there too: a start that was
/// killed may have made them and never come to its sync.
fn make_tree(root: &Path) -> io::Result<()> {
    make_directory(root)?;
    make_directory(&root.join("spool"))?;
    make_directory(&root.join("keys"))?;
    let objects = root.join("objects");
    make_directory(&objects)?;
    for shard in 0..=u8::MAX {
        make_private(&objects.join(format!("{shard:02x}")))?;
    }
    sync_directory(&objects)?;
    sync_directory(root)
}

fn make_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_directory(parent)?;
    make_private(path)?;
    sync_directory(parent)
}

fn make_private(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// One process owns the directory, so every part that is there when it starts is from one that died.
fn remove_stale_parts(spool: &Path) -> io::Result<()> {
    let mut removed = 0_u64;
    for entry in fs::read_dir(spool)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "part") {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    if removed > 0 {
        tracing::info!(removed, "removed parts of objects that were being written when the server stopped");
    }
    Ok(())
}

fn not_found_or(operation: &'static str, key: ObjectKey, error: io::Error) -> StorageError {
    match error.kind() {
        io::ErrorKind::NotFound => StorageError::NotFound(key),
        _ => StorageError::io(operation)(error),
    }
}

/// Runs disk work off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    joined(tokio::task::spawn_blocking(work)).await
}

async fn joined<T>(task: JoinHandle<Result<T, StorageError>>) -> Result<T, StorageError> {
    match task.await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(StorageError::Stopping),
    }
}
