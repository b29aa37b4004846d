//! What has to be done one after another, on PostgreSQL until the COMMIT. SQLite has one writer.

use crate::{
    DatabaseError,
    engine::{Tx, TxInner},
};

/// Waits until no other transaction holds the lock of that name.
pub(crate) async fn lock(tx: &mut Tx, name: &str) -> Result<(), DatabaseError> {
    const SQL: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
    if let TxInner::Postgres(transaction) = &mut tx.inner {
        sqlx::query(SQL).bind(name).execute(&mut **transaction).await?;
    }
    Ok(())
}
