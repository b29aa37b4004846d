//! Keys made ahead, so that a new patient costs the way in no sync of the disk.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use uuid::Uuid;

use super::{Keyring, PatientKey, patient};
use crate::{error::StorageError, key::KeyName, seal::Secret};

/// Fewer are refilled.
const SPARES_LOW: usize = 16;
/// Up to so many. What a process that ends does not use stays as files of 100 bytes that open nothing.
const SPARES_FULL: usize = 32;

#[derive(Default)]
pub(super) struct Spares {
    ready: Mutex<VecDeque<Arc<PatientKey>>>,
    refilling: AtomicBool,
}

impl Spares {
    pub(super) fn take(&self) -> Option<Arc<PatientKey>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn count(&self) -> usize {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn add(&self, keys: Vec<Arc<PatientKey>>) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).extend(keys);
    }
}

impl Keyring {
    /// New durable keys.
    pub(super) async fn make_keys(&self, count: usize) -> Result<Vec<Arc<PatientKey>>, StorageError> {
        self.ask_again_when_old().await?;
        // Held until they are durable: a rotation that begins meanwhile would list the key objects without these, and
        // then drop the root key that wraps them.
        let roots = self.0.roots.read().await;
        let root = roots.newest();
        let (mut keys, mut objects) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for _ in 0..count {
            let (id, secret) = (Uuid::now_v7(), Secret::generate()?);
            objects.push((KeyName::Patient(id), Bytes::from(patient::wrap(id, &secret, root)?)));
            keys.push(Arc::new(PatientKey::new(id, &secret)));
        }
        self.0.backend.put_keys(objects).await?;
        Ok(keys)
    }

    pub(super) fn refill_in_background(&self) {
        let spares = &self.0.spares;
        if spares.count() >= SPARES_LOW || spares.refilling.swap(true, Ordering::AcqRel) {
            return;
        }
        let keyring = self.clone();
        tokio::spawn(async move {
            let missing = SPARES_FULL.saturating_sub(keyring.0.spares.count());
            match keyring.make_keys(missing).await {
                Ok(keys) => keyring.0.spares.add(keys),
                Err(error) => tracing::warn!(%error, "spare patient keys could not be made"),
            }
            keyring.0.spares.refilling.store(false, Ordering::Release);
        });
    }

    /// A spare that was not needed after all: nothing was sealed with it.
    pub fn give_back(&self, spare: Arc<PatientKey>) {
        self.0.spares.add(vec![spare]);
    }

    /// Removes the spares, at the end of the process: nothing was sealed with them.
    ///
    /// # Errors
    /// Failures of the store; what is left opens nothing.
    pub async fn discard_spares(&self) -> Result<(), StorageError> {
        while let Some(key) = self.0.spares.take() {
            self.0.backend.delete_key(&KeyName::Patient(key.id())).await?;
        }
        Ok(())
    }
}
