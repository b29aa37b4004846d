//! PS3.4 Annex R: who is still to be told that the instances of a study are available. Written down where a study is said to be
//! completed; what is told is read when it is told.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use model::{AeTitle, StudyInstanceUid};

use crate::{
    AuditActor, AuditOutcome, AuditRecord, Database, DatabaseError,
    audit::insert_audit,
    engine::Tx,
    statement::{Dialect, Statement, text_rows},
};

/// A study of which an AE is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailabilityNotice {
    /// Who is told.
    pub ae_title: AeTitle,
    /// The study.
    pub study_instance_uid: StudyInstanceUid,
    /// Attempts to tell it, the one that runs included.
    pub attempts: u32,
    /// When the study was completed, the last time.
    pub requested_at: DateTime<Utc>,
}

/// How a notice ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AvailabilityEnd {
    /// It knows of so many instances.
    Told(usize),
    /// There is nothing to tell it: no instance that it may see, or it does not want to be told any more.
    Nothing,
    /// It could not be told in time.
    GivenUp,
}

#[derive(sqlx::FromRow)]
struct Row {
    ae_title: String,
    study_instance_uid: String,
    attempts: i32,
    requested_at: DateTime<Utc>,
}

impl TryFrom<Row> for AvailabilityNotice {
    type Error = DatabaseError;
    fn try_from(row: Row) -> Result<Self, DatabaseError> {
        let corrupt = || DatabaseError::Corrupt(format!("availability notice to {}", row.ae_title));
        Ok(Self {
            ae_title: AeTitle::parse(&row.ae_title).map_err(|_| corrupt())?,
            study_instance_uid: StudyInstanceUid::parse(&row.study_instance_uid).map_err(|_| corrupt())?,
            attempts: u32::try_from(row.attempts).unwrap_or(0),
            requested_at: row.requested_at,
        })
    }
}

/// A true of JSON is 1 for SQLite. In one order, so that two of these never wait for each other.
static OWE: Statement = Statement::new(
    "INSERT INTO availability_notice (ae_title, study_instance_uid, attempts, due_at, requested_at, sequence) \
     SELECT ae.title, r.study_instance_uid, 0, $2, $2, COALESCE(SEQUENCE($3), 0) \
     FROM ROWS($1: study_instance_uid text) AS r CROSS JOIN ae \
     WHERE CAST(ae.profile ->> 'notify_availability' AS TEXT) IN ('true', '1') \
     AND CAST(ae.profile ->> 'enabled' AS TEXT) IN ('true', '1') ORDER BY ae.title, r.study_instance_uid \
     ON CONFLICT (ae_title, study_instance_uid) DO UPDATE SET attempts = 0, due_at = excluded.due_at, \
     requested_at = excluded.requested_at, sequence = excluded.sequence",
);

/// SETTLED: an instance whose transaction began before and ends after that of the notice is told of with it.
static DUE: Statement = Statement::new(
    "SELECT ae_title, study_instance_uid, attempts, requested_at FROM availability_notice \
     WHERE due_at <= $1 AND SETTLED ORDER BY due_at, attempts LIMIT 1",
);

/// Whoever wants to be told of these completed studies will be, in the transaction that says so of them.
pub(crate) async fn owe_notices(tx: &mut Tx, studies: &BTreeSet<&str>) -> Result<(), DatabaseError> {
    if studies.is_empty() {
        return Ok(());
    }
    let (sql, list, now) = (OWE.on(tx.dialect()), text_rows(studies.iter().copied()), tx.now);
    let ordinal = tx.next_ordinal();
    on_tx!(tx, connection => sqlx::query(sql)
        .bind(list)
        .bind(now)
        .bind(ordinal)
        .execute(connection)
        .await
        .map(drop)?);
    Ok(())
}

impl Database {
    /// Takes the notice that is due the longest; whoever takes it has to say within `lease` what came of it.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn claim_availability_notice(
        &self,
        lease: TimeDelta,
    ) -> Result<Option<AvailabilityNotice>, DatabaseError> {
        const CLAIM: &str = "UPDATE availability_notice SET due_at = $3, attempts = attempts + 1 \
            WHERE ae_title = $1 AND study_instance_uid = $2 AND attempts = $4 AND due_at <= $5 AND requested_at = $6";
        let (due, now) = (DUE.on(self.dialect()), self.now());
        loop {
            let found: Option<Row> =
                on!(self, engine => sqlx::query_as(due).bind(now).fetch_optional(&engine.read).await?);
            let Some(mut row) = found else { return Ok(None) };
            let mut tx = self.begin().await?;
            let claimed = on_tx!(tx, connection => sqlx::query(CLAIM)
                .bind(&row.ae_title)
                .bind(&row.study_instance_uid)
                .bind(now + lease)
                .bind(row.attempts)
                .bind(now)
                .bind(row.requested_at)
                .execute(connection)
                .await?
                .rows_affected());
            self.commit(tx).await?;
            // Another node was faster: there may be others.
            if claimed == 1 {
                row.attempts += 1;
                return row.try_into().map(Some);
            }
        }
    }

    /// Puts a notice off.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn postpone_availability_notice(
        &self,
        postponed: &AvailabilityNotice,
        until: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        const SQL: &str = "UPDATE availability_notice SET due_at = $2 \
            WHERE ae_title = $1 AND study_instance_uid = $3 AND attempts = $4 AND requested_at = $5";
        let mut tx = self.begin().await?;
        on_tx!(tx, connection => sqlx::query(SQL)
            .bind(postponed.ae_title.as_str())
            .bind(until)
            .bind(postponed.study_instance_uid.as_str())
            .bind(i32::try_from(postponed.attempts).unwrap_or(i32::MAX))
            .bind(postponed.requested_at)
            .execute(connection)
            .await
            .map(drop)?);
        self.commit(tx).await
    }

    /// Puts off whatever is due to an AE, which does not answer. What others have claimed is theirs.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn postpone_availability_notices_of(
        &self,
        ae_title: &AeTitle,
        until: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        let lock = match tx.dialect() {
            Dialect::Postgres => " ORDER BY study_instance_uid FOR UPDATE SKIP LOCKED",
            Dialect::Sqlite => "",
        };
        let sql = sqlx::AssertSqlSafe(format!(
            "UPDATE availability_notice SET due_at = $2 WHERE ae_title = $1 AND study_instance_uid IN \
             (SELECT study_instance_uid FROM availability_notice WHERE ae_title = $1 AND due_at <= $3{lock})"
        ));
        let now = tx.now;
        on_tx!(tx, connection => sqlx::query(sql)
            .bind(ae_title.as_str())
            .bind(until)
            .bind(now)
            .execute(connection)
            .await
            .map(drop)?);
        self.commit(tx).await
    }

    /// Ends a notice. One of a study that was completed again meanwhile goes on.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn end_availability_notice(
        &self,
        ended: &AvailabilityNotice,
        end: AvailabilityEnd,
        actor: &AuditActor,
    ) -> Result<(), DatabaseError> {
        const SQL: &str = "DELETE FROM availability_notice WHERE ae_title = $1 AND study_instance_uid = $2 AND requested_at = $3";
        let mut record =
            AuditRecord::success(actor, "notify_availability").of_study(&ended.study_instance_uid);
        let ae_title = &ended.ae_title;
        match end {
            AvailabilityEnd::Told(instances) => {
                record.detail = format!("to {ae_title}, {instances} instances");
            }
            AvailabilityEnd::Nothing => {}
            AvailabilityEnd::GivenUp => {
                record.outcome = AuditOutcome::Failed;
                record.detail = format!("{ae_title} could not be told in {} attempts", ended.attempts);
            }
        }
        let mut tx = self.begin().await?;
        on_tx!(tx, connection => sqlx::query(SQL)
            .bind(ae_title.as_str())
            .bind(ended.study_instance_uid.as_str())
            .bind(ended.requested_at)
            .execute(connection)
            .await
            .map(drop)?);
        if end != AvailabilityEnd::Nothing {
            insert_audit(&mut tx, &[record]).await?;
        }
        self.commit(tx).await
    }
}
