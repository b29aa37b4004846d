//! Database and object storage as one thing: the only way in for an instance, and the way to its bytes.
//!
//! **The promise.** When [`InstanceWriter::commit`] returns `Ok`, every byte is on stable storage under a key that
//! the server made, and the index row, the event and the audit record are there in one committed transaction. When
//! it returns an error, nothing is visible, or (only when the answer to a commit was lost and looking it up failed
//! as well) exactly the same complete content is. Sending again is always safe.
//!
//! The order that keeps it: all bytes hashed and read on their way into an object that nobody can see; the object
//! durable; the transaction; the answer. An object is deleted only when the database has no row that names it.
#![deny(missing_docs)]

mod activity;
mod altered;
mod beat;
mod check;
mod config;
mod deletion;
mod keys;
mod preview;
mod read;
mod reindex;
mod resends;
mod store;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use activity::Activity;
use altered::AlteredObjects;
use database::Database;
use keys::StudyKeys;
use model::clock::Clock;
use object_storage::ObjectStorage;
use resends::Resends;

pub use beat::DATABASE_BEHIND;
pub use check::{CheckError, Depth, Difference, Orphan, OrphanError};
pub use config::ArchiveConfig;
pub use database::{ConflictPolicy, Origin, StoreOutcome};
pub use deletion::Restored;
pub use dicom_header::Identity;
pub use keys::KeyJobError;
pub use object_storage::StorageError;
pub use read::{ByteStream, ReadError};
pub use reindex::ReindexError;
pub use store::{ExpectedPatient, Form, InstanceWriter, StoreError, Stored};

/// The archive; cheap to clone.
#[derive(Clone)]
pub struct Archive(Arc<Parts>);

struct Parts {
    database: Database,
    storage: ObjectStorage,
    config: ArchiveConfig,
    clock: Clock,
    activity: Arc<Activity>,
    resends: Resends,
    study_keys: StudyKeys,
    altered: AlteredObjects,
}

impl Archive {
    /// Puts a database and an object store together.
    pub fn new(database: Database, storage: ObjectStorage, config: ArchiveConfig, clock: Clock) -> Self {
        let (study_keys, altered) = (StudyKeys::default(), AlteredObjects::default());
        Self(Arc::new(Parts {
            database,
            storage,
            config,
            clock,
            activity: Activity::new(),
            resends: Resends::new(),
            study_keys,
            altered,
        }))
    }

    /// What is known about instances.
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// Where their bytes are.
    pub fn storage(&self) -> &ObjectStorage {
        &self.0.storage
    }

    /// The settings.
    pub fn config(&self) -> &ArchiveConfig {
        &self.0.config
    }

    /// Whether instances are coming in: work that can wait lets them pass.
    pub fn is_receiving(&self) -> bool {
        self.0.activity.is_busy()
    }

    /// The time.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }
}
