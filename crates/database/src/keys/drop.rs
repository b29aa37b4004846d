//! What no row names any more: objects that are to be removed, and keys that are to be destroyed.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    Database, DatabaseError,
    engine::Tx,
    statement::{Statement, uuid_rows},
};

static DROP_OBJECTS: Statement = Statement::new(
    "INSERT INTO dropped_object (object_key, remove_after) SELECT id, $2 FROM ROWS($1: id uuid) AS r WHERE true \
     ON CONFLICT DO NOTHING",
);

static FORGET_OBJECTS: Statement =
    Statement::new("DELETE FROM dropped_object WHERE object_key IN (SELECT id FROM ROWS($1: id uuid) AS r)");

/// What a row names after all is not dropped any more.
static SPARE_NAMED: Statement = Statement::new(
    "DELETE FROM dropped_object WHERE object_key IN (SELECT id FROM ROWS($1: id uuid) AS r) AND (\
     EXISTS (SELECT 1 FROM instance WHERE instance.object_key = dropped_object.object_key) \
     OR EXISTS (SELECT 1 FROM preview WHERE preview.preview_key = dropped_object.object_key) \
     OR EXISTS (SELECT 1 FROM preview WHERE preview.thumbnail_key = dropped_object.object_key) \
     OR EXISTS (SELECT 1 FROM deleted_instance WHERE deleted_instance.object_key = dropped_object.object_key)) \
     RETURNING object_key",
);

/// Has objects removed after a time.
pub(crate) async fn drop_objects(
    tx: &mut Tx,
    objects: &[Uuid],
    after: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    if objects.is_empty() {
        return Ok(());
    }
    let (sql, list) = (DROP_OBJECTS.on(tx.dialect()), uuid_rows(objects.iter().copied()));
    on_tx!(tx, connection => sqlx::query(sql).bind(list).bind(after).execute(connection).await.map(drop)?);
    Ok(())
}

impl Database {
    /// Objects that may be removed by now; some of them. One that a row names after all is not among them, and not dropped any more.
    /// None of them gets a row later: what was deleted is restored only while it is not dropped (`ingest/restorable.rs`).
    pub async fn dropped_objects(&self, limit: u32) -> Result<Vec<Uuid>, DatabaseError> {
        const SQL: &str =
            "SELECT object_key FROM dropped_object WHERE remove_after <= $1 ORDER BY remove_after LIMIT $2";
        let now = self.shared().clock.now();
        let mut due: Vec<Uuid> = on!(self, engine => sqlx::query_scalar(SQL)
            .bind(now)
            .bind(i64::from(limit))
            .fetch_all(&engine.read)
            .await?);
        // An idle archive is not written to.
        if due.is_empty() {
            return Ok(due);
        }
        let mut tx = self.begin().await?;
        let (sql, list) = (SPARE_NAMED.on(tx.dialect()), uuid_rows(due.iter().copied()));
        let named: Vec<Uuid> =
            on_tx!(tx, connection => sqlx::query_scalar(sql).bind(list).fetch_all(connection).await?);
        if named.is_empty() {
            return Ok(due);
        }
        self.commit(tx).await?;
        tracing::error!(objects = named.len(), "objects that were to be removed are named by rows, and stay");
        due.retain(|object| !named.contains(object));
        Ok(due)
    }

    /// Whether objects or keys still wait for their removal.
    pub async fn is_removal_pending(&self) -> Result<bool, DatabaseError> {
        const SQL: &str = "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM dropped_object LIMIT 1) AS o) \
            + (SELECT COUNT(*) FROM (SELECT 1 FROM patient_key WHERE state = 'dropped' LIMIT 1) AS k)";
        let waiting: i64 = on!(self, engine => sqlx::query_scalar(SQL).fetch_one(&engine.read).await?);
        Ok(waiting > 0)
    }

    /// Notes that objects are gone.
    pub async fn forget_dropped_objects(&self, objects: &[Uuid]) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        let (sql, list) = (FORGET_OBJECTS.on(tx.dialect()), uuid_rows(objects.iter().copied()));
        on_tx!(tx, connection => sqlx::query(sql).bind(list).execute(connection).await.map(drop)?);
        self.commit(tx).await
    }

    /// Keys that are to be destroyed by now. A key whose objects are not all removed yet may be among them.
    pub async fn dropped_keys(&self) -> Result<Vec<Uuid>, DatabaseError> {
        const SQL: &str = "SELECT key_id FROM patient_key WHERE state = 'dropped' AND destroy_after <= $1 \
            ORDER BY destroy_after LIMIT 1000";
        let now = self.shared().clock.now();
        Ok(on!(self, engine => sqlx::query_scalar(SQL).bind(now).fetch_all(&engine.read).await?))
    }

    /// Notes that a key is destroyed. From the ledger it never goes.
    pub async fn record_destroyed_key(&self, key_id: Uuid) -> Result<(), DatabaseError> {
        const LEDGER: &str = "INSERT INTO destroyed_key (key_id, reason, destroyed_at) VALUES ($1, 'rotated', $2) \
            ON CONFLICT DO NOTHING";
        const FORGET: &str = "DELETE FROM patient_key WHERE key_id = $1 AND state = 'dropped'";
        let mut tx = self.begin().await?;
        let now = tx.now;
        on_tx!(tx, connection =>
            sqlx::query(LEDGER).bind(key_id).bind(now).execute(connection).await.map(drop)?);
        on_tx!(tx, connection => sqlx::query(FORGET).bind(key_id).execute(connection).await.map(drop)?);
        self.commit(tx).await
    }

    /// Keys that were destroyed since a time, and that time for the next call.
    pub async fn destroyed_keys_since(
        &self,
        since: DateTime<Utc>,
    ) -> Result<(Vec<Uuid>, DateTime<Utc>), DatabaseError> {
        const SQL: &str =
            "SELECT key_id, destroyed_at FROM destroyed_key WHERE destroyed_at >= $1 ORDER BY destroyed_at";
        let found: Vec<(Uuid, DateTime<Utc>)> =
            on!(self, engine => sqlx::query_as(SQL).bind(since).fetch_all(&engine.read).await?);
        let last = found.last().map_or(since, |(_, at)| *at);
        Ok((found.into_iter().map(|(id, _)| id).collect(), last))
    }

    /// Whether a key is in the ledger because its patient was erased.
    pub async fn is_key_erased(&self, key_id: Uuid) -> Result<bool, DatabaseError> {
        const SQL: &str = "SELECT COUNT(*) FROM destroyed_key WHERE key_id = $1 AND reason = 'erased'";
        let found: i64 =
            on!(self, engine => sqlx::query_scalar(SQL).bind(key_id).fetch_one(&engine.read).await?);
        Ok(found > 0)
    }

    /// Whether an instance is kept in an object, or was before it was deleted and can be restored.
    pub async fn names_object(&self, instance: Uuid, object_key: Uuid) -> Result<bool, DatabaseError> {
        const SQL: &str = "SELECT (SELECT COUNT(*) FROM instance WHERE id = $1 AND object_key = $2) \
            + (SELECT COUNT(*) FROM deleted_instance WHERE instance = $1 AND object_key = $2)";
        let found: i64 = on!(self, engine => sqlx::query_scalar(SQL)
            .bind(instance)
            .bind(object_key)
            .fetch_one(&engine.read)
            .await?);
        Ok(found > 0)
    }
}
