//! Instances that are sealed with a patient's key, and the transaction that retires the key, come one after the other.
//!
//! Without it a transaction on PostgreSQL could see a key as active and commit an instance beside the one that retires
//! it: nobody would seal that instance anew, and it would be lost with its key. SQLite has one writer.

use crate::{
    DatabaseError,
    engine::{Tx, TxInner},
};

/// Any constant: what else is locked by number are hashes and the low halves of UUIDs.
const GATE: i64 = 0x6d61_7872_6179;

/// Until the end of the transaction no key is retired; what was retired before is seen from the next statement on.
pub(crate) async fn hold_keys(tx: &mut Tx) -> Result<(), DatabaseError> {
    lock(tx, "SELECT pg_advisory_xact_lock_shared($1)").await
}

/// Waits for the transactions that use keys, and holds new ones back until the end of this one.
pub(crate) async fn retire_keys(tx: &mut Tx) -> Result<(), DatabaseError> {
    lock(tx, "SELECT pg_advisory_xact_lock($1)").await
}

async fn lock(tx: &mut Tx, sql: &'static str) -> Result<(), DatabaseError> {
    if let TxInner::Postgres(transaction) = &mut tx.inner {
        sqlx::query(sql).bind(GATE).execute(&mut **transaction).await?;
    }
    Ok(())
}
