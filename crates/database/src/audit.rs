//! The audit trail: who did what. A write's record is a row of the transaction that it tells of.

use std::fmt;

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{
    Database, DatabaseError,
    engine::Tx,
    ingest::Waiting,
    statement::{Statement, rows, uuid_value},
};

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditActor {
    /// The account, when one was proved.
    pub user_id: Option<Uuid>,
    /// Role of the account, or what acts: `modality`, `worker`, `operator`.
    pub role: String,
    /// Calling AE title on the DICOM network; empty elsewhere.
    pub calling_ae: String,
    /// Network address it came from.
    pub source_address: String,
    /// The request or association it belongs to.
    pub request_id: String,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutcome {
    /// Done.
    Success,
    /// Not allowed, or not acceptable.
    Refused,
    /// Went wrong.
    Failed,
}

impl AuditOutcome {
    /// The word kept in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Success, Self::Refused, Self::Failed].into_iter().find(|outcome| outcome.as_str() == text)
    }
}

impl fmt::Display for AuditOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that was done or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Who.
    pub actor: AuditActor,
    /// What, verb_noun: `store_instance`, `read_study`, `link_study`.
    pub action: String,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The study it was about; empty for none.
    pub study_instance_uid: String,
    /// The id of what it was about, as text; empty for none.
    pub subject: String,
    /// More, in one sentence without patient data.
    pub detail: String,
}

impl AuditRecord {
    /// A successful action about nothing in particular yet.
    pub fn success(actor: &AuditActor, action: &str) -> Self {
        Self {
            actor: actor.clone(),
            action: action.to_owned(),
            outcome: AuditOutcome::Success,
            study_instance_uid: String::new(),
            subject: String::new(),
            detail: String::new(),
        }
    }

    /// The same about `subject`.
    #[must_use]
    pub fn about(mut self, subject: impl fmt::Display) -> Self {
        self.subject = subject.to_string();
        self
    }

    /// The same about a study.
    #[must_use]
    pub fn of_study(mut self, study_instance_uid: impl fmt::Display) -> Self {
        self.study_instance_uid = study_instance_uid.to_string();
        self
    }
}

/// A record as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Position in the trail; grows.
    pub sequence: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub record: AuditRecord,
}

static INSERT: Statement = Statement::new(
    "INSERT INTO audit (sequence, at, user_id, role, calling_ae, source_address, request_id, action, outcome, \
     study_instance_uid, subject, detail) \
     SELECT SEQUENCE(ordinal), $2, user_id, role, calling_ae, source_address, request_id, action, outcome, \
     study_instance_uid, subject, detail \
     FROM ROWS($1: ordinal bigint, user_id uuid, role text, calling_ae text, source_address text, request_id text, \
     action text, outcome text, study_instance_uid text, subject text, detail text) AS r WHERE true",
);

static PAGE: Statement = Statement::new(
    "SELECT sequence, at, user_id, role, calling_ae, source_address, request_id, action, outcome, \
     study_instance_uid, subject, detail FROM audit WHERE sequence > $1 AND SETTLED ORDER BY sequence LIMIT $2",
);

#[derive(sqlx::FromRow)]
struct Row {
    sequence: i64,
    at: DateTime<Utc>,
    user_id: Option<Uuid>,
    role: String,
    calling_ae: String,
    source_address: String,
    request_id: String,
    action: String,
    outcome: String,
    study_instance_uid: String,
    subject: String,
    detail: String,
}

impl TryFrom<Row> for AuditRow {
    type Error = DatabaseError;
    fn try_from(row: Row) -> Result<Self, DatabaseError> {
        let outcome = AuditOutcome::parse(&row.outcome)
            .ok_or_else(|| DatabaseError::Corrupt(format!("audit row {}", row.sequence)))?;
        let actor = AuditActor {
            user_id: row.user_id,
            role: row.role,
            calling_ae: row.calling_ae,
            source_address: row.source_address,
            request_id: row.request_id,
        };
        let record = AuditRecord {
            actor,
            action: row.action,
            outcome,
            study_instance_uid: row.study_instance_uid,
            subject: row.subject,
            detail: row.detail,
        };
        Ok(Self { sequence: row.sequence, at: row.at, record })
    }
}

/// Writes records, in order, in the transaction they tell of.
pub(crate) async fn insert_audit(tx: &mut Tx, records: &[AuditRecord]) -> Result<(), DatabaseError> {
    if records.is_empty() {
        return Ok(());
    }
    // A NUL comes from hostile requests only, and PostgreSQL's TEXT holds none.
    let text = |text: &str| serde_json::Value::from(text.replace('\0', ""));
    let list = records.iter().map(|record| {
        let actor = &record.actor;
        vec![
            tx.next_ordinal().into(),
            actor.user_id.map_or(serde_json::Value::Null, uuid_value),
            text(&actor.role),
            text(&actor.calling_ae),
            text(&actor.source_address),
            text(&actor.request_id),
            text(&record.action),
            record.outcome.as_str().into(),
            text(&record.study_instance_uid),
            text(&record.subject),
            text(&record.detail),
        ]
    });
    let list = rows(list.collect());
    let (sql, now) = (INSERT.on(tx.dialect()), tx.now);
    on_tx!(tx, connection => sqlx::query(sql).bind(list).bind(now).execute(connection).await.map(|_| ())?);
    Ok(())
}

impl Database {
    /// Records something that changes nothing else here: a read, a login, a refusal.
    /// It is durable when this returns; concurrent calls share a transaction.
    pub async fn audit(&self, record: AuditRecord) -> Result<(), DatabaseError> {
        let closed = || DatabaseError::Unavailable("closing".to_owned());
        let queue = on!(self, engine => engine.ingest.as_ref()).ok_or_else(closed)?;
        let (reply, recorded) = oneshot::channel();
        queue.send(Waiting::Audit { record: Box::new(record), reply }).await.map_err(|_| closed())?;
        recorded.await.map_err(|_| closed())?
    }

    /// Records after `after`, oldest first.
    pub async fn audit_page(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>, DatabaseError> {
        let sql = PAGE.on(self.dialect());
        let found: Vec<Row> = on!(self, engine =>
            sqlx::query_as(sql).bind(after).bind(i64::from(limit)).fetch_all(&engine.read).await?);
        found.into_iter().map(TryInto::try_into).collect()
    }
}
