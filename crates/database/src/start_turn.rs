//! Nodes that start at the same time set things up one after another: an empty object store gets one root key marker,
//! and the first node's account `admin` is the only one.

use std::time::{Duration, Instant};

use sqlx_postgres::PgConnection;

use crate::{Database, DatabaseError};

/// The advisory lock. Migrations have sqlx's own, whose number is made of the database's name.
const LOCK: i64 = 0x4d61_7852_6179_0001;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// A node that waits says so this often.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The turn of this node, until it is dropped or the node dies. On SQLite the data directory's lock keeps others out.
#[derive(Debug)]
pub struct StartTurn(#[expect(dead_code, reason = "holds the lock by being open")] Option<PgConnection>);

impl Database {
    /// Waits until no other node is setting up.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn start_turn(&self) -> Result<StartTurn, DatabaseError> {
        let Self::Postgres(engine) = self else { return Ok(StartTurn(None)) };
        // A connection of its own: one that went back into the pool would keep the lock.
        let mut connection = engine.write.borrow().await?.detach();
        let mut told = Instant::now();
        // Not by waiting in the server: how long another node takes is no matter of `statement_timeout_ms`.
        while !sqlx::query_scalar::<_, bool>("SELECT pg_try_advisory_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut connection)
            .await?
        {
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                tracing::info!("another node is starting; waiting for it");
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(StartTurn(Some(connection)))
    }
}
