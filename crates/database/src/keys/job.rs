//! Work on keys that takes its time: asked for by a command, done by whoever runs the archive, continued after a crash.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::{AuditActor, AuditRecord, Database, DatabaseError, audit::insert_audit};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyJobKind {
    /// Wrap every patient key by a new root key.
    RotateRoot,
    /// Give one patient a new key and seal what is there anew.
    RotatePatient,
    /// The same for every patient, one after the other.
    RotateAllPatients,
}

impl KeyJobKind {
    /// The word kept in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RotateRoot => "rotate_root",
            Self::RotatePatient => "rotate_patient",
            Self::RotateAllPatients => "rotate_all_patients",
        }
    }
}

impl FromStr for KeyJobKind {
    type Err = DatabaseError;
    fn from_str(text: &str) -> Result<Self, DatabaseError> {
        [Self::RotateRoot, Self::RotatePatient, Self::RotateAllPatients]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| DatabaseError::Corrupt("kind of a key job".to_owned()))
    }
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyJobState {
    /// To be done, or being done.
    Open,
    /// Done.
    Done,
    /// Given up; `detail` says why.
    Failed,
}

impl KeyJobState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyJob {
    /// Its name; also the order of the jobs.
    pub id: Uuid,
    /// What is to be done.
    pub kind: KeyJobKind,
    /// For whom, when it is for one patient.
    pub patient: Option<Uuid>,
    /// How far it is.
    pub state: KeyJobState,
    /// The last patient that is finished.
    pub cursor: Option<Uuid>,
    /// Keys or objects done so far.
    pub done: u64,
    /// Why it failed.
    pub detail: String,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
}

type Row = (Uuid, String, Option<Uuid>, String, Option<Uuid>, i64, String, DateTime<Utc>);

const COLUMNS: &str = "SELECT id, kind, patient, state, cursor, done, detail, created_at FROM key_job";

fn job(row: Row) -> Result<KeyJob, DatabaseError> {
    let (id, kind, patient, state, cursor, done, detail, created_at) = row;
    let states = [KeyJobState::Open, KeyJobState::Done, KeyJobState::Failed];
    let state = states.into_iter().find(|known| known.as_str() == state);
    Ok(KeyJob {
        id,
        kind: kind.parse()?,
        patient,
        state: state.ok_or_else(|| DatabaseError::Corrupt("state of a key job".to_owned()))?,
        cursor,
        done: u64::try_from(done).unwrap_or(0),
        detail,
        created_at,
    })
}

impl Database {
    /// Asks for work on keys.
    pub async fn create_key_job(
        &self,
        kind: KeyJobKind,
        patient: Option<Uuid>,
        actor: &AuditActor,
    ) -> Result<Uuid, DatabaseError> {
        const SQL: &str = "INSERT INTO key_job (id, kind, patient, state, done, detail, created_at, updated_at) \
            VALUES ($1, $2, $3, 'open', 0, '', $4, $4)";
        let id = Uuid::now_v7();
        let mut tx = self.begin().await?;
        let now = tx.now;
        on_tx!(tx, connection => sqlx::query(SQL)
            .bind(id)
            .bind(kind.as_str())
            .bind(patient)
            .bind(now)
            .execute(connection)
            .await
            .map(drop)?);
        let mut record = AuditRecord::success(actor, "rotate_key").about(patient.unwrap_or(id));
        record.detail = format!("{}: asked for", kind.as_str());
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await?;
        Ok(id)
    }

    /// A job by its name.
    pub async fn key_job(&self, id: Uuid) -> Result<Option<KeyJob>, DatabaseError> {
        let sql = format!("{COLUMNS} WHERE id = $1");
        let row: Option<Row> = on!(self, engine =>
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(&engine.read).await?);
        row.map(job).transpose()
    }

    /// Jobs that are not done, oldest first.
    pub async fn open_key_jobs(&self) -> Result<Vec<KeyJob>, DatabaseError> {
        let sql = format!("{COLUMNS} WHERE state = 'open' ORDER BY id LIMIT 1000");
        let rows: Vec<Row> =
            on!(self, engine => sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&engine.read).await?);
        rows.into_iter().map(job).collect()
    }

    /// Takes a job, or keeps it for longer, and notes how far it is; false when another worker has it, or it is over.
    /// A worker that says nothing for `lease` loses it.
    pub async fn hold_key_job(
        &self,
        id: Uuid,
        worker: Uuid,
        lease: TimeDelta,
        cursor: Option<Uuid>,
        done: u64,
    ) -> Result<bool, DatabaseError> {
        const SQL: &str = "UPDATE key_job SET worker = $2, worker_until = $3, cursor = $4, done = $5, updated_at = $6 \
            WHERE id = $1 AND state = 'open' AND (worker IS NULL OR worker = $2 OR worker_until < $6)";
        let mut tx = self.begin().await?;
        let now = tx.now;
        let held = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(id)
            .bind(worker)
            .bind(now + lease)
            .bind(cursor)
            .bind(i64::try_from(done).unwrap_or(i64::MAX))
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected());
        self.commit(tx).await?;
        Ok(held == 1)
    }

    /// Ends a job: done, or failed with a reason.
    pub async fn end_key_job(
        &self,
        ended: &KeyJob,
        failure: Option<&str>,
        actor: &AuditActor,
    ) -> Result<(), DatabaseError> {
        const SQL: &str =
            "UPDATE key_job SET state = $2, detail = $3, updated_at = $4 WHERE id = $1 AND state = 'open'";
        let state = if failure.is_none() { KeyJobState::Done } else { KeyJobState::Failed };
        let mut tx = self.begin().await?;
        let now = tx.now;
        on_tx!(tx, connection => sqlx::query(SQL)
            .bind(ended.id)
            .bind(state.as_str())
            .bind(failure.unwrap_or_default())
            .bind(now)
            .execute(connection)
            .await
            .map(drop)?);
        let mut record = AuditRecord::success(actor, "rotate_key").about(ended.patient.unwrap_or(ended.id));
        if failure.is_some() {
            record.outcome = crate::AuditOutcome::Failed;
        }
        record.detail = format!("{}: {}", ended.kind.as_str(), failure.unwrap_or("done"));
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await
    }
}
