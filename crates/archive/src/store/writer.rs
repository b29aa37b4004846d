//! `Archive::store_instance`: the only way in, whichever door an instance came by.

use std::{mem, panic};

use bytes::Bytes;
use database::{Origin, StoreOutcome};
use dicom_header::{FileMeta, FileMetaRead, FileMetaReader, HeaderError, Identity};
use model::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid};
use tracing::Instrument as _;

use super::{
    StoreError,
    commit::{Expected, commit},
    intake::{Announced, Intake},
    metrics,
};
use crate::{Archive, activity::Receiving};

/// What comes, and what was said about it beforehand.
#[derive(Debug, Clone)]
pub enum Form {
    /// A bare data set, as in a C-STORE request.
    DataSet {
        /// The transfer syntax of the presentation context.
        transfer_syntax: TransferSyntaxUid,
        /// The UIDs of the command: the data set's must be the same.
        expected: Option<Identity>,
    },
    /// Preamble, file meta group and data set (PS3.10), as in STOW-RS or a file.
    Part10 {
        /// The study in the request's path: the data set's must be the same.
        expected_study: Option<StudyInstanceUid>,
    },
}

/// Whose a data set has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedPatient {
    /// Patient ID (0010,0020).
    pub patient_id: String,
    /// Issuer of Patient ID (0010,0021); empty for any.
    pub issuer_of_patient_id: String,
}

/// What was stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// New, known already, or kept as a conflict version; with the instance's key.
    pub outcome: StoreOutcome,
    /// Study Instance UID.
    pub study_instance_uid: StudyInstanceUid,
    /// Series Instance UID.
    pub series_instance_uid: SeriesInstanceUid,
    /// SOP Instance UID.
    pub sop_instance_uid: SopInstanceUid,
    /// SOP Class UID.
    pub sop_class_uid: SopClassUid,
    /// What was read leniently; each is one sentence without patient data.
    pub warnings: Vec<String>,
}

/// An instance on its way in. Dropped, it leaves nothing behind.
pub struct InstanceWriter {
    archive: Archive,
    origin: Origin,
    stage: Stage,
    expected: Expected,
    /// As the data set says.
    identity: Option<Identity>,
    /// As the file meta group said.
    file_meta_sop_instance_uid: Option<SopInstanceUid>,
    warnings: Vec<String>,
    received_bytes: u64,
    _receiving: Receiving,
}

enum Stage {
    FileMeta(Box<FileMetaReader>),
    DataSet(Box<Intake>),
    GivenUp,
}

impl Archive {
    /// Begins to store an instance: [`InstanceWriter::write`] its bytes as they come, then
    /// [`InstanceWriter::commit`].
    pub fn store_instance(&self, origin: Origin, form: Form) -> InstanceWriter {
        let (stage, expected_study) = match form {
            Form::DataSet { transfer_syntax, expected } => {
                let intake = Intake::new(Announced {
                    storage: self.storage().clone(),
                    transfer_syntax,
                    source: origin.calling_ae.clone(),
                    expected,
                });
                (Stage::DataSet(Box::new(intake)), None)
            }
            Form::Part10 { expected_study } => {
                (Stage::FileMeta(Box::new(FileMetaReader::new())), expected_study)
            }
        };
        InstanceWriter {
            archive: self.clone(),
            origin,
            stage,
            expected: Expected { study: expected_study, patient: None },
            identity: None,
            file_meta_sop_instance_uid: None,
            warnings: Vec::new(),
            received_bytes: 0,
            _receiving: self.0.activity.enter(),
        }
    }
}

impl InstanceWriter {
    /// Refuses a data set that is another patient's.
    #[must_use]
    pub fn of_patient(mut self, patient: ExpectedPatient) -> Self {
        self.expected.patient = Some(patient);
        self
    }

    /// The data set's UIDs, once they have come; also after an error, for the answer.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Bytes taken so far.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Takes the next bytes. Waits when storage is slower than the sender: memory stays bounded.
    ///
    /// # Errors
    /// After an error nothing of the instance is left and the writer takes no more: drain the source, report.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let result = self.take(bytes).await;
        if let Stage::DataSet(intake) = &self.stage
            && self.identity.is_none()
        {
            self.identity = intake.identity();
        }
        if let Err(error) = &result {
            self.give_up(error).await;
        }
        result
    }

    async fn take(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.received_bytes = self.received_bytes.saturating_add(bytes.len() as u64);
        let length_max_bytes = self.archive.config().object_length_max_bytes;
        if self.received_bytes > length_max_bytes {
            return Err(StoreError::TooLarge { length_max_bytes });
        }
        match &mut self.stage {
            Stage::GivenUp => Err(StoreError::GivenUp),
            Stage::DataSet(intake) => intake.write(bytes).await,
            Stage::FileMeta(reader) => match reader.push(&bytes)? {
                None => Ok(()),
                Some(read) => self.begin_data_set(read).await,
            },
        }
    }

    /// The file meta group is over: what it says is needed to read the data set, but is not kept.
    async fn begin_data_set(&mut self, read: FileMetaRead) -> Result<(), StoreError> {
        let FileMetaRead { meta, data_set_start, warnings } = read;
        let FileMeta {
            transfer_syntax_uid,
            media_storage_sop_instance_uid,
            source_application_entity_title,
            ..
        } = meta;
        self.warnings = warnings;
        self.file_meta_sop_instance_uid = media_storage_sop_instance_uid;
        let mut intake = Box::new(Intake::new(Announced {
            storage: self.archive.storage().clone(),
            transfer_syntax: transfer_syntax_uid,
            source: self.origin.calling_ae.clone().or(source_application_entity_title),
            expected: None,
        }));
        let result = intake.write(Bytes::from(data_set_start)).await;
        self.stage = Stage::DataSet(intake);
        result
    }

    async fn give_up(&mut self, error: &StoreError) {
        match mem::replace(&mut self.stage, Stage::GivenUp) {
            Stage::GivenUp => return,
            Stage::FileMeta(_) => {}
            Stage::DataSet(intake) => intake.abort().await,
        }
        metrics::record(self.origin.door, self.received_bytes, Err(error));
    }

    /// Says that all bytes have come, and makes the instance durable and known. The work goes on when the future
    /// is dropped: a sender that goes away while it waits for the answer does not tear it.
    ///
    /// # Errors
    /// Nothing is visible, except after [`StoreError::CommitUnknown`].
    pub async fn commit(self) -> Result<Stored, StoreError> {
        let Self { archive, origin, stage, expected, received_bytes, mut warnings, .. } = self;
        let file_meta_sop_instance_uid = self.file_meta_sop_instance_uid;
        let intake = match stage {
            Stage::DataSet(intake) => intake,
            Stage::GivenUp => return Err(StoreError::GivenUp),
            Stage::FileMeta(_) => {
                let error = StoreError::Header(HeaderError::Truncated { offset: received_bytes });
                metrics::record(origin.door, received_bytes, Err(&error));
                return Err(error);
            }
        };
        let work = async move {
            let door = origin.door;
            let result = commit(&archive, origin, *intake, &expected).await;
            metrics::record(door, received_bytes, result.as_ref());
            result
        };
        let mut stored = match tokio::spawn(work.in_current_span()).await {
            Ok(result) => result?,
            Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
            Err(_) => return Err(StoreError::GivenUp),
        };
        if file_meta_sop_instance_uid.is_some_and(|announced| announced != stored.sop_instance_uid) {
            warnings.push("the file meta group names another SOP Instance UID than the data set".to_owned());
        }
        warnings.append(&mut stored.warnings);
        Ok(Stored { warnings, ..stored })
    }

    /// Gives the instance up: nothing of it is left.
    pub async fn abort(self) {
        if let Stage::DataSet(intake) = self.stage {
            intake.abort().await;
        }
    }
}
