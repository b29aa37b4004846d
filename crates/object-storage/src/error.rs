//! What can go wrong with an object.

use std::io;

use rustix::io::Errno;
use uuid::Uuid;

use crate::key::ObjectKey;

/// Why an object could not be written or read. The texts hold keys and paths of the server, nothing of a patient.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The reserve of free space would be touched, or the disk or quota is full.
    #[error("no space left beyond the reserve")]
    OutOfSpace,
    /// No object has the key.
    #[error("object {0} does not exist")]
    NotFound(ObjectKey),
    /// The range asked for ends after the object: the object was cut, or what is known of it is wrong.
    #[error("object {key} ends at byte {length_bytes}, before byte {end} that was asked for")]
    PastEnd {
        /// The object.
        key: ObjectKey,
        /// End of the range asked for.
        end: u64,
        /// What the object has.
        length_bytes: u64,
    },
    /// The object would be longer than the caller allows.
    #[error("object {key} has {length_bytes} bytes, more than the {length_max_bytes} allowed")]
    TooLong {
        /// The object.
        key: ObjectKey,
        /// What the object has.
        length_bytes: u64,
        /// What the caller allows.
        length_max_bytes: u64,
    },
    /// The operating system refused.
    #[error("{operation}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The S3 server refused or did not answer.
    #[error("{operation}: {source}")]
    S3 {
        /// What was tried.
        operation: &'static str,
        /// The client's reason.
        source: Box<object_store::Error>,
    },
    /// The S3 server answers more slowly than it may.
    #[error("{operation}: the object store took too long")]
    TooSlow {
        /// What was tried.
        operation: &'static str,
    },
    /// The store kept other bytes than were sent.
    #[error("{operation}: the object store kept other bytes than were sent")]
    KeptOther {
        /// What was tried.
        operation: &'static str,
    },
    /// The store kept something other than what was written.
    #[error("object {key} was written with {written_bytes} bytes and the store says {stored_bytes}")]
    LengthDiffers {
        /// The object.
        key: ObjectKey,
        /// What was written.
        written_bytes: u64,
        /// What the store says.
        stored_bytes: u64,
    },
    /// The object is not what was written: a byte was changed, cut off, added or put in its place.
    #[error("object {key} was altered: {what}")]
    Altered {
        /// The object.
        key: ObjectKey,
        /// What differs.
        what: &'static str,
    },
    /// The patient key is not there: it was destroyed, or lost.
    #[error("patient key {0} does not exist")]
    KeyMissing(Uuid),
    /// A patient key object is not what was written, or the root key is another one.
    #[error("patient key {0} does not open with the root key")]
    KeyAltered(Uuid),
    /// The root key cannot be had at the moment.
    #[error("the encryption keys are not available: {0}")]
    KeysUnavailable(String),
    /// The keys do not fit what is stored; the text says what to do.
    #[error("encryption keys: {0}")]
    Keys(String),
    /// A setting makes no sense.
    #[error("object storage settings: {0}")]
    Config(String),
    /// The store does not keep the contract that MaxRay needs.
    #[error("the object store failed its probe ({step}): {reason}")]
    Probe {
        /// Which part of the contract.
        step: &'static str,
        /// What happened.
        reason: String,
    },
    /// An earlier call on this writer failed or was cut off.
    #[error("the object was given up after an earlier failure")]
    GivenUp,
    /// The process is stopping.
    #[error("the process is stopping")]
    Stopping,
}

impl StorageError {
    /// True when trying again later, with nothing changed, may work: the caller sheds load instead of blaming the
    /// object.
    pub fn is_out_of_resources(&self) -> bool {
        match self {
            Self::OutOfSpace
            | Self::Stopping
            | Self::S3 { .. }
            | Self::TooSlow { .. }
            | Self::KeptOther { .. }
            | Self::KeysUnavailable(_) => true,
            Self::Io { source, .. } => {
                let errno = Errno::from_io_error(source);
                matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::ROFS))
            }
            Self::NotFound(_)
            | Self::PastEnd { .. }
            | Self::TooLong { .. }
            | Self::LengthDiffers { .. }
            | Self::Altered { .. }
            | Self::KeyMissing(_)
            | Self::KeyAltered(_)
            | Self::Keys(_)
            | Self::Config(_)
            | Self::Probe { .. }
            | Self::GivenUp => false,
        }
    }

    /// For `map_err`: full disks and quotas become [`StorageError::OutOfSpace`].
    pub(crate) fn io<E: Into<io::Error>>(operation: &'static str) -> impl FnOnce(E) -> Self {
        move |source| {
            let source = source.into();
            match Errno::from_io_error(&source) {
                Some(Errno::NOSPC | Errno::DQUOT) => Self::OutOfSpace,
                _ => Self::Io { operation, source },
            }
        }
    }

    /// For `map_err` of S3 calls that read `key`.
    pub(crate) fn s3(operation: &'static str, key: ObjectKey) -> impl FnOnce(object_store::Error) -> Self {
        move |source| match source {
            object_store::Error::NotFound { .. } => Self::NotFound(key),
            source => Self::S3 { operation, source: Box::new(source) },
        }
    }

    /// For `map_err` of S3 calls that write: what is not found then is the bucket or the upload.
    pub(crate) fn s3_write(operation: &'static str) -> impl FnOnce(object_store::Error) -> Self {
        move |source| Self::S3 { operation, source: Box::new(source) }
    }
}
