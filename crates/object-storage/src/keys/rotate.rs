//! Changing the root key: every key object is wrapped anew; objects are not touched. Each step can be repeated, and
//! patient keys can be read throughout, by the old root key or the new one.

use std::sync::Arc;

use bytes::Bytes;
use fail_point::Point;
use uuid::Uuid;

use super::{Keyring, patient, root::Marker, root_file};
use crate::{error::StorageError, key::KeyName};

/// How far a rotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rewrapped {
    /// Key objects that were looked at.
    pub keys: u64,
    /// Those that were wrapped anew.
    pub rewrapped: u64,
}

impl Keyring {
    /// Makes a new root key beside the old one, when none is there: from now on new keys are wrapped by it.
    ///
    /// # Errors
    /// [`StorageError::Keys`] when the root key is not in a file: then the settings name the new one.
    pub async fn begin_root_rotation(&self) -> Result<(), StorageError> {
        let mut roots = self.0.roots.write().await;
        if roots.next.is_some() {
            return Ok(());
        }
        if !self.0.config.uses_file() {
            return Err(StorageError::Keys(
                "the root key comes from the settings: give the new one as keys.root (or let keys.root_command print \
                 it), the one in use as keys.root_previous, and start the server again"
                    .to_owned(),
            ));
        }
        let next = Arc::new(root_file::make(&root_file::next_file(&self.0.config.root_file)).await?);
        let marker = Marker { root_key_id: roots.current.id(), next_root_key_id: Some(next.id()) };
        marker.write(&self.0.backend).await?;
        roots.next = Some(next);
        Ok(())
    }

    /// Wraps the key objects anew that the old root key still wraps, in the order of their ids.
    ///
    /// # Errors
    /// Failures of the store, and [`StorageError::KeyAltered`]: the old root key stays until it is mended.
    pub async fn rewrap_all(&self, mut progress: impl FnMut(Rewrapped)) -> Result<Rewrapped, StorageError> {
        let mut done = Rewrapped::default();
        let (present, _) = self.list().await?;
        let mut ids: Vec<Uuid> = present.into_iter().collect();
        ids.sort_unstable();
        for id in ids {
            done.keys += 1;
            done.rewrapped += u64::from(self.rewrap(id).await?);
            progress(done);
        }
        Ok(done)
    }

    async fn rewrap(&self, id: Uuid) -> Result<bool, StorageError> {
        let _changing = self.0.changing.lock().await;
        let target = self.wrapping_root().await?;
        // Destroyed meanwhile.
        let Some(bytes) = self.0.backend.get_key(&KeyName::Patient(id)).await? else { return Ok(false) };
        let root_id = patient::root_of(&bytes).ok_or(StorageError::KeyAltered(id))?;
        if root_id == target.id() {
            return Ok(false);
        }
        let root = self.root(root_id).await?.ok_or(StorageError::KeyAltered(id))?;
        let secret = patient::unwrap_secret(id, &bytes, &root).ok_or(StorageError::KeyAltered(id))?;
        let object = Bytes::from(patient::wrap(id, &secret, &target)?);
        self.0.backend.put_key(&KeyName::Patient(id), object).await?;
        fail_point::pass(Point::K38KeyRewrapped);
        // Another node may have destroyed it between the look and the write.
        if self.0.backend.get_key(&KeyName::Erased(id)).await?.is_some() {
            self.remove_key_object(id).await?;
        }
        Ok(true)
    }

    /// Drops the old root key, once nothing is wrapped by it.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn finish_root_rotation(&self) -> Result<(), StorageError> {
        let mut roots = self.0.roots.write().await;
        let Some(next) = roots.next.clone() else { return Ok(()) };
        let marker = Marker { root_key_id: next.id(), next_root_key_id: None };
        marker.write(&self.0.backend).await?;
        if self.0.config.uses_file() {
            root_file::tidy(&self.0.config, next.id(), None).await?;
        }
        roots.current = next;
        roots.next = None;
        Ok(())
    }
}
