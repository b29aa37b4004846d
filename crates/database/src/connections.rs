//! The connections of one pool, kept ready by us between two uses.
//!
//! sqlx asks every connection for a sign of life when it is taken, and again, in a task of its own, when it comes back: two trips to the
//! server, or to the thread of a SQLite connection, for each statement that is one trip itself. So a connection whose statement came to its
//! good end waits here for the next one, and any other goes back to the pool, which looks at it as ever. A server may go away: its
//! connections wait here for a moment only, and now and then the pool sees each of them, for their age and their number.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_stream::try_stream;
use futures_util::{TryStreamExt as _, future::BoxFuture, stream::BoxStream};
use sqlx::{Database, Either, Error, Execute, Executor, Pool, SqlStr, pool::PoolConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Cheap to clone; every clone is the same.
pub(crate) struct Connections<DB: Database> {
    pool: Pool<DB>,
    ready: Arc<Ready<DB>>,
}

impl<DB: Database> Clone for Connections<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), ready: Arc::clone(&self.ready) }
    }
}

impl<DB: Database> fmt::Debug for Connections<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("pool", &self.pool).finish_non_exhaustive()
    }
}

/// How long the pool may lose sight of connections to a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight {
    /// One that nobody used for this long is looked at first.
    pub(crate) unused: Duration,
    /// However much it is used.
    pub(crate) used: Duration,
}

impl<DB: Database> Connections<DB> {
    /// As many as the pool has at most. The pool must be asked through this alone, and have no connections at least.
    pub(crate) fn new(pool: Pool<DB>, sight: Option<Sight>) -> Self {
        let options = pool.options();
        let ready = Ready {
            turns: Arc::new(Semaphore::new(options.get_max_connections() as usize)),
            patience: options.get_acquire_timeout(),
            sight,
            idle: Mutex::new(Some(Vec::new())),
        };
        Self { pool, ready: Arc::new(ready) }
    }

    /// The options of the pool are of use; its connections are asked for here.
    pub(crate) fn pool(&self) -> &Pool<DB> {
        &self.pool
    }

    /// Waits for one to be free: first come, first served.
    ///
    /// # Errors
    /// [`Error::PoolTimedOut`] when none was free in time, [`Error::PoolClosed`], and failures to connect.
    pub(crate) async fn borrow(&self) -> Result<Borrowed<DB>, Error> {
        let ready = Arc::clone(&self.ready);
        let turn = tokio::time::timeout(ready.patience, Arc::clone(&ready.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| Error::PoolTimedOut)?.map_err(|_| Error::PoolClosed)?;
        let (connection, since) = match ready.pop()? {
            Some(Idle { connection, since, .. }) => (connection, since),
            // Those that are idle and in use are fewer than the turns, so that the pool has room for this one.
            None => (self.pool.acquire().await?, Instant::now()),
        };
        Ok(Borrowed { connection, since, ready, turn })
    }

    /// Closes them, after the statements that run.
    pub(crate) async fn close(&self) {
        self.ready.turns.close();
        drop(self.ready.idle().take());
        self.pool.close().await;
    }
}

/// A connection between two uses.
struct Idle<DB: Database> {
    connection: PoolConnection<DB>,
    /// When the pool gave it.
    since: Instant,
    used: Instant,
}

struct Ready<DB: Database> {
    turns: Arc<Semaphore>,
    patience: Duration,
    /// None where there is no server.
    sight: Option<Sight>,
    /// The last one used is the next one; none of them once they are closed.
    idle: Mutex<Option<Vec<Idle<DB>>>>,
}

impl<DB: Database> Ready<DB> {
    fn idle(&self) -> MutexGuard<'_, Option<Vec<Idle<DB>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool gets those that it has to see.
    fn pop(&self) -> Result<Option<Idle<DB>>, Error> {
        let mut idle = self.idle();
        let idle = idle.as_mut().ok_or(Error::PoolClosed)?;
        if let Some(sight) = self.sight {
            idle.retain(|one| one.used.elapsed() < sight.unused && one.since.elapsed() < sight.used);
        }
        Ok(idle.pop())
    }

    fn push(&self, one: Idle<DB>) {
        if let Some(idle) = self.idle().as_mut() {
            idle.push(one);
        }
    }
}

impl<DB: Database> Drop for Ready<DB> {
    /// Nobody waits for them any more, and there may be no runtime left in which the pool could take them back.
    fn drop(&mut self) {
        for one in self.idle().take().into_iter().flatten() {
            drop(one.connection.detach());
        }
    }
}

/// A connection in use. Dropped, it goes back to the pool, to be looked at.
pub(crate) struct Borrowed<DB: Database> {
    connection: PoolConnection<DB>,
    since: Instant,
    ready: Arc<Ready<DB>>,
    turn: OwnedSemaphorePermit,
}

impl<DB: Database> Borrowed<DB> {
    /// What was asked of it has come to its good end: it is ready for the next.
    pub(crate) fn give_back(self) {
        let Self { connection, since, ready, turn } = self;
        ready.push(Idle { connection, since, used: Instant::now() });
        // Who comes next is to find it.
        drop(turn);
    }

    /// Takes it away for good: another one may be opened in its place.
    pub(crate) fn detach(self) -> DB::Connection {
        self.connection.detach()
    }
}

impl<DB: Database> Deref for Borrowed<DB> {
    type Target = DB::Connection;
    fn deref(&self) -> &DB::Connection {
        &self.connection
    }
}

impl<DB: Database> DerefMut for Borrowed<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        &mut self.connection
    }
}

impl<'p, DB: Database> Executor<'p> for &'_ Connections<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<DB::QueryResult, DB::Row>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let connections = self.clone();
        Box::pin(try_stream! {
            let mut connection = connections.borrow().await?;
            {
                let mut rows = connection.fetch_many(query);
                while let Some(row) = rows.try_next().await? {
                    yield row;
                }
            }
            connection.give_back();
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let connections = self.clone();
        Box::pin(async move {
            let mut connection = connections.borrow().await?;
            let row = connection.fetch_optional(query).await?;
            connection.give_back();
            Ok(row)
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, Error>>
    where
        'p: 'e,
    {
        let connections = self.clone();
        Box::pin(async move {
            let mut connection = connections.borrow().await?;
            let statement = connection.prepare_with(sql, parameters).await?;
            connection.give_back();
            Ok(statement)
        })
    }
}

#[cfg(test)]
mod tests;
