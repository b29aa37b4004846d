//! The archive over a real SQLite database and a real directory: what the tests share.

mod bytes_of;
mod read;
mod refuse;
mod store;

use bytes::Bytes;
use database::{Database, DatabaseConfig, HeaderRecord, Origin, StoredInstance};
use futures_util::TryStreamExt as _;
use model::{StudyInstanceUid, TransferSyntaxUid, access::Scope, clock::Clock, transfer_syntax as syntax};
use object_storage::{KeysConfig, ObjectStorage, ObjectStorageConfig};
use tempfile::TempDir;

use crate::{Archive, ArchiveConfig, ByteStream, Form, StoreError, Stored};

struct Kit {
    root: TempDir,
    archive: Archive,
}

impl Kit {
    async fn open() -> Self {
        Self::with(ArchiveConfig::default()).await
    }

    async fn with(config: ArchiveConfig) -> Self {
        let root = TempDir::new().expect("tempdir");
        let (for_database, for_objects) = (DatabaseConfig::default(), ObjectStorageConfig::default());
        let database = Database::open(&for_database, root.path(), Clock::system()).await.expect("database");
        let storage =
            ObjectStorage::open(&for_objects, &KeysConfig::default(), root.path()).await.expect("storage");
        Self { root, archive: Archive::new(database, storage, config, Clock::system()) }
    }

    async fn store(&self, form: Form, bytes: &[u8], chunk: usize) -> Result<Stored, StoreError> {
        let mut writer = self.archive.store_instance(origin(), form);
        for part in bytes.chunks(chunk) {
            writer.write(Bytes::copy_from_slice(part)).await?;
        }
        writer.commit().await
    }

    /// A bare data set in Explicit VR Little Endian.
    async fn store_data_set(&self, data_set: &[u8]) -> Result<Stored, StoreError> {
        self.store(explicit(), data_set, 1 << 16).await
    }

    async fn instance(&self, stored: &Stored) -> (StoredInstance, HeaderRecord) {
        let database = self.archive.database();
        let (study, sop) = (&stored.study_instance_uid, &stored.sop_instance_uid);
        let mut found =
            database.instances(&Scope::internal(), study, None, Some(sop)).await.expect("instances");
        let instance = found.pop().expect("the instance is visible");
        let header = database.header(instance.id).await.expect("header").expect("there is one");
        (instance, header)
    }

    async fn object_count(&self) -> usize {
        self.archive.storage().list().try_collect::<Vec<_>>().await.expect("list").len()
    }

    fn spool_is_empty(&self) -> bool {
        std::fs::read_dir(self.root.path().join("spool")).expect("spool").next().is_none()
    }

    /// Nothing of what was refused is left, on the disk or in the database.
    async fn assert_holds(&self, instances: usize) {
        assert!(self.spool_is_empty(), "something is left in the spool");
        assert_eq!(self.object_count().await, instances, "objects");
        let counts = self.archive.database().counts().await.expect("counts");
        assert_eq!((counts.instances + counts.conflicts) as usize, instances, "rows");
    }
}

fn origin() -> Origin {
    Origin {
        door: "dimse",
        calling_ae: Some("CR1".parse().expect("title")),
        called_ae: Some("MAXRAY".parse().expect("title")),
        user_id: None,
        own_studies_only: false,
        source_address: "127.0.0.1".to_owned(),
        request_id: "1".to_owned(),
    }
}

fn transfer_syntax(uid: &str) -> TransferSyntaxUid {
    TransferSyntaxUid::parse(uid).expect("UID")
}

fn explicit() -> Form {
    in_syntax(syntax::EXPLICIT_VR_LITTLE_ENDIAN)
}

fn in_syntax(uid: &str) -> Form {
    Form::DataSet { transfer_syntax: transfer_syntax(uid), expected: None }
}

fn part10(expected_study: Option<&str>) -> Form {
    let expected_study = expected_study.map(|uid| StudyInstanceUid::parse(uid).expect("UID"));
    Form::Part10 { expected_study }
}

async fn collect(stream: ByteStream) -> Vec<u8> {
    stream.try_collect::<Vec<_>>().await.expect("stream").concat()
}
