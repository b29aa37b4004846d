//! The only object store: what MaxRay keeps as whole files, in a directory or behind the S3 API, under one type.
//!
//! An object is written once under a key that the server made ([`ObjectKey`]), never changed and read in ranges.
//! [`ObjectWriter::finish`] returns only when the object survives a power cut; until then nobody can read it, and
//! a writer that is dropped leaves nothing behind. A finished object that no database row names is an orphan:
//! harmless, found by comparing [`ObjectStorage::list`] with the database.
//!
//! **Where encryption goes.** Only the modules `storage` and `writer` call `backend`, and every length and offset
//! above `backend` is in plain bytes. A layer that seals chunks of fixed size stands between them: in
//! [`ObjectWriter::write`] and [`ObjectWriter::finish`] before the sink, and in `read_range`, `stream_range` and
//! `length` of [`ObjectStorage`] after the backend, where a plain range becomes the range of the chunks that cover
//! it. Nothing above this crate changes.
#![deny(missing_docs)]

mod backend;
mod config;
mod directory;
mod error;
mod key;
mod s3;
mod storage;
mod writer;

pub use config::{BackendKind, ObjectStorageConfig, S3Checksum, S3Config};
pub use error::StorageError;
pub use key::ObjectKey;
pub use storage::{ObjectKeyStream, ObjectStorage, ObjectStream};
pub use writer::{ObjectWriter, StoredObject};
