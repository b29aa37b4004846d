//! Keys of outbox and audit trail that grow, whichever server a database lies on.
//!
//! On PostgreSQL they are made of transaction ids, which a server counts from its own beginning. A dump that is restored to
//! a younger server brings keys with it that are greater than any that this server would make: readers would wait for its ids
//! to catch up, and new keys would meet old ones. So a base is kept with the rows and raised when a node starts on such a server.
//! A server that goes on never needs it: its ids are greater than those in its rows.

use sqlx::Connection as _;
use sqlx_postgres::PgConnection;

use crate::{DatabaseError, statement::ORDINAL_BITS};

/// The base that connections have to be opened with.
pub(crate) async fn sequence_base(connection: &mut PgConnection) -> Result<i64, DatabaseError> {
    const LOCK: &str = "LOCK TABLE sequence_base IN EXCLUSIVE MODE";
    const READ: &str = "SELECT base, pg_current_xact_id()::text::bigint, \
        GREATEST((SELECT MAX(sequence) FROM outbox), (SELECT MAX(sequence) FROM audit), 0) FROM sequence_base";
    const RAISE: &str = "UPDATE sequence_base SET base = $1";
    let mut tx = connection.begin().await?;
    // Nodes that start together find one base.
    sqlx::query(LOCK).execute(&mut *tx).await?;
    let (base, id, newest): (i64, i64, i64) = sqlx::query_as(READ).fetch_one(&mut *tx).await?;
    let (newest, own) = (newest >> ORDINAL_BITS, id.saturating_add(base));
    if newest < own {
        // Nothing was written: nothing is kept waiting.
        tx.rollback().await?;
        return Ok(base);
    }
    let raised = newest.saturating_add(1).saturating_sub(id);
    sqlx::query(RAISE).bind(raised).execute(&mut *tx).await?;
    tx.commit().await?;
    tracing::info!(
        base = raised,
        "the database comes from another server; its events go on after the last one"
    );
    Ok(raised)
}
