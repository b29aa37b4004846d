//! Both engines under one type, and the macros that paste one body under both arms.
//!
//! sqlx's `Any` driver knows no booleans, times and UUIDs, and two implementations of one trait drift apart. So
//! there is one SQL text (see `statement.rs`) and one Rust body, compiled once for each engine.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use model::clock::Clock;
use sqlx_postgres::Postgres;
use sqlx_sqlite::Sqlite;
use tokio::sync::{Notify, mpsc, watch};
use uuid::Uuid;

use crate::{
    AccessConfig, AuditRecord, DatabaseConfig, DatabaseError,
    audit::ChainMemory,
    clock_skew::{Asked, SERVER_TIME},
    connections::{Connections, Server},
    ingest::Waiting,
    search::TrigramLetters,
    session::RevokedSessions,
    statement::Dialect,
    transaction::Transaction,
    turn::{Turn, Turns},
};

/// Pastes `$body` under both arms of a [`Database`]; in it `$engine` is the [`Engine`].
macro_rules! on {
    ($database:expr, $engine:ident => $body:expr) => {
        match $database {
            $crate::engine::Database::Postgres($engine) => $body,
            $crate::engine::Database::Sqlite($engine) => $body,
        }
    };
}

/// Pastes `$body` under both arms of a [`Tx`]; in it `$connection` is the connection of the transaction.
macro_rules! on_tx {
    ($tx:expr, $connection:ident => $body:expr) => {
        match &mut $tx.inner {
            $crate::engine::TxInner::Postgres(transaction) => {
                let $connection = transaction.in_time();
                $body
            }
            $crate::engine::TxInner::Sqlite(transaction) => {
                let $connection = &mut **transaction;
                $body
            }
        }
    };
}

/// The metadata: cheap to clone, every clone is the same database.
#[derive(Clone)]
pub enum Database {
    /// A PostgreSQL server, shared by any number of nodes.
    Postgres(Engine<Postgres>),
    /// A SQLite file, owned by this process.
    Sqlite(Engine<Sqlite>),
}

/// The connections to one engine, and what the clones of a [`Database`] share.
pub struct Engine<DB: Server> {
    /// Connections for reading; on SQLite they cannot write.
    pub(crate) read: Connections<DB>,
    /// Connections for writing; on SQLite there is one.
    pub(crate) write: Connections<DB>,
    pub(crate) shared: Arc<Shared>,
    /// Way to the task that commits instances; none in that task's own copy, so that it ends with the last clone.
    pub(crate) ingest: Option<mpsc::Sender<Waiting>>,
    /// Way to the one connection for writing of SQLite; none on PostgreSQL.
    pub(crate) turns: Option<Turns>,
}

impl<DB: Server> Clone for Engine<DB> {
    fn clone(&self) -> Self {
        Self {
            read: self.read.clone(),
            write: self.write.clone(),
            shared: Arc::clone(&self.shared),
            ingest: self.ingest.clone(),
            turns: self.turns.clone(),
        }
    }
}

/// What the clones of a [`Database`] share.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) config: DatabaseConfig,
    /// Counts commits that may have made events readable, of this process and of those that it hears of.
    pub(crate) commits: watch::Sender<u64>,
    /// Counts those of this process alone.
    pub(crate) own_events: watch::Sender<u64>,
    /// Counts the commits of this process that took sessions back.
    pub(crate) own_revocations: watch::Sender<u64>,
    /// Another process said something.
    pub(crate) heard: Notify,
    /// Set when the disk failed under a COMMIT on SQLite: nothing may be promised until a restart.
    pub(crate) broken: watch::Sender<bool>,
    /// Sessions that are not to be trusted any more.
    pub(crate) revoked_sessions: RevokedSessions,
    /// This node's chain in the audit trail.
    pub(crate) chain: Arc<ChainMemory>,
    /// Of which letters names have an index of trigrams; never set where there is none.
    pub(crate) name_trigrams: OnceLock<TrigramLetters>,
}

/// A transaction that writes.
pub(crate) struct Tx {
    pub(crate) inner: TxInner,
    pub(crate) now: DateTime<Utc>,
    /// Audit records that its commit will write.
    pub(crate) audit: Vec<AuditRecord>,
    /// Counts the rows of the outbox: see `SEQUENCE` in `statement.rs`.
    ordinal: i64,
    /// Its commit is to wake who waits for events.
    events: bool,
    /// Sessions that are revoked once this is committed, and until when their tokens could live.
    pub(crate) revoked_sessions: Vec<(Uuid, DateTime<Utc>)>,
}

pub(crate) enum TxInner {
    Postgres(Transaction),
    Sqlite(Turn),
}

impl Tx {
    /// Nothing was done in it yet.
    pub(crate) fn new(inner: TxInner, now: DateTime<Utc>) -> Self {
        Self { inner, now, audit: Vec::new(), ordinal: 0, events: false, revoked_sessions: Vec::new() }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match &self.inner {
            TxInner::Postgres(_) => Dialect::Postgres,
            TxInner::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// A number that no other row of this transaction has.
    pub(crate) fn next_ordinal(&mut self) -> i64 {
        self.ordinal += 1;
        self.ordinal
    }

    /// Whether it has events.
    pub(crate) fn made_events(&self) -> bool {
        self.events
    }

    /// Says that the commit of this transaction is to wake who waits for events.
    pub(crate) fn has_events(&mut self) {
        self.events = true;
    }
}

impl Database {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        on!(self, engine => &engine.shared)
    }

    /// How long access lasts.
    pub fn access(&self) -> &AccessConfig {
        &self.shared().config.access
    }

    /// The time, by the clock that the rows are stamped with.
    pub fn now(&self) -> DateTime<Utc> {
        self.shared().clock.now()
    }

    /// How long before a consultation its reminders are due, in minutes.
    pub(crate) fn reminder_minutes_before(&self) -> &[u32] {
        &self.shared().config.reminder_minutes_before
    }

    /// Tells of commits that may have made events readable, or previews necessary: the value only grows. Those of other
    /// nodes are heard of while [`Database::keep_in_touch`] runs, and not for certain: on PostgreSQL look now and then, too.
    pub fn subscribe_commits(&self) -> watch::Receiver<u64> {
        self.shared().commits.subscribe()
    }

    /// Returns when the disk failed under a COMMIT. Nothing more is stored by this process then: end it, and start anew.
    pub async fn disk_failed(&self) {
        let mut broken = self.shared().broken.subscribe();
        // The sender lives as long as we do.
        let _never_closed = broken.wait_for(|broken| *broken).await;
    }

    /// Whether the disk has failed under a COMMIT.
    pub fn has_disk_failed(&self) -> bool {
        *self.shared().broken.borrow()
    }

    /// Asks the engine for a sign of life.
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        self.refuse_when_broken()?;
        match self {
            // Not for nothing: this is asked now and then, and a clock drifts.
            Self::Postgres(engine) => {
                let asked = Asked::now(&engine.shared.clock);
                asked.answered(sqlx::query_scalar(SERVER_TIME).fetch_one(&engine.read).await?);
            }
            Self::Sqlite(engine) => sqlx::query("SELECT 1").execute(&engine.read).await.map(|_| ())?,
        }
        Ok(())
    }

    /// Gives the query planner fresh statistics.
    pub async fn refresh_statistics(&self) -> Result<(), DatabaseError> {
        on!(self, engine => sqlx::query("ANALYZE").execute(&engine.write).await.map(|_| ())?);
        Ok(())
    }

    /// Closes every connection, after the statements that run.
    pub async fn close(&self) {
        on!(self, engine => {
            engine.read.close().await;
            engine.write.close().await;
        });
    }
}
