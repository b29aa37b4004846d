//! Whether the store keeps the contract that MaxRay needs.

use std::sync::Arc;

use bytes::Bytes;

use super::ObjectStorage;
use crate::{
    error::StorageError,
    keys::PatientKey,
    seal::{ObjectKind, stored_length},
};

impl ObjectStorage {
    /// Proves the contract on a small object: put, length, get, range, a wrong length, delete.
    ///
    /// # Errors
    /// [`StorageError::OutOfSpace`], or [`StorageError::Probe`] with the step that failed.
    pub async fn probe(&self) -> Result<(), StorageError> {
        const CONTENT: &[u8] = b"maxray probe 0123456789";
        let failed = |step: &'static str| {
            move |error: StorageError| match error {
                StorageError::OutOfSpace => StorageError::OutOfSpace,
                error => StorageError::Probe { step, reason: error.to_string() },
            }
        };
        let differs = |step: &'static str| StorageError::Probe { step, reason: "wrong answer".to_owned() };

        let patient_key = Arc::new(PatientKey::ephemeral()?);
        let content = Bytes::from_static(CONTENT);
        let object = self.put(ObjectKind::Probe, content, &patient_key).await.map_err(failed("put"))?;
        let (key, length) = (object.key, CONTENT.len() as u64);
        let whole = stored_length(length);
        if self.backend.length(key).await.map_err(failed("length"))? != whole {
            return Err(differs("length"));
        }
        if self.read_with(&object, 0..length, &patient_key).await.map_err(failed("get"))? != CONTENT {
            return Err(differs("get"));
        }
        let part = self.backend.read_range(key, 7..12, whole).await.map_err(failed("range"))?;
        if part != object.seal.header(key).bytes()[7..12] {
            return Err(differs("range"));
        }
        match self.backend.read_range(key, 7..12, whole + 1).await {
            Err(StorageError::LengthDiffers { .. }) => {}
            _ => return Err(differs("a length that is wrong")),
        }
        self.delete(key).await.map_err(failed("delete"))?;
        match self.backend.length(key).await {
            Err(StorageError::NotFound(_)) => Ok(()),
            _ => Err(differs("length after delete")),
        }
    }
}
