//! Stored instances: where each object lies, and what is needed to read it.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use model::{
    SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid, access::Scope,
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    Database, DatabaseError,
    statement::{spell, text_rows},
};

/// An instance and its object.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredInstance {
    /// Identity, also of the X-ray in REST paths.
    pub id: Uuid,
    /// Study Instance UID (0020,000D).
    #[sqlx(try_from = "String")]
    pub study_instance_uid: StudyInstanceUid,
    /// Series Instance UID (0020,000E).
    #[sqlx(try_from = "String")]
    pub series_instance_uid: SeriesInstanceUid,
    /// SOP Instance UID (0008,0018).
    #[sqlx(try_from = "String")]
    pub sop_instance_uid: SopInstanceUid,
    /// SOP Class UID (0008,0016).
    #[sqlx(try_from = "String")]
    pub sop_class_uid: SopClassUid,
    /// Transfer syntax in which the data set is kept.
    #[sqlx(try_from = "String")]
    pub transfer_syntax_uid: TransferSyntaxUid,
    /// Modality (0008,0060).
    pub modality: String,
    /// Series Number (0020,0011).
    pub series_number: Option<i32>,
    /// Instance Number (0020,0013).
    pub instance_number: Option<i32>,
    /// Number of Frames (0028,0008) as sent.
    pub number_of_frames: Option<i32>,
    /// Rows (0028,0010).
    pub rows: Option<i32>,
    /// Columns (0028,0011).
    pub columns: Option<i32>,
    /// Bits Allocated (0028,0100).
    pub bits_allocated: Option<i32>,
    /// Name of the object in object storage.
    pub object_key: Uuid,
    /// What opens the object, together with its patient's key.
    pub object_seal: Vec<u8>,
    /// Length of the whole object.
    #[sqlx(try_from = "i64")]
    pub object_length_bytes: u64,
    /// Where the data set starts in the object.
    #[sqlx(try_from = "i64")]
    pub data_set_offset: u64,
    /// Length of the data set.
    #[sqlx(try_from = "i64")]
    pub data_set_length_bytes: u64,
    /// SHA-256 of the data set.
    #[sqlx(try_from = "Vec<u8>")]
    pub data_set_sha256: [u8; 32],
    /// False for a hidden conflict version.
    pub current: bool,
    /// When it became durable.
    pub stored_at: DateTime<Utc>,
}

/// Instances by the unique keys of their levels.
#[derive(Debug, Clone, Copy)]
pub struct InstanceKeys<'a> {
    /// Study Instance UIDs.
    pub studies: &'a [StudyInstanceUid],
    /// Series Instance UIDs; none: every series of the studies.
    pub series: &'a [&'a str],
    /// SOP Instance UIDs; none: every instance of the series.
    pub instances: &'a [&'a str],
}

/// What the archive holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, sqlx::FromRow)]
pub struct Counts {
    /// Patients.
    #[sqlx(try_from = "i64")]
    pub patients: u64,
    /// Studies.
    #[sqlx(try_from = "i64")]
    pub studies: u64,
    /// Series.
    #[sqlx(try_from = "i64")]
    pub series: u64,
    /// Current instances.
    #[sqlx(try_from = "i64")]
    pub instances: u64,
    /// Hidden conflict versions.
    #[sqlx(try_from = "i64")]
    pub conflicts: u64,
    /// Length of all objects, conflict versions too.
    #[sqlx(try_from = "i64")]
    pub bytes: u64,
}

/// Columns of a [`StoredInstance`] from `instance`, `series` and `study`.
pub(crate) const STORED_INSTANCE: &str = "SELECT instance.id, study.study_instance_uid, \
    series.series_instance_uid, instance.sop_instance_uid, instance.sop_class_uid, instance.transfer_syntax_uid, \
    series.modality, series.series_number, instance.instance_number, instance.number_of_frames, instance.rows, \
    instance.columns, instance.bits_allocated, instance.object_key, instance.object_seal, \
    instance.object_length_bytes, \
    instance.data_set_offset, instance.data_set_length_bytes, instance.data_set_sha256, instance.current, \
    instance.stored_at";

/// Missing numbers last, as on paper; the two engines differ without being told.
pub(crate) const INSTANCE_ORDER: &str = "series.series_number IS NULL, series.series_number, \
    series.series_instance_uid, instance.instance_number IS NULL, instance.instance_number, \
    instance.sop_instance_uid";

impl Database {
    /// The current instances of a study, or of one series, or one instance, by series number, instance number and
    /// UID. Empty when there is none in reach.
    pub async fn instances(
        &self,
        scope: &Scope,
        study: &StudyInstanceUid,
        series: Option<&SeriesInstanceUid>,
        sop: Option<&SopInstanceUid>,
    ) -> Result<Vec<StoredInstance>, DatabaseError> {
        let reach = self.study_reach(scope, 2).await?;
        let mut sql = format!(
            "{STORED_INSTANCE} FROM study JOIN series ON series.study = study.id \
             JOIN instance ON instance.series = series.id \
             WHERE study.study_instance_uid = $1 AND instance.current{}",
            reach.sql
        );
        let mut texts = Vec::new();
        let mut next = reach.next_parameter();
        for (column, value) in [
            ("series.series_instance_uid", series.map(SeriesInstanceUid::as_str)),
            ("instance.sop_instance_uid", sop.map(SopInstanceUid::as_str)),
        ] {
            if let Some(value) = value {
                let _ = write!(sql, " AND {column} = ${next}");
                texts.push(value);
                next += 1;
            }
        }
        let _ = write!(sql, " ORDER BY {INSTANCE_ORDER}");
        Ok(on!(self, engine => {
            let mut query = bind_reach!(sqlx::query_as(AssertSqlSafe(sql)).bind(study.as_str()), reach);
            for text in texts {
                query = query.bind(text);
            }
            query.fetch_all(&engine.read).await?
        }))
    }

    /// The current instances that all keys name and that are in reach, in the order of [`Self::instances`]; at most
    /// `limit` of them, in one query whatever the number of keys.
    pub async fn listed_instances(
        &self,
        scope: &Scope,
        keys: InstanceKeys<'_>,
        limit: u64,
    ) -> Result<Vec<StoredInstance>, DatabaseError> {
        let reach = self.study_reach(scope, 2).await?;
        let dialect = self.dialect();
        let (before, after) = dialect.any_of();
        let any = |column: &str, parameter: usize| {
            spell(
                &format!("{column} {before}SELECT r.uid FROM ROWS(${parameter}: uid text) AS r{after}"),
                dialect,
            )
        };
        let mut sql = format!(
            "{STORED_INSTANCE} FROM study JOIN series ON series.study = study.id \
             JOIN instance ON instance.series = series.id WHERE {} AND instance.current{}",
            any("study.study_instance_uid", 1),
            reach.sql
        );
        let mut lists = Vec::new();
        for (column, uids) in
            [("series.series_instance_uid", keys.series), ("instance.sop_instance_uid", keys.instances)]
        {
            if !uids.is_empty() {
                let _ = write!(sql, " AND {}", any(column, reach.next_parameter() + lists.len()));
                lists.push(text_rows(uids.iter().copied()));
            }
        }
        let _ = write!(sql, " ORDER BY {INSTANCE_ORDER} LIMIT {limit}");
        let studies = text_rows(keys.studies.iter().map(StudyInstanceUid::as_str));
        Ok(on!(self, engine => {
            let mut query = bind_reach!(sqlx::query_as(AssertSqlSafe(sql)).bind(studies), reach);
            for list in lists {
                query = query.bind(list);
            }
            query.fetch_all(&engine.read).await?
        }))
    }

    /// A current instance by its id; `None` when it is not in reach.
    pub async fn instance_by_id(
        &self,
        scope: &Scope,
        xray_id: Uuid,
    ) -> Result<Option<StoredInstance>, DatabaseError> {
        let reach = self.study_reach(scope, 2).await?;
        let sql = format!(
            "{STORED_INSTANCE} FROM instance JOIN series ON series.id = instance.series \
             JOIN study ON study.id = series.study WHERE instance.id = $1 AND instance.current{}",
            reach.sql
        );
        Ok(on!(self, engine => {
            let query = sqlx::query_as(AssertSqlSafe(sql)).bind(xray_id);
            bind_reach!(query, reach).fetch_optional(&engine.read).await?
        }))
    }

    /// Whether a study was begun by this account.
    pub async fn is_study_begun_by(
        &self,
        study: &StudyInstanceUid,
        user_id: Uuid,
    ) -> Result<bool, DatabaseError> {
        const SQL: &str = "SELECT id FROM study WHERE study_instance_uid = $1 AND uploaded_by = $2";
        let found: Option<Uuid> = on!(self, engine => sqlx::query_scalar(SQL)
            .bind(study.as_str())
            .bind(user_id)
            .fetch_optional(&engine.read)
            .await?);
        Ok(found.is_some())
    }

    /// Every instance after `after` in the order of ids, hidden conflict versions too: for checks of the whole store.
    pub async fn all_instances(
        &self,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<StoredInstance>, DatabaseError> {
        let sql = format!(
            "{STORED_INSTANCE} FROM instance JOIN series ON series.id = instance.series \
             JOIN study ON study.id = series.study WHERE instance.id > $1 ORDER BY instance.id LIMIT $2"
        );
        Ok(on!(self, engine => sqlx::query_as(AssertSqlSafe(sql))
            .bind(after.unwrap_or(Uuid::nil()))
            .bind(i64::from(limit))
            .fetch_all(&engine.read)
            .await?))
    }

    /// What the archive holds. Reads every row's index entry: for operators and tests, not for requests.
    pub async fn counts(&self) -> Result<Counts, DatabaseError> {
        const SQL: &str = "SELECT (SELECT COUNT(*) FROM patient) AS patients, \
            (SELECT COUNT(*) FROM study) AS studies, (SELECT COUNT(*) FROM series) AS series, \
            (SELECT COUNT(*) FROM instance WHERE current) AS instances, \
            (SELECT COUNT(*) FROM instance WHERE NOT current) AS conflicts, \
            (SELECT CAST(COALESCE(SUM(object_length_bytes), 0) AS BIGINT) FROM instance) AS bytes";
        Ok(on!(self, engine => sqlx::query_as(SQL).fetch_one(&engine.read).await?))
    }
}
