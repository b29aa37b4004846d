//! Times of files.

use std::{
    fs, io,
    time::{Duration, SystemTime},
};

use super::{Directory, blocking, not_found_or};
use crate::{error::StorageError, key::ObjectKey};

impl Directory {
    /// The last change of an object is its end: it is never written again.
    pub(crate) async fn finished_at(&self, key: ObjectKey) -> Result<SystemTime, StorageError> {
        let path = self.object_path(key);
        blocking(move || {
            let modified = fs::metadata(&path).and_then(|metadata| metadata.modified());
            modified.map_err(|error| not_found_or("stat object", key, error))
        })
        .await
    }

    /// Parts in the spool and the time since their last byte.
    pub(crate) async fn unfinished(&self) -> Result<Vec<(String, Duration)>, StorageError> {
        let spool = self.spool.clone();
        blocking(move || {
            let mut parts = Vec::new();
            for entry in fs::read_dir(spool).map_err(StorageError::io("list the spool"))? {
                let entry = entry.map_err(StorageError::io("list the spool"))?;
                match entry.metadata().and_then(|metadata| metadata.modified()) {
                    Ok(at) => {
                        let age = SystemTime::now().duration_since(at).unwrap_or_default();
                        parts.push((entry.file_name().to_string_lossy().into_owned(), age));
                    }
                    // Finished while we looked.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(StorageError::io("stat a part")(error)),
                }
            }
            Ok(parts)
        })
        .await
    }
}
