//! Unwrapped patient keys: bounded in number and in age.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use uuid::Uuid;

use super::{MEMORY_AGE_MAX, PatientKey};

/// Keys kept at once.
const KEYS_MAX: usize = 4096;

#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<Uuid, Entry>>);

struct Entry {
    key: Arc<PatientKey>,
    since: Instant,
    used: Instant,
}

impl Cache {
    pub(super) fn get(&self, id: Uuid) -> Option<Arc<PatientKey>> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get_mut(&id)?;
        if entry.since.elapsed() >= MEMORY_AGE_MAX {
            entries.remove(&id);
            return None;
        }
        entry.used = Instant::now();
        Some(Arc::clone(&entry.key))
    }

    pub(super) fn put(&self, key: Arc<PatientKey>) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= KEYS_MAX {
            entries.retain(|_, entry| entry.since.elapsed() < MEMORY_AGE_MAX);
        }
        if entries.len() >= KEYS_MAX
            && let Some(oldest) = entries.iter().min_by_key(|(_, entry)| entry.used).map(|(id, _)| *id)
        {
            entries.remove(&oldest);
        }
        let now = Instant::now();
        entries.insert(key.id(), Entry { key, since: now, used: now });
    }

    pub(super) fn forget(&self, id: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}
