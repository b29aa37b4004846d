//! Which node makes which preview. All nodes see the same queue; without this each of them would render everything.
//!
//! A claim is an advisory lock of a connection that is kept for it, so it ends with the node (within a minute when its machine
//! vanishes), and there is no time after which it has to be said again. A node that loses its connection loses its claims, and another one may make the
//! same preview: [`Database::record_preview`] keeps the first.

use std::collections::HashSet;

use sqlx_postgres::PgConnection;
use uuid::Uuid;

use crate::{Database, DatabaseError};

/// Claims looked past: what other nodes are at stands before what is left for us.
const CLAIMED_ELSEWHERE_MAX: u32 = 64;

/// The claims of one worker.
pub struct PreviewClaims {
    database: Database,
    /// None on SQLite, where one process works, and before the first claim.
    connection: Option<PgConnection>,
    claimed: HashSet<Uuid>,
}

impl Database {
    /// No claims yet.
    pub fn preview_claims(&self) -> PreviewClaims {
        PreviewClaims { database: self.clone(), connection: None, claimed: HashSet::new() }
    }
}

impl PreviewClaims {
    /// How many more rows of the queue than wanted have to be read so that enough are found that nobody has claimed.
    pub fn looked_past(&self) -> u32 {
        match self.database {
            Database::Postgres(_) => CLAIMED_ELSEWHERE_MAX,
            Database::Sqlite(_) => 0,
        }
    }

    /// Claims up to `wanted` of these previews, the first ones first: those that are ours now and still to be made.
    ///
    /// # Errors
    /// When the server cannot be asked; every claim is gone then.
    pub async fn claim(&mut self, previews: &[Uuid], wanted: usize) -> Result<HashSet<Uuid>, DatabaseError> {
        let Database::Postgres(engine) = &self.database else {
            return Ok(previews.iter().copied().take(wanted).collect());
        };
        if previews.is_empty() || wanted == 0 {
            return Ok(HashSet::new());
        }
        let connection = if let Some(connection) = self.connection.take() {
            connection
        } else {
            self.claimed.clear();
            engine.read.borrow().await?.detach()
        };
        let free: Vec<Uuid> = previews.iter().copied().filter(|id| !self.claimed.contains(id)).collect();
        // A failure drops the connection, and with it what it had claimed.
        let (connection, locked) = lock(connection, &free, wanted).await?;
        self.connection = Some(connection);
        self.claimed.extend(&locked);
        let pending = self.still_pending(&locked).await?;
        for id in locked.iter().filter(|id| !pending.contains(id)) {
            self.release(*id).await;
        }
        Ok(pending)
    }

    /// Somebody may have made it and let go between our look at the queue and our claim.
    async fn still_pending(&mut self, locked: &[Uuid]) -> Result<HashSet<Uuid>, DatabaseError> {
        const SQL: &str = "SELECT instance FROM preview WHERE instance = ANY($1) AND state = 'pending'";
        let Some(mut connection) = self.connection.take() else { return Ok(HashSet::new()) };
        let found = sqlx::query_scalar(SQL).bind(locked).fetch_all(&mut connection).await?;
        self.connection = Some(connection);
        Ok(found.into_iter().collect())
    }

    /// Lets go of a preview that was made, or has to wait.
    pub async fn release(&mut self, preview: Uuid) {
        const SQL: &str = "SELECT pg_advisory_unlock(hashtextextended($1::text, 33))";
        if !self.claimed.remove(&preview) {
            return;
        }
        let Some(mut connection) = self.connection.take() else { return };
        // A connection that fails takes its claims with it.
        if sqlx::query(SQL).bind(preview).execute(&mut connection).await.is_ok() {
            self.connection = Some(connection);
        }
    }
}

/// The function is asked row by row until there are enough: a scan of a list under LIMIT reads no further.
async fn lock(
    mut connection: PgConnection,
    previews: &[Uuid],
    wanted: usize,
) -> Result<(PgConnection, Vec<Uuid>), DatabaseError> {
    const SQL: &str = "SELECT id FROM unnest($1::uuid[]) AS preview (id) \
        WHERE pg_try_advisory_lock(hashtextextended(id::text, 33)) LIMIT $2";
    let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
    let locked = sqlx::query_scalar(SQL).bind(previews).bind(wanted).fetch_all(&mut connection).await?;
    Ok((connection, locked))
}
