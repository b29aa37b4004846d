//! The only object store: what MaxRay keeps as whole files, in a directory or behind the S3 API, under one type.
//!
//! An object is written once under a key that the server made ([`ObjectKey`]), never changed and read in ranges.
//! [`ObjectWriter::finish`] returns only when the object survives a power cut; until then nobody can read it, and
//! a writer that is dropped leaves nothing behind. A finished object that no database row names is an orphan:
//! harmless, found by comparing [`ObjectStorage::list`] with the database.
//!
//! **Encryption.** Every object is sealed before it reaches a backend (`seal`), under a key of its own that its
//! patient's key wraps; patient keys are small objects of the same store, wrapped by the root key (`keys`). Only the
//! modules `storage`, `writer`, `keys` and `cache` call `backend`; lengths and offsets above it are in plain bytes, and a
//! plain range becomes the range of the chunks that cover it. `docs/object-format.md` has the format. What was read of a
//! bucket stays on the machine's disk as it is there (`cache`), and is proved again by whoever reads it again.
#![deny(missing_docs)]

mod backend;
mod cache;
mod config;
mod directory;
mod disk;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod key;
mod keys;
mod s3;
mod seal;
mod storage;
mod writer;

pub use config::{BackendKind, ObjectStorageConfig, S3Checksum, S3Config};
pub use disk::Disk;
pub use error::StorageError;
pub use key::ObjectKey;
pub use keys::{Destruction, Keyring, KeysConfig, PatientKey, Rewrapped, RootStatus};
pub use seal::{ObjectKind, Seal};
pub use storage::{ObjectKeyStream, ObjectStorage, ObjectStream, SealedObject};
pub use writer::{ObjectWriter, StoredObject};
