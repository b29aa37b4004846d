//! Up to where each reader has read the outbox.

use crate::{Database, DatabaseError, engine::Tx, lease::Lease};

/// The cursor of what becomes a delivery: every node moves it.
pub(crate) const READ_DELIVERIES: &str = "deliveries";
/// The cursor of the broker: the node that holds the lease moves it.
pub(crate) const READ_BROKER: &str = "broker";
/// The cursor of who notices that a study is quiet: the node that holds the lease moves it.
pub(crate) const READ_QUIET_STUDIES: &str = "quiet-studies";

/// The cursor of what is sent on by rules: every node moves it.
pub(crate) const READ_FORWARDING: &str = "forwarding";

/// Where a reader is; none before its first day.
pub(crate) async fn cursor(database: &Database, reader: &str) -> Result<Option<i64>, DatabaseError> {
    const SQL: &str = "SELECT sequence FROM outbox_cursor WHERE reader = $1";
    Ok(on!(database, engine => sqlx::query_scalar(SQL).bind(reader).fetch_optional(&engine.read).await?))
}

/// The first day of a reader: it reads what comes from now on.
pub(crate) async fn begin_cursor(database: &Database, reader: &str) -> Result<i64, DatabaseError> {
    const BEGIN: &str = "INSERT INTO outbox_cursor (reader, sequence) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    let last = database.outbox_last().await?;
    let mut tx = database.begin().await?;
    on_tx!(tx, connection => sqlx::query(BEGIN).bind(reader).bind(last).execute(connection).await.map(drop)?);
    database.commit(tx).await?;
    // Another node may have been quicker: what is kept counts.
    Ok(cursor(database, reader).await?.unwrap_or(last))
}

/// The last day of a reader.
pub(crate) async fn end_cursor(tx: &mut Tx, reader: &str) -> Result<(), DatabaseError> {
    const SQL: &str = "DELETE FROM outbox_cursor WHERE reader = $1";
    on_tx!(tx, connection => sqlx::query(SQL).bind(reader).execute(connection).await.map(drop)?);
    Ok(())
}

/// Moves a reader on in the transaction of what it read; says no when it is there already, or further.
pub(crate) async fn move_cursor(tx: &mut Tx, reader: &str, until: i64) -> Result<bool, DatabaseError> {
    const SQL: &str = "UPDATE outbox_cursor SET sequence = $2 WHERE reader = $1 AND sequence < $2";
    let moved = on_tx!(tx, connection =>
        sqlx::query(SQL).bind(reader).bind(until).execute(connection).await?.rows_affected());
    Ok(moved > 0)
}

/// The same for work of one node; says no when another node holds the lease, or held it meanwhile and went on.
pub(crate) async fn move_cursor_of(
    tx: &mut Tx,
    lease: &Lease,
    reader: &str,
    until: i64,
) -> Result<bool, DatabaseError> {
    Ok(lease.is_held(tx).await? && move_cursor(tx, reader, until).await?)
}

impl Database {
    /// Up to where the broker has confirmed events. The first time ever, that is the newest event: what happened before
    /// there was a broker is not sent to it.
    pub async fn broker_cursor(&self) -> Result<i64, DatabaseError> {
        match cursor(self, READ_BROKER).await? {
            Some(sequence) => Ok(sequence),
            None => begin_cursor(self, READ_BROKER).await,
        }
    }

    /// Notes that the broker confirmed every event up to `until`; says no, and notes nothing, when another node holds
    /// the lease meanwhile.
    pub async fn move_broker_cursor(&self, until: i64, lease: &Lease) -> Result<bool, DatabaseError> {
        let mut tx = self.begin().await?;
        let moved = move_cursor_of(&mut tx, lease, READ_BROKER, until).await?;
        self.commit(tx).await?;
        Ok(moved)
    }

    /// How many events come after `sequence`, counted up to `limit`.
    pub async fn outbox_behind(&self, sequence: i64, limit: u32) -> Result<i64, DatabaseError> {
        const SQL: &str =
            "SELECT COUNT(*) FROM (SELECT 1 FROM outbox WHERE sequence > $1 LIMIT $2) AS behind";
        Ok(on!(self, engine =>
            sqlx::query_scalar(SQL).bind(sequence).bind(i64::from(limit)).fetch_one(&engine.read).await?))
    }
}
