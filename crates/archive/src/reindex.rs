//! From an object back to its rows: everything that the index holds of an instance is read from the object again.

use std::sync::Arc;

use aws_lc_rs::digest;
use database::{DatabaseError, NewInstance, Origin, StoreInstanceError, StoreOutcome};
use dicom_header::{FileMetaRead, FileMetaReader, HeaderError, HeaderReader, Limits};
use futures_util::TryStreamExt as _;
use object_storage::{ObjectKey, ObjectKind, StorageError};

use crate::Archive;

/// Why an object has no row after all.
#[derive(Debug, thiserror::Error)]
pub enum ReindexError {
    /// It cannot be read: damaged, or its patient's key is gone.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What it holds is no instance.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The database does not take it.
    #[error(transparent)]
    Refused(#[from] StoreInstanceError),
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Archive {
    /// Reads an object for the index; `None` for pictures and other things that are no instance.
    ///
    /// The instance's id is the object's name, so that reading it twice gives one row.
    ///
    /// # Errors
    /// The object is damaged, or the store fails.
    pub async fn read_for_index(&self, key: ObjectKey) -> Result<Option<NewInstance>, ReindexError> {
        let object = self.storage().find(key).await?;
        if object.seal.kind() != ObjectKind::Instance {
            return Ok(None);
        }
        let mut bytes = self.storage().read(&object).await?;
        let mut file_meta = FileMetaReader::new();
        let mut reading: Option<Reading> = None;
        let mut received = 0_u64;
        while let Some(chunk) = bytes.try_next().await? {
            received += chunk.len() as u64;
            if let Some(reading) = &mut reading {
                reading.push(&chunk)?;
            } else if let Some(read) = file_meta.push(&chunk)? {
                reading = Some(Reading::begin(read, received)?);
            }
        }
        let reading = reading.ok_or(HeaderError::Truncated { offset: received })?;
        let mut new = reading.finish(key)?;
        new.object_length_bytes = object.seal.length_bytes();
        new.object_seal = object.seal.to_bytes().to_vec();
        new.patient_key_id = object.seal.patient_key_id();
        new.conflict_policy = self.config().conflict_policy;
        Ok(Some(new))
    }

    /// Gives an instance its rows again.
    ///
    /// # Errors
    /// What the identity rules refuse, and failures of the database.
    pub async fn index(&self, new: NewInstance) -> Result<StoreOutcome, ReindexError> {
        Ok(self.database().store_instance(Arc::new(new)).await?)
    }
}

/// A data set on its way out of its object.
struct Reading {
    header: HeaderReader,
    hash: digest::Context,
    data_set_offset: u64,
    data_set_length: u64,
    origin: Origin,
}

impl Reading {
    /// `received`: bytes of the object so far, those in `read` too.
    fn begin(read: FileMetaRead, received: u64) -> Result<Self, ReindexError> {
        let FileMetaRead { meta, data_set_start, .. } = read;
        let mut reading = Self {
            header: HeaderReader::new(&meta.transfer_syntax_uid, Limits::default()),
            hash: digest::Context::new(&digest::SHA256),
            data_set_offset: received - data_set_start.len() as u64,
            data_set_length: 0,
            origin: Origin {
                door: "reindex",
                calling_ae: meta.source_application_entity_title,
                called_ae: None,
                user_id: None,
                own_studies_only: false,
                source_address: String::new(),
                request_id: String::new(),
            },
        };
        reading.push(&data_set_start)?;
        Ok(reading)
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), ReindexError> {
        self.hash.update(bytes);
        self.data_set_length += bytes.len() as u64;
        Ok(self.header.push(bytes)?)
    }

    fn finish(self, key: ObjectKey) -> Result<NewInstance, ReindexError> {
        let mut data_set_sha256 = [0; 32];
        data_set_sha256.copy_from_slice(self.hash.finish().as_ref());
        Ok(NewInstance {
            id: key.uuid(),
            object_key: key.uuid(),
            object_length_bytes: 0,
            object_seal: Vec::new(),
            patient_key_id: uuid::Uuid::nil(),
            data_set_offset: self.data_set_offset,
            data_set_length_bytes: self.data_set_length,
            data_set_sha256,
            header: self.header.finish()?,
            origin: self.origin,
            conflict_policy: database::ConflictPolicy::KeepBoth,
        })
    }
}
