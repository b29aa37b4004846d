//! Chains the records of a transaction to those before them, as the last thing before its COMMIT.
//!
//! Each node has a chain of its own, so that nodes do not wait for each other. The head is read from the database
//! every time: another process of the same node (the command line) writes to the chain too, and after a COMMIT whose
//! answer was lost only the database knows how it ended. On SQLite BEGIN IMMEDIATE keeps other writers away until
//! the commit, and all turns of a transaction are chained at once (`turn.rs`). On PostgreSQL a lock on the chain does;
//! it is taken when no other lock will be asked for, so that no deadlock can come of it.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::Executor as _;
use sqlx_sqlite::SqliteConnection;
use uuid::Uuid;

use super::{
    encoding::{Place, hash},
    record::{AuditActor, AuditRecord},
    row::{storable, values},
};
use crate::{
    Database, DatabaseError,
    batch::run_to_the_end,
    statement::{Dialect, Statement, rows},
    transaction::Transaction,
};

/// A clock that shows this much less than at the record before was set back. Less may come of transactions that
/// began in one order and end in another.
const CLOCK_STEP_MIN_SECONDS: i64 = 15;

/// With the lock on the chain ($2) until the transaction ends.
static LOCK_HEAD: Statement = Statement::new(
    "SELECT FIRST_SEQUENCE AS first_sequence, head.chain_sequence, head.hash, head.at FROM (SELECT 1 AS one) AS o \
     LEFT JOIN audit_head($1, $2) AS head ON true",
);

/// On SQLite the head is read with the first statement: from there on nobody else writes.
static BEGIN: Statement = Statement::new(
    "BEGIN IMMEDIATE; SAVEPOINT turn; \
     SELECT FIRST_SEQUENCE AS first_sequence, head.chain_sequence, head.hash, head.at FROM (SELECT 1 AS one) AS o \
     LEFT JOIN (SELECT chain_sequence, hash, at FROM audit WHERE chain_id = $1 \
     ORDER BY chain_sequence DESC LIMIT 1) AS head ON 1 = 1",
);

macro_rules! insert {
    () => {
        "INSERT INTO audit (sequence, chain_id, chain_sequence, id, at, user_id, session_id, role, calling_ae, \
         certificate, source_address, request_id, action, outcome, study_instance_uid, consultation_id, patient, \
         subject, rule, detail, hash) \
         SELECT sequence, $2, chain_sequence, id, at, user_id, session_id, role, calling_ae, certificate, \
         source_address, request_id, action, outcome, study_instance_uid, consultation_id, patient, subject, rule, \
         detail, hash \
         FROM ROWS($1: sequence bigint, chain_sequence bigint, id uuid, at timestamptz, user_id uuid, \
         session_id uuid, role text, calling_ae text, certificate text, source_address text, request_id text, action text, outcome text, \
         study_instance_uid text, consultation_id uuid, patient uuid, subject text, rule text, detail text, hash bytes) \
         AS r WHERE true"
    };
}

static INSERT: Statement = Statement::new(insert!());

/// On SQLite: refused when there is no savepoint, because the engine has rolled back by itself. Outside of the transaction that
/// they tell of the records would stay.
static INSERT_IN_TURN: Statement = Statement::new(concat!("RELEASE turn; ", insert!()));

/// The same with the end of the transaction.
static INSERT_AND_COMMIT: Statement = Statement::new(concat!("RELEASE turn; ", insert!(), "; COMMIT"));
/// What stands before its COMMIT.
const BEFORE_COMMIT: usize = 2;

/// The end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHead {
    /// The node whose chain it is.
    pub chain_id: Uuid,
    /// Number of its last record.
    pub sequence: i64,
    /// Hash of that record.
    pub hash: [u8; 32],
}

/// What this process knows of its chain.
pub(crate) struct ChainMemory {
    pub(crate) chain_id: Uuid,
    /// What the last commit of this process left: the database must never show less.
    last: Mutex<Option<(i64, [u8; 32])>>,
}

impl ChainMemory {
    pub(crate) fn new(chain_id: Uuid) -> Self {
        Self { chain_id, last: Mutex::new(None) }
    }

    fn last(&self) -> Option<(i64, [u8; 32])> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what a COMMIT left; nothing when it wrote no record.
    pub(crate) fn committed(&self, head: Option<ChainHead>) {
        let Some(head) = head else { return };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|(sequence, _)| sequence < head.sequence) {
            *last = Some((head.sequence, head.hash));
        }
    }

    /// Says so when somebody took records away, or changed the last one, under the running program.
    fn compare(&self, sequence: i64, hash: &[u8; 32]) {
        let Some((last, known)) = self.last() else { return };
        if sequence < last || (sequence == last && *hash != known) {
            metrics::counter!("audit_chain_broken").increment(1);
            tracing::error!(last, found = sequence, "records are gone from the end of the audit trail");
        }
    }
}

/// The end of a chain as a transaction sees it, and what comes after it.
struct Links {
    chain_id: Uuid,
    /// The number before the next record's place in the whole trail.
    sequence: i64,
    chain_sequence: i64,
    hash: [u8; 32],
    /// When the last record was made.
    at: Option<DateTime<Utc>>,
    /// The new records.
    rows: Vec<Vec<Value>>,
}

/// What is read of the end of a chain.
pub(crate) type HeadRow = (i64, Option<i64>, Option<Vec<u8>>, Option<DateTime<Utc>>);

impl Links {
    fn after(memory: &ChainMemory, (sequence, chain_sequence, hash, at): HeadRow) -> Self {
        // A hash of another length was not written by us; the chain goes on from zeros, and verification tells.
        let hash = hash.and_then(|hash| hash.try_into().ok()).unwrap_or([0; 32]);
        let chain_sequence = chain_sequence.unwrap_or(0);
        memory.compare(chain_sequence, &hash);
        Self { chain_id: memory.chain_id, sequence, chain_sequence, hash, at, rows: Vec::new() }
    }

    /// Adds what happened at that time.
    fn add(&mut self, records: Vec<AuditRecord>, at: DateTime<Utc>) {
        let step = clock_step(self.at, at);
        for record in step.into_iter().chain(records) {
            self.chain_sequence += 1;
            self.sequence += 1;
            let (sequence, chain_id) = (self.sequence, self.chain_id);
            let place = Place { sequence, chain_id, chain_sequence: self.chain_sequence, at };
            let record = storable(record);
            self.hash = hash(&self.hash, place, &record, record.outcome.as_str());
            self.rows.push(values(place, record, &self.hash));
        }
        self.at = Some(at);
    }

    fn head(&self) -> ChainHead {
        ChainHead { chain_id: self.chain_id, sequence: self.chain_sequence, hash: self.hash }
    }
}

/// Writes the records of a transaction, and gives the new head of the chain; `None` when there are none.
pub(crate) async fn write_chained(
    memory: &ChainMemory,
    transaction: &mut Transaction,
    records: Vec<AuditRecord>,
    at: DateTime<Utc>,
) -> Result<Option<ChainHead>, DatabaseError> {
    if records.is_empty() {
        return Ok(None);
    }
    // The chain is ours until the transaction ends. The low half of a UUIDv7 is random; advisory locks that clash would
    // only wait for each other.
    let (_, lock) = memory.chain_id.as_u64_pair();
    let head = sqlx::query_as(LOCK_HEAD.on(Dialect::Postgres)).bind(memory.chain_id).bind(lock.cast_signed());
    let mut links = Links::after(memory, head.fetch_one(transaction.in_time()).await?);
    links.add(records, at);
    let head = links.head();
    let insert = sqlx::query(INSERT.on(Dialect::Postgres)).bind(rows(links.rows)).bind(links.chain_id);
    insert.execute(transaction.in_time()).await?;
    Ok(Some(head))
}

/// Begins a transaction of SQLite with a savepoint, and gives the end of the chain as it is until it ends.
pub(crate) async fn begin_with_head(
    memory: &ChainMemory,
    connection: &mut SqliteConnection,
) -> Result<HeadRow, sqlx::Error> {
    // Not kept by the connection: when the trail cannot be read, sqlx 0.9 panics over the reset of kept statements, and the
    // connection never answers again.
    let begin = sqlx::query_as(BEGIN.on(Dialect::Sqlite)).bind(memory.chain_id).persistent(false);
    begin.fetch_all(connection).await?.pop().ok_or(sqlx::Error::RowNotFound)
}

/// The records of all turns of a transaction of SQLite.
pub(crate) struct Chained(Links);

impl Chained {
    /// With the time of each turn; `None` when there are none.
    pub(crate) fn after(
        memory: &ChainMemory,
        head: HeadRow,
        groups: Vec<(Vec<AuditRecord>, DateTime<Utc>)>,
    ) -> Option<Self> {
        if groups.is_empty() {
            return None;
        }
        let mut links = Links::after(memory, head);
        for (records, at) in groups {
            links.add(records, at);
        }
        Some(Self(links))
    }

    /// The end of the chain with them.
    pub(crate) fn head(&self) -> ChainHead {
        self.0.head()
    }

    /// Writes them.
    pub(crate) async fn write(self, transaction: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let insert = sqlx::query(INSERT_IN_TURN.on(Dialect::Sqlite));
        insert.bind(rows(self.0.rows)).bind(self.0.chain_id).execute(transaction).await.map(drop)
    }

    /// Writes them and commits, in one trip. The error, and whether it is COMMIT's.
    pub(crate) async fn write_and_commit(
        self,
        transaction: &mut SqliteConnection,
    ) -> Result<(), (sqlx::Error, bool)> {
        let all = sqlx::query(INSERT_AND_COMMIT.on(Dialect::Sqlite));
        let all = all.bind(rows(self.0.rows)).bind(self.0.chain_id);
        let (over, error) = run_to_the_end(transaction.fetch_many(all), BEFORE_COMMIT + 1).await;
        error.map_or(Ok(()), |error| Err((error, over == BEFORE_COMMIT)))
    }
}

fn clock_step(before: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<AuditRecord> {
    let back = before? - now;
    if back < TimeDelta::seconds(CLOCK_STEP_MIN_SECONDS) {
        return None;
    }
    let actor = AuditActor { role: "server".to_owned(), ..AuditActor::default() };
    let detail = format!("the clock went back {} s", back.num_seconds());
    Some(AuditRecord::success(&actor, "step_clock").saying(detail))
}

impl Database {
    /// The node that this process is in the audit trail: kept in the data directory.
    pub fn node_id(&self) -> Uuid {
        self.shared().chain.chain_id
    }
}
