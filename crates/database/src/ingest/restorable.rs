//! What a restoration gives back: it is there again only while its deletion still keeps it, as the transaction sees that makes it
//! visible. Whoever lets go of what was deleted waits for that transaction, or has come before it: then its object is about to be
//! removed, and no row may name it.

use std::collections::HashSet;

use uuid::Uuid;

use super::{RESTORE, StoreInstanceError, known::Known, prepare::Prepared};
use crate::{
    DatabaseError,
    engine::Tx,
    statement::{Dialect, Statement, uuid_rows},
};

/// SQLite has one writer.
static KEPT_ON_SQLITE: Statement = Statement::new(
    "SELECT object_key FROM deleted_instance WHERE object_key IN (SELECT id FROM ROWS($1: id uuid) AS r)",
);
static KEPT_ON_POSTGRES: Statement = Statement::new(
    "SELECT object_key FROM deleted_instance WHERE object_key IN (SELECT id FROM ROWS($1: id uuid) AS r) \
     ORDER BY object_key FOR UPDATE",
);

/// Objects of the group that deletions keep, until the transaction ends.
pub(super) async fn read(tx: &mut Tx, group: &[Prepared]) -> Result<HashSet<Uuid>, DatabaseError> {
    let restored: Vec<Uuid> =
        group.iter().filter(|new| new.door == RESTORE).map(|new| new.object_key).collect();
    if restored.is_empty() {
        return Ok(HashSet::new());
    }
    let statement = match tx.dialect() {
        Dialect::Sqlite => &KEPT_ON_SQLITE,
        Dialect::Postgres => &KEPT_ON_POSTGRES,
    };
    let (sql, list) = (statement.on(tx.dialect()), uuid_rows(restored));
    let kept: Vec<Uuid> =
        on_tx!(tx, connection => sqlx::query_scalar(sql).bind(list).fetch_all(connection).await?);
    Ok(kept.into_iter().collect())
}

/// Refuses what nothing keeps any more.
pub(super) fn refuse_purged(new: &Prepared, known: &Known) -> Result<(), StoreInstanceError> {
    if new.door != RESTORE || known.restorable.contains(&new.object_key) {
        return Ok(());
    }
    let why = "it was purged, erased or sealed anew while it was restored: see maxray deletion list, and restore \
        it again";
    Err(DatabaseError::Conflict(why.to_owned()).into())
}
