//! The keys: root key -> patient keys -> the data key in each object's seal.
//!
//! A patient key is 256 random bits in a small object of the store, `keys/UUID`, wrapped by the root key. Destroying
//! that object makes everything of the patient unreadable for ever, wherever copies of the objects are. A key is
//! durable before anything is sealed with it, and serves one patient only (the database binds them); so a new
//! patient costs no sync on the way in, spare keys are made ahead.

mod cache;
mod config;
mod patient;
mod root;
mod root_file;
mod rotate;
mod spares;

#[cfg(test)]
mod tests;

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use tokio::sync::{Mutex, RwLock};
use uuid::Uuid;

use self::{cache::Cache, root::Roots, spares::Spares};
use crate::{backend::Backend, error::StorageError, key::KeyName};

pub use {config::KeysConfig, patient::PatientKey, root::RootStatus, rotate::Rewrapped};

/// How long an unwrapped key, or a root key that a command gave, is used without asking again.
const MEMORY_AGE_MAX: Duration = Duration::from_mins(15);

/// Why a patient key is destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destruction {
    /// The patient was erased.
    Erased,
    /// Everything was sealed anew with another key.
    Rotated,
}

impl Destruction {
    fn as_str(self) -> &'static str {
        match self {
            Self::Erased => "erased",
            Self::Rotated => "rotated",
        }
    }
}

/// The keys of a store; cheap to clone.
#[derive(Clone)]
pub struct Keyring(Arc<Inner>);

struct Inner {
    backend: Backend,
    config: KeysConfig,
    roots: RwLock<Roots>,
    cache: Cache,
    spares: Spares,
    /// Held while a key object is rewrapped or destroyed, so that the one does not undo the other.
    changing: Mutex<()>,
}

impl Keyring {
    /// Gets the root key, and checks that it is the one that the store was made with.
    ///
    /// `owner`: may make a root key for a store that is empty, and removes keys that an old copy brought back.
    pub(crate) async fn open(
        backend: Backend,
        config: &KeysConfig,
        data_directory: &Path,
        owner: bool,
    ) -> Result<Self, StorageError> {
        config.check()?;
        let config = config.in_directory(data_directory);
        let roots = root::open(&backend, &config, owner).await?;
        let keyring = Self(Arc::new(Inner {
            backend,
            config,
            roots: RwLock::new(roots),
            cache: Cache::default(),
            spares: Spares::default(),
            changing: Mutex::new(()),
        }));
        if owner {
            keyring.remove_resurrected().await?;
        }
        Ok(keyring)
    }

    /// A patient key, ready for use.
    ///
    /// # Errors
    /// [`StorageError::KeyMissing`] when it was destroyed, [`StorageError::KeyAltered`],
    /// [`StorageError::KeysUnavailable`] and failures of the store.
    pub async fn patient_key(&self, id: Uuid) -> Result<Arc<PatientKey>, StorageError> {
        if let Some(key) = self.0.cache.get(id) {
            return Ok(key);
        }
        let bytes = self.0.backend.get_key(&KeyName::Patient(id)).await?;
        let bytes = bytes.ok_or(StorageError::KeyMissing(id))?;
        let root_id = patient::root_of(&bytes).ok_or(StorageError::KeyAltered(id))?;
        let root = self.root(root_id).await?.ok_or(StorageError::KeyAltered(id))?;
        let key = patient::unwrap(id, &bytes, &root).ok_or(StorageError::KeyAltered(id))?;
        let key = Arc::new(key);
        self.0.cache.put(Arc::clone(&key));
        Ok(key)
    }

    /// A durable key that no patient has.
    ///
    /// # Errors
    /// [`StorageError::KeysUnavailable`] and failures of the store.
    pub async fn spare(&self) -> Result<Arc<PatientKey>, StorageError> {
        let key = match self.0.spares.take() {
            Some(key) => key,
            None => self.make_keys(1).await?.pop().ok_or(StorageError::GivenUp)?,
        };
        self.refill_in_background();
        self.0.cache.put(Arc::clone(&key));
        Ok(key)
    }

    /// Destroys a patient key: a mark that it must not come back, then the key itself. Doing it again is harmless.
    ///
    /// # Errors
    /// Failures of the store. The key may be there still, or only its mark.
    pub async fn destroy(&self, id: Uuid, why: Destruction) -> Result<(), StorageError> {
        let _changing = self.0.changing.lock().await;
        self.forget(id);
        self.mark_destroyed(id, why).await?;
        self.remove_key_object(id).await?;
        self.forget(id);
        Ok(())
    }

    async fn mark_destroyed(&self, id: Uuid, why: Destruction) -> Result<(), StorageError> {
        let text = bytes::Bytes::from_static(why.as_str().as_bytes());
        self.0.backend.put_key(&KeyName::Erased(id), text).await
    }

    /// Why a key was destroyed; `None` when it was not.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn destruction(&self, id: Uuid) -> Result<Option<Destruction>, StorageError> {
        let mark = self.0.backend.get_key(&KeyName::Erased(id)).await?;
        // Whatever else is in the mark: the key must not be used.
        Ok(mark.map(|text| if text == "rotated" { Destruction::Rotated } else { Destruction::Erased }))
    }

    async fn remove_key_object(&self, id: Uuid) -> Result<(), StorageError> {
        self.0.backend.delete_key(&KeyName::Patient(id)).await
    }

    /// How long what a rotation replaced stays, for readers that began before.
    pub fn rotation_grace(&self) -> Duration {
        Duration::from_millis(self.0.config.rotation_grace_ms)
    }

    /// How long a node that says nothing keeps the work on keys it is at.
    pub fn job_lease(&self) -> Duration {
        Duration::from_millis(self.0.config.job_lease_ms)
    }

    /// Drops a key from memory: another process destroyed it.
    pub fn forget(&self, id: Uuid) {
        self.0.cache.forget(id);
    }

    /// Ids of every key object, and of every key that was destroyed.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn list(&self) -> Result<(HashSet<Uuid>, HashSet<Uuid>), StorageError> {
        let (mut present, mut destroyed) = (HashSet::new(), HashSet::new());
        for name in self.0.backend.list_keys().await? {
            match name {
                KeyName::Patient(id) => drop(present.insert(id)),
                KeyName::Erased(id) => drop(destroyed.insert(id)),
                KeyName::Root | KeyName::Beat => {}
            }
        }
        Ok((present, destroyed))
    }

    /// A copy of an old `keys` that was put back brings destroyed keys with it; their marks tell.
    async fn remove_resurrected(&self) -> Result<(), StorageError> {
        let (present, destroyed) = self.list().await?;
        for id in present.intersection(&destroyed) {
            tracing::warn!(key_id = %id, "a destroyed patient key was there again and is removed");
            self.remove_key_object(*id).await?;
        }
        Ok(())
    }
}
