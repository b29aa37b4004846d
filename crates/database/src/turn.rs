//! Turns at the one writing connection of SQLite. Who waits for a turn while another has it joins that transaction, as
//! a savepoint in it, and all of them share one COMMIT: one sync of the disk serves everybody who waited for the last
//! one. Nobody is told of success before that COMMIT; a turn that is given up takes back what it did, and nothing else.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use sqlx_sqlite::{Sqlite, SqliteConnection};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot, watch};

use crate::{
    AuditRecord, DatabaseError,
    audit::{ChainMemory, write_chained_together},
    connections::{Borrowed, Connections},
    engine::before_commit,
};

/// Turns of one transaction at most.
const TURNS_MAX: usize = 64;
/// After this time a transaction takes no more turns: its first waits for the last.
const GATHERING_MAX: Duration = Duration::from_millis(10);

/// Every statement that moves a transaction on is sent with the next one: each is a trip to the thread of the connection.
const FIRST: &str = "BEGIN IMMEDIATE; SAVEPOINT turn";
const NEXT: &str = "RELEASE turn; SAVEPOINT turn";
const TAKE_BACK: &str = "ROLLBACK TO turn";
const COMMIT: &str = "RELEASE turn; COMMIT";
const ROLLBACK: &str = "ROLLBACK";

type Asked = oneshot::Sender<Result<Turn, DatabaseError>>;

/// What a turn leaves to the end of its transaction.
struct Kept {
    /// What it is to be recorded as in the audit trail.
    audit: Vec<AuditRecord>,
    /// When it began.
    at: DateTime<Utc>,
    committed: oneshot::Sender<Result<(), DatabaseError>>,
}

/// The way to the writing connection.
#[derive(Clone)]
pub(crate) struct Turns {
    asked: mpsc::UnboundedSender<Asked>,
    patience: Duration,
}

/// The writing connection, in a transaction, until this is kept or dropped.
pub(crate) struct Turn {
    connection: OwnedMutexGuard<Borrowed<Sqlite>>,
    end: oneshot::Sender<Kept>,
}

impl Deref for Turn {
    type Target = SqliteConnection;
    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

impl Turn {
    /// Gives the connection on, and returns once what was done, and these records of it, are durable.
    pub(crate) async fn keep(self, audit: Vec<AuditRecord>, at: DateTime<Utc>) -> Result<(), DatabaseError> {
        let (committed, ended) = oneshot::channel();
        let Self { connection, end } = self;
        // Without an answer below, when nobody listens any more.
        let _ = end.send(Kept { audit, at, committed });
        drop(connection);
        ended.await.map_err(|_| DatabaseError::closing())?
    }
}

impl Turns {
    /// Hands out turns at this one connection, until the last clone is dropped. What they are recorded as goes
    /// to the end of `chain`; `broken` is set when the disk fails under a COMMIT.
    pub(crate) fn new(
        connections: Connections<Sqlite>,
        chain: Arc<ChainMemory>,
        broken: watch::Sender<bool>,
        patience: Duration,
    ) -> Self {
        let (asked, queue) = mpsc::unbounded_channel();
        tokio::spawn(hand_out(connections, chain, broken, queue));
        Self { asked, patience }
    }

    /// Waits for a turn: first come, first served.
    ///
    /// # Errors
    /// [`DatabaseError::Busy`] when none came in time.
    pub(crate) async fn take(&self) -> Result<Turn, DatabaseError> {
        let (reply, turn) = oneshot::channel();
        self.asked.send(reply).map_err(|_| DatabaseError::closing())?;
        let turn = tokio::time::timeout(self.patience, turn).await.map_err(|_| DatabaseError::Busy)?;
        turn.map_err(|_| DatabaseError::closing())?
    }
}

async fn hand_out(
    connections: Connections<Sqlite>,
    chain: Arc<ChainMemory>,
    broken: watch::Sender<bool>,
    mut queue: mpsc::UnboundedReceiver<Asked>,
) {
    while let Some(first) = queue.recv().await {
        match Gathering::begin(&connections).await {
            Ok(gathering) => gathering.run(first, &mut queue, &chain, &broken).await,
            Err(error) => {
                let _ = first.send(Err(error));
            }
        }
    }
}

/// A transaction that turns gather in.
struct Gathering {
    connection: Arc<Mutex<Borrowed<Sqlite>>>,
    began: Instant,
    /// Who waits for the COMMIT.
    kept: Vec<oneshot::Sender<Result<(), DatabaseError>>>,
    /// What they are recorded as, and when: all in one statement, so that the trail costs a turn nothing.
    records: Vec<(Vec<AuditRecord>, DateTime<Utc>)>,
}

impl Gathering {
    async fn begin(connections: &Connections<Sqlite>) -> Result<Self, DatabaseError> {
        let mut connection = connections.borrow().await?;
        let begun = run(&mut connection, FIRST).await;
        if begun.is_err() {
            // Nothing of this transaction may be met by the next one.
            let _ = run(&mut connection, ROLLBACK).await;
        }
        begun?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            began: Instant::now(),
            kept: Vec::new(),
            records: Vec::new(),
        })
    }

    async fn run(
        mut self,
        first: Asked,
        queue: &mut mpsc::UnboundedReceiver<Asked>,
        chain: &ChainMemory,
        broken: &watch::Sender<bool>,
    ) {
        let mut next = Some(first);
        let mut moved = Ok(());
        while let Some(asked) = next.take() {
            moved = self.give(asked).await;
            let full = self.kept.len() >= TURNS_MAX || self.began.elapsed() >= GATHERING_MAX;
            if moved.is_ok() && !full {
                // Who has stopped waiting is passed over: dropping what was sent to nobody would cost a turn.
                next = std::iter::from_fn(|| queue.try_recv().ok()).find(|asked| !asked.is_closed());
            }
            if next.is_some() {
                moved = self.statement(NEXT).await;
                if moved.is_err() {
                    break;
                }
            }
        }
        self.end(moved, next, chain, broken).await;
    }

    /// One turn, from its first statement to its last.
    async fn give(&mut self, asked: Asked) -> Result<(), sqlx::Error> {
        let (end, ended) = oneshot::channel();
        let connection = Arc::clone(&self.connection).lock_owned().await;
        let _ = asked.send(Ok(Turn { connection, end }));
        match ended.await {
            Ok(Kept { audit, at, committed }) => {
                if !audit.is_empty() {
                    self.records.push((audit, at));
                }
                self.kept.push(committed);
                Ok(())
            }
            // Dropped. When the engine has rolled back everything by itself, there is no savepoint to go back to.
            Err(_) => self.statement(TAKE_BACK).await,
        }
    }

    async fn statement(&self, sql: &'static str) -> Result<(), sqlx::Error> {
        run(&mut *self.connection.lock().await, sql).await
    }

    /// The audit records of all turns in one statement, and COMMIT.
    async fn commit(
        &mut self,
        chain: &ChainMemory,
        broken: &watch::Sender<bool>,
    ) -> Result<(), DatabaseError> {
        let records = std::mem::take(&mut self.records);
        let head = write_chained_together(chain, &mut *self.connection.lock().await, records).await?;
        before_commit()?;
        let committed = self.statement(COMMIT).await;
        if committed.as_ref().is_err_and(is_disk_failure) {
            // What a failed fsync left behind may be read but not be on the disk: asking the same file
            // again proves nothing.
            broken.send_replace(true);
            tracing::error!("the disk failed under a commit: nothing more is stored until a restart");
        }
        committed.map_err(rolled_back)?;
        chain.committed(head);
        Ok(())
    }

    async fn end(
        mut self,
        moved: Result<(), sqlx::Error>,
        left_over: Option<Asked>,
        chain: &ChainMemory,
        broken: &watch::Sender<bool>,
    ) {
        let committed = match moved {
            Ok(()) if self.kept.is_empty() => self.statement(ROLLBACK).await.map_err(DatabaseError::from),
            Ok(()) => self.commit(chain, broken).await,
            Err(error) => Err(rolled_back(error)),
        };
        let Err(error) = committed else {
            if let Some(connection) = Arc::into_inner(self.connection) {
                connection.into_inner().give_back().await;
            }
            metrics::histogram!("database_turns_of_a_commit").record(self.kept.len() as f64);
            for committed in self.kept {
                let _ = committed.send(Ok(()));
            }
            return;
        };
        // Refused when the engine has done it already.
        let _ = self.statement(ROLLBACK).await;
        tracing::warn!(%error, turns = self.kept.len(), "a transaction was not committed");
        for committed in self.kept {
            let _ = committed.send(Err(error.for_another()));
        }
        if let Some(asked) = left_over {
            let _ = asked.send(Err(error.for_another()));
        }
    }
}

async fn run(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(sql).execute(connection).await.map(drop)
}

/// As when there is no savepoint to go on from: nothing is wrong with who shared the transaction, and trying again may help.
pub(crate) fn rolled_back(error: sqlx::Error) -> DatabaseError {
    match DatabaseError::from(error) {
        known @ (DatabaseError::Busy | DatabaseError::Unavailable(_)) => known,
        _ => DatabaseError::Unavailable("the transaction was rolled back".to_owned()),
    }
}

/// SQLITE_IOERR of any kind.
fn is_disk_failure(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    error.code().and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 10)
}

#[cfg(test)]
mod tests;
