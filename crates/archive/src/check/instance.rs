//! One instance: its row, its header, its object.

use aws_lc_rs::digest;
use database::{HeaderRecord, StoredInstance};
use dicom_header::{FileMetaReader, HeaderReader, Limits};
use futures_util::TryStreamExt as _;
use model::instance::InstanceHeader;
use object_storage::{ObjectKey, SealedObject, StorageError};

use crate::Archive;

/// How much of an object is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Its first and last bytes: it is there, has its length and is sealed as the row says.
    Ends,
    /// All of it: opened, hashed, and its header and frame table made again.
    Whole,
}

/// What is wrong with an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// Nothing is under its name.
    #[error("its object is missing")]
    Missing,
    /// The object is damaged, cut, or another one.
    #[error("its object is not what was stored: {0}")]
    Altered(&'static str),
    /// Its patient's key is gone.
    #[error("its patient's key is gone: nothing can open it")]
    KeyMissing,
    /// Other bytes than the row says.
    #[error("the SHA-256 of its data set differs from its row")]
    OtherBytes,
    /// The row does not say what the object is.
    #[error("its row and its object disagree on {0}")]
    RowDiffers(&'static str),
    /// The header does not say what the data set says.
    #[error("its stored header differs from what its data set gives: {0}")]
    HeaderDiffers(&'static str),
    /// There is no header.
    #[error("it has no stored header")]
    NoHeader,
}

/// Why nothing can be said about an instance.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The store did not answer.
    #[error(transparent)]
    Storage(StorageError),
}

impl Archive {
    /// Compares an instance's object with its row, and as a whole with its header, too. `None` when all is well.
    ///
    /// # Errors
    /// The store does not answer: nothing is known.
    pub async fn check_instance(
        &self,
        instance: &StoredInstance,
        header: Option<&HeaderRecord>,
        depth: Depth,
    ) -> Result<Option<Difference>, CheckError> {
        let expected = match self.find_object(instance).await? {
            Ok(expected) => expected,
            Err(difference) => return Ok(Some(difference)),
        };
        let Some(header) = header else { return Ok(Some(Difference::NoHeader)) };
        match depth {
            Depth::Ends => Ok(None),
            Depth::Whole => match self.check_whole(instance, &expected, header).await {
                Ok(difference) => Ok(difference),
                Err(error) => known(error).map(Some),
            },
        }
    }

    /// Compares the ends of an instance's object with its row: whether what was stored is still there to be read.
    /// `None` when all is well.
    ///
    /// # Errors
    /// The store does not answer: nothing is known.
    pub async fn check_object(&self, instance: &StoredInstance) -> Result<Option<Difference>, CheckError> {
        Ok(self.find_object(instance).await?.err())
    }

    /// The object as its row has it, when it is there.
    async fn find_object(
        &self,
        instance: &StoredInstance,
    ) -> Result<Result<SealedObject, Difference>, CheckError> {
        let found = match self.storage().find(ObjectKey::from_uuid(instance.object_key)).await {
            Ok(found) => found,
            Err(error) => return known(error).map(Err),
        };
        let Ok(expected) = SealedObject::new(instance.object_key, &instance.object_seal) else {
            return Ok(Err(Difference::RowDiffers("the seal")));
        };
        if found.seal != expected.seal {
            return Ok(Err(Difference::RowDiffers("the seal")));
        }
        if expected.seal.length_bytes() != instance.object_length_bytes {
            return Ok(Err(Difference::RowDiffers("the length")));
        }
        Ok(Ok(expected))
    }

    async fn check_whole(
        &self,
        instance: &StoredInstance,
        object: &SealedObject,
        header: &HeaderRecord,
    ) -> Result<Option<Difference>, StorageError> {
        let mut bytes = self.storage().read(object).await?;
        let mut file_meta = FileMetaReader::new();
        let mut data_set: Option<DataSet> = None;
        let mut position = 0_u64;
        while let Some(chunk) = bytes.try_next().await? {
            position += chunk.len() as u64;
            if let Some(data_set) = &mut data_set {
                data_set.push(&chunk);
                continue;
            }
            let Ok(read) = file_meta.push(&chunk) else {
                return Ok(Some(Difference::RowDiffers("the file meta group")));
            };
            let Some(read) = read else { continue };
            if read.meta.transfer_syntax_uid != instance.transfer_syntax_uid
                || read.meta.media_storage_sop_instance_uid.as_ref() != Some(&instance.sop_instance_uid)
            {
                return Ok(Some(Difference::RowDiffers("the file meta group")));
            }
            if position - read.data_set_start.len() as u64 != instance.data_set_offset {
                return Ok(Some(Difference::RowDiffers("where the data set starts")));
            }
            let mut begun = DataSet::new(instance);
            begun.push(&read.data_set_start);
            data_set = Some(begun);
        }
        Ok(match data_set {
            None => Some(Difference::RowDiffers("the file meta group")),
            Some(data_set) => data_set.compare(instance, header),
        })
    }
}

/// What is known by the error; else nothing is known.
fn known(error: StorageError) -> Result<Difference, CheckError> {
    match error {
        StorageError::NotFound(_) => Ok(Difference::Missing),
        StorageError::Altered { what, .. } => Ok(Difference::Altered(what)),
        StorageError::PastEnd { .. } => Ok(Difference::Altered("it is too short")),
        StorageError::KeyMissing(_) => Ok(Difference::KeyMissing),
        error => Err(CheckError::Storage(error)),
    }
}

/// A data set on its way through hash and header reader.
struct DataSet {
    hash: digest::Context,
    length: u64,
    header: HeaderReader,
    readable: bool,
}

impl DataSet {
    fn new(instance: &StoredInstance) -> Self {
        Self {
            hash: digest::Context::new(&digest::SHA256),
            length: 0,
            header: HeaderReader::new(&instance.transfer_syntax_uid, Limits::default()),
            readable: true,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        self.readable = self.readable && self.header.push(bytes).is_ok();
    }

    fn compare(self, instance: &StoredInstance, header: &HeaderRecord) -> Option<Difference> {
        if self.length != instance.data_set_length_bytes {
            return Some(Difference::RowDiffers("the length of the data set"));
        }
        if self.hash.finish().as_ref() != instance.data_set_sha256 {
            return Some(Difference::OtherBytes);
        }
        match self.header.finish() {
            Ok(made) if self.readable => compare_header(&made, instance, header),
            _ => Some(Difference::HeaderDiffers("the data set cannot be read")),
        }
    }
}

fn compare_header(
    made: &InstanceHeader,
    instance: &StoredInstance,
    header: &HeaderRecord,
) -> Option<Difference> {
    let same_place = made.study.study_instance_uid == instance.study_instance_uid
        && made.series.series_instance_uid == instance.series_instance_uid
        && made.instance.sop_instance_uid == instance.sop_instance_uid;
    let differences = [
        (!same_place, Difference::RowDiffers("study, series or instance")),
        (made.json != header.json, Difference::HeaderDiffers("DICOM JSON")),
        (made.frame_table != header.frame_table, Difference::HeaderDiffers("frame table")),
        (made.pixel_module != header.pixel_module, Difference::HeaderDiffers("pixel description")),
        (made.bulk_data != header.bulk_data, Difference::HeaderDiffers("bulk data")),
    ];
    differences.into_iter().find(|(differs, _)| *differs).map(|(_, difference)| difference)
}
