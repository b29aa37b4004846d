//! Instances that are sealed with a patient's key, and the transaction that retires the key, come one after the other.
//!
//! Without it a transaction on PostgreSQL could see a key as active and commit an instance beside the one that retires
//! it: nobody would seal that instance anew, and it would be lost with its key. SQLite has one writer.

use crate::{
    DatabaseError,
    engine::{Tx, TxInner},
};

/// The number of the lock is any constant: what else is locked by number are hashes and the low halves of UUIDs.
macro_rules! gate {
    () => {
        "120265400017273"
    };
}

/// Begins a transaction on PostgreSQL. Until its end no key is retired; what was retired before is seen from the next statement on.
pub(crate) const BEGIN_HOLDING_KEYS: &str =
    concat!("BEGIN; SELECT pg_advisory_xact_lock_shared(", gate!(), ")");

/// Waits for the transactions that use keys, and holds new ones back until the end of this one.
pub(crate) async fn retire_keys(tx: &mut Tx) -> Result<(), DatabaseError> {
    const RETIRE: &str = concat!("SELECT pg_advisory_xact_lock(", gate!(), ")");
    if let TxInner::Postgres(transaction) = &mut tx.inner {
        sqlx::query(RETIRE).execute(transaction.in_time()).await?;
    }
    Ok(())
}
