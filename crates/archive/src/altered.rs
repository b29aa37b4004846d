//! Objects that are not what was stored: told once, by an event and an audit record, besides the error that a reader
//! gets.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use database::DatabaseError;
use object_storage::{ObjectKey, StorageError};
use uuid::Uuid;

use crate::Archive;

/// One object is told of at most once in this time.
const TOLD_FOR: Duration = Duration::from_mins(10);
/// Objects remembered; beyond it all are forgotten.
const OBJECTS_MAX: usize = 4096;

/// Objects that were told of.
#[derive(Default)]
pub(crate) struct AlteredObjects(Mutex<HashMap<ObjectKey, Instant>>);

impl AlteredObjects {
    fn is_news(&self, key: ObjectKey) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= OBJECTS_MAX {
            told.clear();
        }
        match told.get(&key) {
            Some(at) if at.elapsed() < TOLD_FOR => false,
            _ => told.insert(key, Instant::now()).is_none_or(|at| at.elapsed() >= TOLD_FOR),
        }
    }
}

impl Archive {
    /// Tells of an object of an instance (`what`: `instance` or `preview`) when the error says that it was altered or
    /// is gone. The reader does not wait for it.
    pub(crate) fn tell_altered(&self, instance_id: Uuid, what: &'static str, error: &StorageError) {
        let (StorageError::Altered { key, .. } | StorageError::NotFound(key)) = error else { return };
        if !self.0.altered.is_news(*key) {
            return;
        }
        tracing::error!(xray_id = %instance_id, object = what, %error, "an object is not what was stored");
        let archive = self.clone();
        tokio::spawn(async move {
            match archive.database().record_altered_object(instance_id, what).await {
                // The instance was erased while it was read.
                Ok(()) | Err(DatabaseError::NotFound) => {}
                Err(error) => tracing::warn!(%error, "an altered object could not be recorded"),
            }
        });
    }
}
