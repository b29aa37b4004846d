//! The root key in a file, 0600: 32 bytes in base64 and a newline. `root.key.next` is there while a rotation runs.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use uuid::Uuid;
use zeroize::Zeroizing;

use super::{KeysConfig, root::RootKey};
use crate::{error::StorageError, seal::Secret};

/// Longest key file that is read.
const FILE_MAX_BYTES: u64 = 4096;

/// Where the key that takes the place of `file` is kept until the rotation is over.
pub(super) fn next_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".next");
    PathBuf::from(name)
}

/// The keys that are there, the one of the finished rotation first.
pub(super) async fn load(file: &Path) -> Result<Vec<Arc<RootKey>>, StorageError> {
    let mut keys = Vec::new();
    for path in [file.to_owned(), next_file(file)] {
        keys.extend(blocking(move || read(&path)).await?.map(Arc::new));
    }
    Ok(keys)
}

/// The key that is there, if there is one.
pub(super) fn read(path: &Path) -> Result<Option<RootKey>, StorageError> {
    let failed = |error: io::Error| {
        StorageError::Keys(format!("the root key file {} cannot be read: {error}", path.display()))
    };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(failed)?,
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = path.display();
        return Err(StorageError::Keys(format!(
            "the root key file {path} can be read by others (mode {mode:o}): whoever read it can read every X-ray. \
             Run chmod 600 {path}, and think about `maxray key rotate --root`"
        )));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
    let key = RootKey::from_base64(&text);
    key.map(Some).ok_or_else(|| failed(io::Error::other("it does not hold 32 bytes in base64")))
}

/// Makes the file with a new key; it is durable when this returns.
pub(super) async fn make(path: &Path) -> Result<RootKey, StorageError> {
    let path = path.to_owned();
    blocking(move || {
        let key = RootKey::new(Secret::generate()?);
        let mut text = key.to_base64();
        text.push('\n');
        write(&path, text.as_bytes()).map_err(|error| {
            StorageError::Keys(format!("the root key file {} cannot be made: {error}", path.display()))
        })?;
        tracing::info!(path = %path.display(), root_key_id = %key.id(), "made a root key; keep a copy of it elsewhere");
        Ok(key)
    })
    .await
}

/// Half a key must never have the name: written beside it, synced, then linked to a name that must be free.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{}", Uuid::now_v7()));
    let unfinished = PathBuf::from(name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let written =
        file.write_all(text).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&unfinished, path));
    drop(fs::remove_file(&unfinished));
    written?;
    sync_parent(path)
}

/// After a rotation that a crash cut off behind its last step: the new key gets its place. A new key that the marker
/// does not know was never used.
pub(super) async fn tidy(config: &KeysConfig, current: Uuid, next: Option<Uuid>) -> Result<(), StorageError> {
    let file = config.root_file.clone();
    blocking(move || {
        let waiting = next_file(&file);
        match read(&waiting)?.map(|key| key.id()) {
            Some(id) if id == current => replace(&waiting, &file),
            Some(id) if Some(id) != next => fs::remove_file(&waiting).and_then(|()| sync_parent(&file)),
            _ => Ok(()),
        }
        .map_err(|error| {
            StorageError::Keys(format!("the root key file {} cannot be replaced: {error}", file.display()))
        })
    })
    .await
}

/// Puts the new key in the place of the old one, which is gone then.
fn replace(waiting: &Path, file: &Path) -> io::Result<()> {
    fs::rename(waiting, file)?;
    sync_parent(file)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StorageError::Stopping)?
}
