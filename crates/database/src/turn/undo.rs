//! What is done after something has failed: sqlx may have lost the thread of the connection over it, without a word.

use std::time::Duration;

use sqlx::Connection as _;
use sqlx_sqlite::SqliteConnection;

pub(super) const ROLLBACK: &str = "ROLLBACK";
/// Nothing of it waits for the disk.
const UNDONE_WITHIN: Duration = Duration::from_secs(10);

/// The end of a transaction that is not committed. A connection that is not heard of again is not used again: it is asked for a sign of
/// life when it is dropped.
pub(super) async fn give_up(connection: &mut SqliteConnection) {
    // Refused when the engine has done it already.
    let _ = undo(connection, ROLLBACK).await;
    // When somebody has changed the schema meanwhile, sqlx 0.9 panics at the second failure of a kept text of several statements.
    let _ = tokio::time::timeout(UNDONE_WITHIN, connection.clear_cached_statements()).await;
}

/// As [`run`], without waiting for ever.
pub(super) async fn undo(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    tokio::time::timeout(UNDONE_WITHIN, run(connection, sql)).await.map_err(|_| sqlx::Error::WorkerCrashed)?
}

/// One of our commands.
pub(super) async fn run(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(sql).execute(connection).await.map(drop)
}

/// SQLITE_IOERR of any kind.
pub(super) fn is_disk_failure(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    error.code().and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 10)
}
