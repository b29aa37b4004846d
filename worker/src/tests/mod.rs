//! The worker over a real SQLite archive: what the tests share.

mod forget;
mod key_jobs;
mod orphans;
mod previews;
mod relay;

use std::time::Duration;

use archive::{Archive, ArchiveConfig, Form, Origin};
use bytes::Bytes;
use database::{Database, DatabaseConfig, PreviewState};
use model::{StudyInstanceUid, TransferSyntaxUid, access::Scope, clock::Clock};
use object_storage::{KeysConfig, ObjectStorage, ObjectStorageConfig};
use service::{
    decoder::DecoderPool, events::EventBus, identity::DoctorKeys, notifications::NotificationsConfig,
    shutdown::Shutdown,
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{WebhookClient, WorkerConfig, WorkerState, run};

const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const RLE: &str = "1.2.840.10008.1.2.5";
const STUDY: &str = "1.2.3";
/// Longest wait for something that should happen.
const PATIENCE: Duration = Duration::from_secs(20);

struct Kit {
    _root: TempDir,
    state: WorkerState,
}

impl Kit {
    async fn open(handle: fn(&[u8]) -> Vec<u8>) -> Self {
        Self::open_at(handle, Clock::system()).await
    }

    async fn open_at(handle: fn(&[u8]) -> Vec<u8>, clock: Clock) -> Self {
        Self::open_with(handle, clock, KeysConfig::default()).await
    }

    async fn open_with(handle: fn(&[u8]) -> Vec<u8>, clock: Clock, keys: KeysConfig) -> Self {
        let root = TempDir::new().expect("tempdir");
        let (for_database, for_objects) = (DatabaseConfig::default(), ObjectStorageConfig::default());
        let database = Database::open(&for_database, root.path(), clock.clone()).await.expect("database");
        let storage = ObjectStorage::open(&for_objects, &keys, root.path()).await.expect("storage");
        let config = WorkerConfig {
            poll_interval_ms: 50,
            relay_mark_interval_ms: 20,
            preview_retry_ms: 10,
            ..WorkerConfig::default()
        };
        let archive = Archive::new(database, storage, ArchiveConfig::default(), clock.clone());
        let (events, decoder) = (EventBus::new(), DecoderPool::in_process(handle));
        let notifications = NotificationsConfig::default();
        let state = WorkerState {
            archive,
            events,
            decoder,
            doctor_keys: DoctorKeys::ephemeral().expect("keys"),
            webhooks: WebhookClient::new(&notifications.webhooks).expect("a client"),
            mailer: None,
            broker: None,
            config,
            notifications,
            clock,
        };
        Self { _root: root, state }
    }

    async fn store(&self, sop: &str, transfer_syntax: &str, data_set: Vec<u8>) -> Uuid {
        let origin = Origin {
            door: "import",
            calling_ae: None,
            called_ae: None,
            user_id: None,
            own_studies_only: false,
            source_address: "127.0.0.1".to_owned(),
            request_id: "1".to_owned(),
        };
        let transfer_syntax = TransferSyntaxUid::parse(transfer_syntax).expect("UID");
        let mut writer =
            self.state.archive.store_instance(origin, Form::DataSet { transfer_syntax, expected: None });
        writer.write(Bytes::from(data_set)).await.expect("write");
        let stored = writer.commit().await.expect("commit");
        assert_eq!(stored.sop_instance_uid.as_str(), sop);
        let study = StudyInstanceUid::parse(STUDY).expect("UID");
        let database = self.state.archive.database();
        let found =
            database.instances(&Scope::internal(), &study, None, Some(&stored.sop_instance_uid)).await;
        found.expect("instances").pop().expect("visible").id
    }

    /// Runs the worker while `work` waits for something.
    async fn while_running<T>(&self, work: impl Future<Output = T>) -> T {
        let shutdown = Shutdown::new();
        let worker = tokio::spawn(run(self.state.clone(), shutdown.clone()));
        let done = tokio::time::timeout(PATIENCE, work).await.expect("it happened in time");
        shutdown.begin();
        tokio::time::timeout(PATIENCE, worker).await.expect("the worker stops").expect("it did not panic");
        done
    }

    /// Waits until a preview is made or given up.
    async fn preview(&self, id: Uuid) -> PreviewState {
        loop {
            match self.state.archive.database().preview(id).await.expect("preview") {
                PreviewState::Pending => tokio::time::sleep(Duration::from_millis(10)).await,
                ended => return ended,
            }
        }
    }
}

/// An instance in Explicit VR Little Endian, 16 bits, with `pixel_data` as the last element when there is one.
fn data_set(sop: &str, rows: u16, columns: u16, pixel_data: Option<Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut element = |tag: u32, vr: &str, value: &[u8]| {
        bytes.extend(((tag >> 16) as u16).to_le_bytes());
        bytes.extend((tag as u16).to_le_bytes());
        bytes.extend(vr.as_bytes());
        let odd = value.len() % 2;
        bytes.extend(((value.len() + odd) as u16).to_le_bytes());
        bytes.extend(value);
        bytes.extend(&[0][..odd]);
    };
    element(0x0008_0016, "UI", b"1.2.840.10008.5.1.4.1.1.1");
    element(0x0008_0018, "UI", sop.as_bytes());
    element(0x0008_0060, "CS", b"CR");
    element(0x0010_0020, "LO", b"42");
    element(0x0020_000d, "UI", STUDY.as_bytes());
    element(0x0020_000e, "UI", b"1.2.3.4");
    element(0x0028_0002, "US", &1_u16.to_le_bytes());
    element(0x0028_0004, "CS", b"MONOCHROME2 ");
    for (tag, number) in [(0x0028_0010, rows), (0x0028_0011, columns), (0x0028_0100, 16), (0x0028_0101, 12)] {
        element(tag, "US", &number.to_le_bytes());
    }
    element(0x0028_0102, "US", &11_u16.to_le_bytes());
    element(0x0028_0103, "US", &0_u16.to_le_bytes());
    bytes.extend(pixel_data.unwrap_or_default());
    bytes
}

/// A native Pixel Data element: a slope from black to white.
fn slope(rows: u16, columns: u16) -> Vec<u8> {
    let length = u32::from(rows) * u32::from(columns) * 2;
    let mut element = vec![0xe0, 0x7f, 0x10, 0x00, b'O', b'W', 0, 0];
    element.extend(length.to_le_bytes());
    for row in 0..rows {
        element.extend((0..columns).flat_map(|column| (row.wrapping_add(column) & 0x0fff).to_le_bytes()));
    }
    element
}

/// An encapsulated Pixel Data element of one fragment.
fn fragment(frame: &[u8]) -> Vec<u8> {
    let mut element = vec![0xe0, 0x7f, 0x10, 0x00, b'O', b'B', 0, 0, 0xff, 0xff, 0xff, 0xff];
    element.extend([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0, 0xfe, 0xff, 0x00, 0xe0]);
    element.extend((frame.len() as u32).to_le_bytes());
    element.extend(frame);
    element.extend([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]);
    element
}
