//! The connections of one pool, kept by us between two uses.
//!
//! sqlx asks every connection for a sign of life when it is taken and again, in a task of its own, when it comes back: two trips to the
//! server, or to the thread of a SQLite connection, for each statement that is one trip itself. So the pool opens connections and counts them,
//! and this keeps them: one whose statement came to its good end is ready for the next. Any other is asked first, and so is one to a server
//! that nobody has used for a moment. Who asks does not wait for ever: a server that vanished says nothing.

mod executor;
mod server;

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Error, Pool, pool::PoolConnection};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
};

pub(crate) use self::{
    executor::{InTime, in_time},
    server::Server,
};

/// Cheap to clone; every clone is the same.
pub(crate) struct Connections<DB: Server>(Arc<Kept<DB>>);

impl<DB: Server> Clone for Connections<DB> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<DB: Server> fmt::Debug for Connections<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connections").field(&self.0.pool).finish()
    }
}

/// How long connections to a server are good for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Age {
    /// Unused for longer, one is asked for a sign of life before it is used.
    pub(crate) trusted: Duration,
    /// Unused for longer, it is closed.
    pub(crate) unused_max: Duration,
    /// However much it is used.
    pub(crate) max: Duration,
    /// A statement that is not answered for longer never will be: the server ends each one before that, unless it has gone.
    pub(crate) answer_max: Duration,
}

impl<DB: Server> Connections<DB> {
    /// As many as the pool has at most. The pool must be asked through this alone, and want no connections at least.
    pub(crate) fn new(pool: Pool<DB>, age: Option<Age>) -> Self {
        let options = pool.options();
        let kept = Kept {
            turns: Arc::new(Semaphore::new(options.get_max_connections() as usize)),
            patience: options.get_acquire_timeout(),
            age,
            idle: Mutex::new(Some(Vec::new())),
            pool,
        };
        Self(Arc::new(kept))
    }

    /// Its options; connections are asked for here.
    pub(crate) fn pool(&self) -> &Pool<DB> {
        &self.0.pool
    }

    /// Waits for one to be free: first come, first served.
    ///
    /// # Errors
    /// [`Error::PoolTimedOut`] when none was free in time, [`Error::PoolClosed`], and failures to connect.
    pub(crate) async fn borrow(&self) -> Result<Borrowed<DB>, Error> {
        let kept = Arc::clone(&self.0);
        let turn = tokio::time::timeout(kept.patience, Arc::clone(&kept.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| Error::PoolTimedOut)?.map_err(|_| Error::PoolClosed)?;
        if let Some(Idle { mut connection, since, used }) = kept.pop()? {
            let trusted = kept.age.is_none_or(|age| used.elapsed() < age.trusted);
            if trusted || kept.is_alive(&mut connection).await {
                return Ok(Borrowed(Some(Held { connection, since, kept, turn })));
            }
            // The server has gone, and with it the others, which were not used for longer.
            drop(connection.detach());
            kept.forget_all();
        }
        // Those that are idle, in use or on their way back are fewer than the turns: the pool has room for this one.
        let connection = kept.pool.acquire().await?;
        Ok(Borrowed(Some(Held { connection, since: Instant::now(), kept, turn })))
    }

    /// How long the answer to one statement is waited for.
    pub(crate) fn answer_max(&self) -> Duration {
        self.0.age.map_or(Duration::MAX, |age| age.answer_max)
    }

    /// Closes them, after the statements that run.
    pub(crate) async fn close(&self) {
        let kept = &self.0;
        kept.turns.close();
        let idle = kept.idle().take();
        for one in idle.into_iter().flatten() {
            kept.end(one.connection).await;
        }
        kept.pool.close().await;
    }
}

/// A connection between two uses.
struct Idle<DB: Server> {
    connection: PoolConnection<DB>,
    /// When it was opened.
    since: Instant,
    used: Instant,
}

struct Kept<DB: Server> {
    pool: Pool<DB>,
    turns: Arc<Semaphore>,
    patience: Duration,
    /// None where there is no server.
    age: Option<Age>,
    /// The last one used is the next one; none of them once they are closed.
    idle: Mutex<Option<Vec<Idle<DB>>>>,
}

impl<DB: Server> Kept<DB> {
    fn idle(&self) -> MutexGuard<'_, Option<Vec<Idle<DB>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pop(&self) -> Result<Option<Idle<DB>>, Error> {
        let mut idle = self.idle();
        let idle = idle.as_mut().ok_or(Error::PoolClosed)?;
        if let Some(age) = self.age {
            let old =
                |one: &mut Idle<DB>| one.used.elapsed() >= age.unused_max || one.since.elapsed() >= age.max;
            for one in idle.extract_if(.., old) {
                // Without a word: this is on somebody's way, and the server notices.
                drop(one.connection.detach());
            }
        }
        Ok(idle.pop())
    }

    fn forget_all(&self) {
        for one in self.idle().iter_mut().flat_map(|idle| idle.drain(..)) {
            drop(one.connection.detach());
        }
    }

    /// Gives it back when they are closed.
    fn push(&self, one: Idle<DB>) -> Option<PoolConnection<DB>> {
        match self.idle().as_mut() {
            Some(idle) => idle.push(one),
            None => return Some(one.connection),
        }
        None
    }

    async fn is_alive(&self, connection: &mut PoolConnection<DB>) -> bool {
        let sign = tokio::time::timeout(self.patience, DB::sign_of_life(connection));
        sign.await.is_ok_and(|answer| answer.is_ok())
    }

    /// In order, so that SQLite has put its log away when the program ends.
    async fn end(&self, connection: PoolConnection<DB>) {
        // A server that does not answer is left.
        let _ = tokio::time::timeout(self.patience, connection.close()).await;
    }
}

impl<DB: Server> Drop for Kept<DB> {
    /// Nobody waits for them any more, and there may be no runtime left to close them in.
    fn drop(&mut self) {
        self.forget_all();
    }
}

/// A connection in use. Dropped, it is asked for a sign of life before it is used again.
pub(crate) struct Borrowed<DB: Server>(Option<Held<DB>>);

struct Held<DB: Server> {
    connection: PoolConnection<DB>,
    since: Instant,
    kept: Arc<Kept<DB>>,
    turn: OwnedSemaphorePermit,
}

impl<DB: Server> Held<DB> {
    async fn give_back(self) {
        let Self { connection, since, kept, turn } = self;
        if let Some(connection) = kept.push(Idle { connection, since, used: Instant::now() }) {
            kept.end(connection).await;
        }
        // Who comes next is to find it.
        drop(turn);
    }
}

impl<DB: Server> Borrowed<DB> {
    /// What was asked of it has come to its good end: it is ready for the next.
    pub(crate) async fn give_back(mut self) {
        if let Some(held) = self.0.take() {
            held.give_back().await;
        }
    }

    /// Takes it away for good: another one may be opened in its place.
    pub(crate) fn detach(mut self) -> DB::Connection {
        self.0.take().expect(HELD).connection.detach()
    }
}

/// Only what ends the borrowing takes it.
const HELD: &str = "it is there as long as it is borrowed";

impl<DB: Server> Drop for Borrowed<DB> {
    fn drop(&mut self) {
        let Some(mut held) = self.0.take() else { return };
        let Ok(runtime) = Handle::try_current() else {
            drop(held.connection.detach());
            return;
        };
        // Its statement may still run, or not have been undone yet: the turn is its until then, for who has a turn counts on a connection.
        runtime.spawn(async move {
            if held.kept.is_alive(&mut held.connection).await {
                held.give_back().await;
            } else {
                drop(held.connection.detach());
                held.kept.forget_all();
            }
        });
    }
}

impl<DB: Server> Deref for Borrowed<DB> {
    type Target = DB::Connection;
    fn deref(&self) -> &DB::Connection {
        &self.0.as_ref().expect(HELD).connection
    }
}

impl<DB: Server> DerefMut for Borrowed<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        &mut self.0.as_mut().expect(HELD).connection
    }
}

#[cfg(test)]
mod tests;
