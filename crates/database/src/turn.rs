//! Turns at the one writing connection of SQLite. Who waits for a turn while another has it joins that transaction, as
//! a savepoint in it, and all of them share one COMMIT: one sync of the disk serves everybody who waited for the last
//! one. Nobody is told of success before that COMMIT; a turn that is given up takes back what it did, and nothing else.
//!
//! Whoever has to look before writing gets the connection. Whoever knows all statements before hands them in as [`Work`], which is
//! carried out in one trip to the thread of the connection, and without waking anybody in between.

mod gathering;
mod together;
mod undo;

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use model::clock::Clock;
use sqlx_sqlite::{Sqlite, SqliteConnection};
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot, watch};

use self::gathering::hand_out;
use crate::{
    AuditRecord, DatabaseError,
    audit::ChainMemory,
    batch::Batch,
    connections::{Borrowed, Connections},
};

/// What is waited for.
enum Asked {
    Turn(oneshot::Sender<Result<Turn, DatabaseError>>),
    Work(Box<Work>),
}

/// A whole turn, to be carried out by whoever hands them out.
struct Work {
    statements: Batch,
    /// Told that it is carried out now, unless nobody waits for that any more.
    begun: oneshot::Sender<()>,
    /// What it is to be recorded as, at the time of this clock when it begins.
    audit: Vec<AuditRecord>,
    clock: Clock,
    committed: oneshot::Sender<Result<(), NotDone>>,
}

impl Work {
    /// Unless nobody waits for it any more.
    fn begin(self) -> Option<(Batch, Kept)> {
        let Self { statements, begun, audit, clock, committed } = self;
        begun.send(()).ok()?;
        Some((statements, Kept { audit, at: clock.now(), committed }))
    }
}

/// Why a turn came to nothing.
#[derive(Debug)]
pub(crate) enum NotDone {
    /// A statement of its own failed, and what those before it did was taken back.
    Statement(sqlx::Error),
    /// Anything else.
    Database(DatabaseError),
}

impl From<NotDone> for DatabaseError {
    fn from(not_done: NotDone) -> Self {
        match not_done {
            NotDone::Statement(error) => error.into(),
            NotDone::Database(error) => error,
        }
    }
}

impl From<DatabaseError> for NotDone {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl Asked {
    /// Nobody waits for it any more.
    fn is_given_up(&self) -> bool {
        match self {
            Self::Turn(reply) => reply.is_closed(),
            Self::Work(work) => work.begun.is_closed(),
        }
    }

    fn refuse(self, error: DatabaseError) {
        match self {
            Self::Turn(reply) => drop(reply.send(Err(error))),
            Self::Work(work) => {
                // It waits for this first.
                let _ = work.begun.send(());
                let _ = work.committed.send(Err(error.into()));
            }
        }
    }
}

/// What a turn leaves to the end of its transaction.
struct Kept {
    /// What it is to be recorded as in the audit trail.
    audit: Vec<AuditRecord>,
    /// When it began.
    at: DateTime<Utc>,
    committed: oneshot::Sender<Result<(), NotDone>>,
}

/// The way to the writing connection.
#[derive(Clone)]
pub(crate) struct Turns {
    asked: mpsc::UnboundedSender<Asked>,
    patience: Duration,
}

/// The writing connection, in a transaction, until this is kept or dropped.
pub(crate) enum Turn {
    /// It can be asked.
    Taken(Taken),
    /// It is not asked for before all is known that is to be done: see [`Turn::carry_out`].
    Later(Turns),
}

/// The connection, and the way to say that the turn is over.
pub(crate) struct Taken {
    connection: OwnedMutexGuard<Borrowed<Sqlite>>,
    end: oneshot::Sender<Kept>,
}

impl Deref for Turn {
    type Target = SqliteConnection;
    fn deref(&self) -> &SqliteConnection {
        match self {
            Self::Taken(taken) => &taken.connection,
            Self::Later(_) => unreachable!("a turn that was not taken is asked nothing"),
        }
    }
}

impl DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Taken(taken) => &mut taken.connection,
            Self::Later(_) => unreachable!("a turn that was not taken is asked nothing"),
        }
    }
}

impl Turn {
    /// Gives the connection on, and returns once what was done, and these records of it, are durable.
    pub(crate) async fn keep(self, audit: Vec<AuditRecord>, at: DateTime<Utc>) -> Result<(), DatabaseError> {
        let Self::Taken(Taken { connection, end }) = self else {
            unreachable!("a turn that was not taken is carried out");
        };
        let (committed, ended) = oneshot::channel();
        // Without an answer below, when nobody listens any more.
        let _ = end.send(Kept { audit, at, committed });
        drop(connection);
        Ok(ended.await.map_err(|_| DatabaseError::closing())??)
    }

    /// Has the statements of a turn that was not taken carried out, and returns once what they did, and these records of it, are
    /// durable. Dropping the future does not take it back once it has begun.
    ///
    /// # Errors
    /// [`DatabaseError::Busy`] when it was not begun in time.
    pub(crate) async fn carry_out(
        turns: Turns,
        statements: Batch,
        audit: Vec<AuditRecord>,
        clock: Clock,
    ) -> Result<(), NotDone> {
        let (begun, mut begins) = oneshot::channel();
        let (committed, ended) = oneshot::channel();
        let work = Work { statements, begun, audit, clock, committed };
        turns.asked.send(Asked::Work(Box::new(work))).map_err(|_| DatabaseError::closing())?;
        if tokio::time::timeout(turns.patience, &mut begins).await.is_err() {
            begins.close();
            // What began in that very moment is waited for.
            begins.try_recv().map_err(|_| DatabaseError::Busy)?;
        }
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
        self.asked.send(Asked::Turn(reply)).map_err(|_| DatabaseError::closing())?;
        let turn = tokio::time::timeout(self.patience, turn).await.map_err(|_| DatabaseError::Busy)?;
        turn.map_err(|_| DatabaseError::closing())?
    }
}

/// As when there is no savepoint to go on from: nothing is wrong with who shared the transaction, and trying again may help.
pub(crate) fn rolled_back(error: sqlx::Error) -> DatabaseError {
    match DatabaseError::from(error) {
        known @ (DatabaseError::Busy | DatabaseError::Unavailable(_)) => known,
        _ => DatabaseError::Unavailable("the transaction was rolled back".to_owned()),
    }
}

#[cfg(test)]
mod tests;
