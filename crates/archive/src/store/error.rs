//! Why an instance was not stored, and the status that says so (PS3.4 B.2.3, PS3.18 I.2.2, PS3.7 C).

use database::{DatabaseError, StoreInstanceError};
use dicom_header::HeaderError;
use object_storage::StorageError;

/// Refused: out of resources (PS3.4 table B.2-1).
const OUT_OF_RESOURCES: u16 = 0xA700;
/// Error: data set does not match SOP Class (PS3.4 table B.2-1).
const DATA_SET_DOES_NOT_MATCH: u16 = 0xA900;
/// Error: cannot understand (PS3.4 table B.2-1).
const CANNOT_UNDERSTAND: u16 = 0xC000;
/// Processing failure (PS3.7 C.5.13).
const PROCESSING_FAILURE: u16 = 0x0110;
/// Duplicate SOP Instance (PS3.7 C.5.6).
const DUPLICATE_SOP_INSTANCE: u16 = 0x0111;

/// Why an instance was not stored. The texts hold no patient data.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Longer than the setting allows.
    #[error("the instance is longer than {length_max_bytes} bytes")]
    TooLarge {
        /// The setting.
        length_max_bytes: u64,
    },
    /// The bytes are no data set that could be indexed, or they end too early.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The data set is about another instance than the sender said.
    #[error("{attribute} of the data set differs from the one announced")]
    IdentityMismatch {
        /// Keyword of the attribute.
        attribute: &'static str,
    },
    /// The data set belongs to another study than the request says.
    #[error("the data set belongs to another study than the one addressed")]
    WrongStudy,
    /// The data set is of another patient than the sender said.
    #[error("the data set is of another patient than the one it was sent for")]
    WrongPatient,
    /// The SOP Instance UID is known under another study or series.
    #[error("this SOP Instance UID is known under another study or series")]
    ForeignStudy,
    /// The Series Instance UID is known under another study.
    #[error("this Series Instance UID is known under another study")]
    ForeignSeries,
    /// The Study Instance UID is known under another Patient ID.
    #[error("this Study Instance UID is known under another Patient ID")]
    StudyOfAnotherPatient,
    /// The study was begun by another sender, and this one may add to own studies alone.
    #[error("this Study Instance UID is known from another sender")]
    StudyOfAnotherSender,
    /// Another data set with this SOP Instance UID is stored, and the settings refuse a second one.
    #[error("another data set with this SOP Instance UID is stored")]
    ConflictRefused,
    /// The patient's keys changed again and again while the instance was stored.
    #[error("the patient's encryption key changed while the instance was stored")]
    PatientKeyUnusable,
    /// The object store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Nobody knows whether the transaction was committed: the answer was lost and so was the look-up. Nothing was
    /// deleted; sending again gives the answer.
    #[error("whether the instance was committed is not known")]
    CommitUnknown(#[source] DatabaseError),
    /// An earlier call on this writer failed.
    #[error("the instance was given up after an earlier failure")]
    GivenUp,
}

impl StoreError {
    /// Status (0000,0900) of the C-STORE response.
    pub fn dimse_status(&self) -> u16 {
        match self {
            Self::TooLarge { .. } => OUT_OF_RESOURCES,
            Self::Header(_)
            | Self::ForeignSeries
            | Self::StudyOfAnotherPatient
            | Self::StudyOfAnotherSender => CANNOT_UNDERSTAND,
            Self::IdentityMismatch { .. } | Self::WrongStudy | Self::WrongPatient => DATA_SET_DOES_NOT_MATCH,
            Self::ForeignStudy | Self::ConflictRefused => DUPLICATE_SOP_INSTANCE,
            Self::Storage(error) if error.is_out_of_resources() => OUT_OF_RESOURCES,
            Self::Database(error) if is_overload(error) => OUT_OF_RESOURCES,
            Self::Storage(_)
            | Self::Database(_)
            | Self::CommitUnknown(_)
            | Self::PatientKeyUnusable
            | Self::GivenUp => PROCESSING_FAILURE,
        }
    }

    /// Failure Reason (0008,1197) of the STOW-RS response: the same number.
    pub fn http_failure_reason(&self) -> u16 {
        self.dimse_status()
    }

    /// True when the same bytes may be stored at another time; false when the sender has to change them.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Storage(_)
            | Self::Database(_)
            | Self::CommitUnknown(_)
            | Self::PatientKeyUnusable
            | Self::GivenUp => true,
            Self::TooLarge { .. }
            | Self::Header(_)
            | Self::IdentityMismatch { .. }
            | Self::WrongStudy
            | Self::WrongPatient
            | Self::ForeignStudy
            | Self::ForeignSeries
            | Self::StudyOfAnotherPatient
            | Self::StudyOfAnotherSender
            | Self::ConflictRefused => false,
        }
    }
}

/// Not the instance's fault, and worth another try.
fn is_overload(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::Unavailable(_) | DatabaseError::Busy => true,
        DatabaseError::NotFound
        | DatabaseError::Conflict(_)
        | DatabaseError::Corrupt(_)
        | DatabaseError::Refused(_)
        | DatabaseError::Migrate(_)
        | DatabaseError::Sqlx(_) => false,
    }
}

impl From<StoreInstanceError> for StoreError {
    fn from(error: StoreInstanceError) -> Self {
        match error {
            StoreInstanceError::ForeignStudy => Self::ForeignStudy,
            StoreInstanceError::ForeignSeries => Self::ForeignSeries,
            StoreInstanceError::StudyOfAnotherPatient => Self::StudyOfAnotherPatient,
            StoreInstanceError::StudyOfAnotherSender => Self::StudyOfAnotherSender,
            StoreInstanceError::ConflictRefused => Self::ConflictRefused,
            StoreInstanceError::PatientKeyUnusable => Self::PatientKeyUnusable,
            StoreInstanceError::Database(error) => Self::Database(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_status() {
        let cases = [
            (StoreError::TooLarge { length_max_bytes: 1 }, 0xA700, false),
            (StoreError::Header(HeaderError::NotDicom), 0xC000, false),
            (StoreError::IdentityMismatch { attribute: "SOPInstanceUID" }, 0xA900, false),
            (StoreError::WrongStudy, 0xA900, false),
            (StoreError::WrongPatient, 0xA900, false),
            (StoreError::ForeignStudy, 0x0111, false),
            (StoreError::ForeignSeries, 0xC000, false),
            (StoreError::StudyOfAnotherPatient, 0xC000, false),
            (StoreError::StudyOfAnotherSender, 0xC000, false),
            (StoreError::ConflictRefused, 0x0111, false),
            (StoreError::Storage(StorageError::OutOfSpace), 0xA700, true),
            (StoreError::Storage(StorageError::GivenUp), 0x0110, true),
            (StoreError::Database(DatabaseError::Busy), 0xA700, true),
            (StoreError::Database(DatabaseError::Corrupt(String::new())), 0x0110, true),
            (StoreError::CommitUnknown(DatabaseError::Busy), 0x0110, true),
            (StoreError::PatientKeyUnusable, 0x0110, true),
            (StoreError::Storage(StorageError::KeysUnavailable(String::new())), 0xA700, true),
            (StoreError::GivenUp, 0x0110, true),
        ];
        for (error, status, transient) in cases {
            assert_eq!(error.dimse_status(), status, "{error:?}");
            assert_eq!(error.http_failure_reason(), status);
            assert_eq!(error.is_transient(), transient, "{error:?}");
        }
    }
}
