//! Key objects: `keys/NAME`, replaced in one step. New content is synced before it gets the name, and the directory
//! after it; a removed name is synced away, so that a destroyed key does not come back with a power cut.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use bytes::Bytes;
use uuid::Uuid;

use super::{Directory, blocking, sync_directory};
use crate::{error::StorageError, key::KeyName};

/// How the names of unfinished files begin.
const UNFINISHED: &str = ".new-";

impl Directory {
    /// One sync of the directory for all.
    pub(crate) async fn put_keys(&self, keys: Vec<(KeyName, Bytes)>) -> Result<(), StorageError> {
        let directory = self.keys.clone();
        blocking(move || {
            for (name, bytes) in &keys {
                let unfinished = directory.join(format!("{UNFINISHED}{}", Uuid::now_v7()));
                let written = write_synced(&unfinished, bytes)
                    .and_then(|()| fs::rename(&unfinished, directory.join(name.file_name())));
                if written.is_err() {
                    // The next start removes it when this fails, too.
                    drop(fs::remove_file(&unfinished));
                }
                written.map_err(StorageError::io("write a key"))?;
            }
            sync_directory(&directory).map_err(StorageError::io("sync the key directory"))
        })
        .await
    }

    pub(crate) async fn get_key(&self, name: &KeyName) -> Result<Option<Bytes>, StorageError> {
        let path = self.keys.join(name.file_name());
        blocking(move || match fs::read(path) {
            Ok(bytes) => Ok(Some(Bytes::from(bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::io("read a key")(error)),
        })
        .await
    }

    pub(crate) async fn delete_key(&self, name: &KeyName) -> Result<(), StorageError> {
        let (directory, path) = (self.keys.clone(), self.keys.join(name.file_name()));
        blocking(move || {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StorageError::io("delete a key")(error));
                }
                _ => {}
            }
            sync_directory(&directory).map_err(StorageError::io("sync the key directory"))
        })
        .await
    }

    pub(crate) async fn list_keys(&self) -> Result<Vec<KeyName>, StorageError> {
        let directory = self.keys.clone();
        blocking(move || {
            let mut names = Vec::new();
            for entry in fs::read_dir(directory).map_err(StorageError::io("list keys"))? {
                let name = entry.map_err(StorageError::io("list keys"))?.file_name();
                names.extend(name.to_str().and_then(KeyName::parse));
            }
            Ok(names)
        })
        .await
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Files that a process left which died while it wrote a key.
pub(super) fn remove_unfinished(keys: &Path) -> io::Result<()> {
    for entry in fs::read_dir(keys)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(UNFINISHED)) {
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}
