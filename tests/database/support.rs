//! Databases of both engines, and instances to put into them.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, Utc};
use database::{
    AuditActor, Condition, ConflictPolicy, Database, DatabaseConfig, Matching, NewInstance, Origin,
    SearchQuery, SearchRow, StoreInstanceError, StoreOutcome,
};
use model::{
    AeTitle, SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid,
    access::{Action, Principal, Role, Scope},
    clock::Clock,
    frame::{ByteRange, FrameTable},
    instance::{
        BulkDataReference, InstanceAttributes, InstanceHeader, PatientAttributes, SeriesAttributes,
        StudyAttributes,
    },
    pixel::PixelModule,
};
use tests::postgres::Postgres;
use uuid::Uuid;

/// Makes a test of each function for each engine.
macro_rules! on_both_engines {
    ($($(#[$attribute:meta])* $name:ident),* $(,)?) => {
        mod sqlite {
            $($(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::support::Home::sqlite().await).await;
            })*
        }
        mod postgres {
            $($(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::support::Home::postgres().await).await;
            })*
        }
    };
}

/// A database of its own, with a clock that the test sets.
pub struct Home {
    pub database: Database,
    pub config: DatabaseConfig,
    pub directory: tempfile::TempDir,
    seconds: Arc<AtomicI64>,
}

/// Larger groups than by default: some tests store very many.
fn config(url: String) -> DatabaseConfig {
    DatabaseConfig { url, allow_unsafe: true, group_commit_instances_max: 500, ..DatabaseConfig::default() }
}

/// When the clock of a [`Home`] starts.
pub const START: i64 = 1_767_225_600;

impl Home {
    pub async fn sqlite() -> Self {
        Self::open(config(String::new())).await
    }

    pub async fn postgres() -> Self {
        let url =
            tokio::task::spawn_blocking(|| Postgres::shared().fresh_database()).await.expect("a database");
        Self::open(config(url)).await
    }

    async fn open(config: DatabaseConfig) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let seconds = Arc::new(AtomicI64::new(START));
        let database =
            Database::open(&config, directory.path(), clock(&seconds)).await.expect("the database opens");
        Self { database, config, directory, seconds }
    }

    /// Another node or process on the same database.
    pub async fn reopen(&self) -> Database {
        Database::open(&self.config, self.directory.path(), clock(&self.seconds))
            .await
            .expect("it opens again")
    }

    /// The clock that [`Home::sleep_seconds`] sets.
    pub fn clock(&self) -> Clock {
        clock(&self.seconds)
    }

    /// Runs a statement behind the program's back.
    pub async fn sql(&self, text: &str) {
        self.try_sql(text).await.expect("the statement runs");
    }

    /// The same for a statement that may be refused.
    pub async fn try_sql(&self, text: &str) -> Result<(), sqlx::Error> {
        use sqlx::Connection as _;
        let text = sqlx::AssertSqlSafe(text.to_owned());
        if self.config.url.is_empty() {
            let path = self.directory.path().join("maxray.sqlite");
            let url = format!("sqlite://{}", path.display());
            let mut connection = sqlx_sqlite::SqliteConnection::connect(&url).await.expect("a connection");
            sqlx::raw_sql(text).execute(&mut connection).await.map(drop)
        } else {
            let mut connection =
                sqlx_postgres::PgConnection::connect(&self.config.url).await.expect("a connection");
            sqlx::raw_sql(text).execute(&mut connection).await.map(drop)
        }
    }

    /// Somebody's transaction on PostgreSQL that has begun to write and goes on until this is dropped: nothing that is committed
    /// after it is settled before.
    pub async fn somebody_writes(&self) -> Option<sqlx_postgres::PgConnection> {
        use sqlx::Connection as _;
        if self.config.url.is_empty() {
            return None;
        }
        let mut connection =
            sqlx_postgres::PgConnection::connect(&self.config.url).await.expect("a connection");
        let begin = "BEGIN; SELECT pg_current_xact_id()";
        sqlx::raw_sql(begin).execute(&mut connection).await.expect("a transaction");
        Some(connection)
    }

    /// A number of PostgreSQL, read behind the program's back.
    pub async fn number(&self, text: &str) -> i64 {
        use sqlx::Connection as _;
        let mut connection =
            sqlx_postgres::PgConnection::connect(&self.config.url).await.expect("a connection");
        let text = sqlx::AssertSqlSafe(text.to_owned());
        sqlx::query_scalar(text).fetch_one(&mut connection).await.expect("a number")
    }

    pub fn now(&self) -> DateTime<Utc> {
        at(self.seconds.load(Ordering::SeqCst))
    }

    pub fn sleep_seconds(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    pub async fn store(&self, new: NewInstance) -> Result<StoreOutcome, StoreInstanceError> {
        self.database.store_instance(new).await
    }

    /// Stores what must become a visible instance.
    pub async fn put(&self, new: NewInstance) -> Uuid {
        let id = new.id;
        assert_eq!(self.store(new).await.expect("stored"), StoreOutcome::Stored { id });
        id
    }

    pub async fn find(&self, query: &SearchQuery) -> Vec<SearchRow> {
        self.database.search(&Scope::internal(), query).await.expect("a search").rows
    }

    /// Study Instance UIDs that one condition finds.
    pub async fn studies_with(&self, attribute: database::Attribute, matching: Matching) -> Vec<String> {
        let conditions = vec![Condition { attribute, matching }];
        study_uids(&self.find(&SearchQuery { conditions, limit: 100, ..SearchQuery::default() }).await)
    }
}

fn clock(seconds: &Arc<AtomicI64>) -> Clock {
    let seconds = Arc::clone(seconds);
    Clock::from_fn(move || at(seconds.load(Ordering::SeqCst)))
}

pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 123_456_000).expect("a time")
}

pub fn study_uids(rows: &[SearchRow]) -> Vec<String> {
    rows.iter().map(|row| row.study.study_instance_uid.to_string()).collect()
}

pub fn title(text: &str) -> AeTitle {
    AeTitle::parse(text).expect("an AE title")
}

pub fn study_uid(text: &str) -> StudyInstanceUid {
    StudyInstanceUid::parse(text).expect("a UID")
}

pub fn sop_uid(text: &str) -> SopInstanceUid {
    SopInstanceUid::parse(text).expect("a UID")
}

pub fn actor() -> AuditActor {
    AuditActor {
        role: "test".to_owned(),
        source_address: "127.0.0.1".to_owned(),
        request_id: "r1".to_owned(),
        ..AuditActor::default()
    }
}

pub fn doctor_scope(doctor_id: Uuid) -> Scope {
    Principal::new(Uuid::now_v7(), Role::Doctor, Some(doctor_id))
        .authorize(Action::ReadStudy)
        .expect("a doctor reads studies")
}

/// An instance of patient 4711, Doe^Jane, of `study`, with `study.1` as series and `study.1.NUMBER` as itself.
pub fn instance(study: &str, number: i32) -> NewInstance {
    with_uids(study, &format!("{study}.1"), &format!("{study}.1.{number}"), number)
}

/// An instance with these UIDs.
pub fn with_uids(study: &str, series: &str, sop: &str, number: i32) -> NewInstance {
    let id = Uuid::now_v7();
    NewInstance {
        id,
        object_key: Uuid::now_v7(),
        object_seal: vec![7; 128],
        patient_key_id: Uuid::now_v7(),
        object_length_bytes: 1_132,
        data_set_offset: 132,
        data_set_length_bytes: 1_000,
        data_set_sha256: content(sop),
        header: header(study, series, sop, number),
        origin: Origin {
            door: "dimse",
            calling_ae: Some("CR1".parse().expect("a title")),
            called_ae: Some("MAXRAY".parse().expect("a title")),
            user_id: None,
            own_studies_only: false,
            source_address: "192.0.2.7".to_owned(),
            request_id: "a1".to_owned(),
        },
        conflict_policy: ConflictPolicy::KeepBoth,
    }
}

/// Stands for the hash of some content.
pub fn content(text: &str) -> [u8; 32] {
    let mut hash = [0u8; 32];
    for (index, byte) in text.bytes().enumerate() {
        hash[index % 32] = hash[index % 32].wrapping_mul(31).wrapping_add(byte);
    }
    hash
}

pub fn patient(patient_id: &str, name: &str) -> PatientAttributes {
    PatientAttributes {
        patient_id: patient_id.to_owned(),
        issuer_of_patient_id: String::new(),
        patient_name: name.to_owned(),
        patient_birth_date: "19700131".to_owned(),
        patient_sex: "F".to_owned(),
    }
}

fn header(study: &str, series: &str, sop: &str, number: i32) -> InstanceHeader {
    let pixels = ByteRange { offset: 500, length: 32 };
    InstanceHeader {
        patient: patient("4711", "Doe^Jane"),
        study: StudyAttributes {
            study_instance_uid: study_uid(study),
            study_date: "20260101".to_owned(),
            study_time: "101500.25".to_owned(),
            accession_number: "A-17".to_owned(),
            study_id: "S1".to_owned(),
            study_description: "Thorax p.a.".to_owned(),
            referring_physician_name: "House^Gregory".to_owned(),
        },
        series: SeriesAttributes {
            series_instance_uid: SeriesInstanceUid::parse(series).expect("a UID"),
            modality: "CR".to_owned(),
            series_number: Some(1),
            series_date: "20260101".to_owned(),
            series_time: "101530".to_owned(),
            series_description: "Lateral".to_owned(),
            body_part_examined: "CHEST".to_owned(),
            laterality: String::new(),
            protocol_name: "Chest".to_owned(),
            manufacturer: "Acme".to_owned(),
            institution_name: "St. Mary".to_owned(),
            station_name: "ROOM1".to_owned(),
            performed_procedure_step_start_date: "20260101".to_owned(),
            performed_procedure_step_start_time: "101400".to_owned(),
            scheduled_procedure_step_id: "SPS1".to_owned(),
            requested_procedure_id: "RP1".to_owned(),
        },
        instance: InstanceAttributes {
            sop_instance_uid: sop_uid(sop),
            sop_class_uid: SopClassUid::parse("1.2.840.10008.5.1.4.1.1.1").expect("a UID"),
            transfer_syntax_uid: TransferSyntaxUid::parse("1.2.840.10008.1.2.1").expect("a UID"),
            instance_number: Some(number),
            number_of_frames: None,
            rows: Some(4),
            columns: Some(4),
            bits_allocated: Some(16),
            content_date: "20260101".to_owned(),
            content_time: "101531".to_owned(),
            acquisition_date: "20260101".to_owned(),
            acquisition_time: "101529".to_owned(),
            image_type: "ORIGINAL\\PRIMARY".to_owned(),
            view_position: "PA".to_owned(),
        },
        json: format!(r#"{{"00080018":{{"vr":"UI","Value":["{sop}"]}}}}"#),
        bulk_data: vec![BulkDataReference {
            path: "7FE00010".to_owned(),
            vr: "OW".to_owned(),
            range: pixels,
        }],
        pixel_module: Some(PixelModule { rows: 4, columns: 4, bits_allocated: 16, ..PixelModule::default() }),
        frame_table: FrameTable::Native { value: pixels, frames: 1, bits_per_frame: 256 },
        warnings: Vec::new(),
    }
}
