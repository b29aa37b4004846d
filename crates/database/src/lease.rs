//! Work that one node at a time does. A lease says who; what is written under it asks once more, in its own transaction, whether
//! it is still held. So a node that was paused does harm to nobody, and one whose clock is wrong takes the work from others
//! and lets it be taken, which costs repetitions.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::{Database, DatabaseError, engine::Tx, statement::Dialect};

/// A lease that this process holds, or held: who asks for it under which name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub(crate) name: &'static str,
    pub(crate) holder: Uuid,
}

impl Lease {
    /// For a new holder, who does not hold it yet.
    pub fn new(name: &'static str) -> Self {
        Self { name, holder: Uuid::now_v7() }
    }

    /// Whether it is held, still at the COMMIT of the transaction that asks.
    pub(crate) async fn is_held(&self, tx: &mut Tx) -> Result<bool, DatabaseError> {
        // SQLite has one writer: nobody takes it meanwhile.
        const SQLITE: &str = "SELECT COUNT(*) FROM lease WHERE name = $1 AND holder = $2";
        const POSTGRES: &str =
            "SELECT COUNT(*) FROM (SELECT 1 FROM lease WHERE name = $1 AND holder = $2 FOR UPDATE) AS held";
        let sql = match tx.dialect() {
            Dialect::Sqlite => SQLITE,
            Dialect::Postgres => POSTGRES,
        };
        let held: i64 = on_tx!(tx, connection =>
            sqlx::query_scalar(sql).bind(self.name).bind(self.holder).fetch_one(connection).await?);
        Ok(held > 0)
    }
}

impl Database {
    /// Takes a lease, or makes it longer, for `time` from now; says whether it is held. A lease of another holder is
    /// taken when its time is over.
    pub async fn take_lease(&self, lease: &Lease, time: TimeDelta) -> Result<bool, DatabaseError> {
        const SQL: &str = "INSERT INTO lease (name, holder, held_until) VALUES ($1, $2, $3) ON CONFLICT (name) \
             DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until \
             WHERE lease.holder = excluded.holder OR lease.held_until <= $4 OR lease.held_until > $5";
        let mut tx = self.begin().await?;
        let now = tx.now;
        let taken = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(lease.name)
            .bind(lease.holder)
            .bind(now + time)
            .bind(now)
            // No clock that goes with ours says so: nobody waits an hour for a node that was an hour ahead.
            .bind(now + time + time)
            .execute(connection)
            .await
            .map(|done| done.rows_affected())?);
        self.commit(tx).await?;
        Ok(taken > 0)
    }

    /// Gives a lease back, so that nobody has to wait for its end; nothing happens when another holds it.
    pub async fn give_lease_back(&self, lease: &Lease) -> Result<(), DatabaseError> {
        const SQL: &str = "DELETE FROM lease WHERE name = $1 AND holder = $2";
        let mut tx = self.begin().await?;
        on_tx!(tx, connection =>
            sqlx::query(SQL).bind(lease.name).bind(lease.holder).execute(connection).await.map(drop)?);
        self.commit(tx).await
    }
}
