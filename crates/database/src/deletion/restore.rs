//! Giving back what was deleted: the rows are made again from the objects, then the deletion lets go of them.

use chrono::TimeDelta;
use uuid::Uuid;

use super::{COLUMNS, Deletion};
use crate::{
    AuditActor, AuditRecord, Database, DatabaseError,
    audit::insert_audit,
    engine::Tx,
    keys::drop_objects,
    statement::{Statement, uuid_rows},
};

/// So long nothing is purged beside the restoration.
const RESTORING: TimeDelta = TimeDelta::hours(1);

/// An instance that can be restored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DeletedInstance {
    /// Its id.
    pub instance: Uuid,
    /// Its object.
    pub object_key: Uuid,
    /// The account that sent the first instance of its study over HTTP.
    pub uploaded_by: Option<Uuid>,
}

impl Database {
    /// The instances of a deletion, which is kept from being purged meanwhile.
    ///
    /// # Errors
    /// [`DatabaseError::NotFound`], and [`DatabaseError::Conflict`] when nothing is left to restore.
    pub async fn begin_restoration(&self, id: Uuid) -> Result<Vec<DeletedInstance>, DatabaseError> {
        const HOLD: &str = "UPDATE deletion SET purge_after = $2 WHERE id = $1 AND purge_after < $2";
        const LIST: &str = "SELECT instance, object_key, uploaded_by FROM deleted_instance WHERE deletion = $1 \
            ORDER BY instance";
        let mut tx = self.begin().await?;
        let found = by_id(&mut tx, id).await?.ok_or(DatabaseError::NotFound)?;
        if found.state != "deleted" {
            return Err(DatabaseError::Conflict(format!(
                "the deletion is {}: nothing is to be restored",
                found.state
            )));
        }
        let until = tx.now + RESTORING;
        on_tx!(tx, connection => sqlx::query(HOLD).bind(id).bind(until).execute(connection).await.map(drop)?);
        let list = on_tx!(tx, connection => sqlx::query_as(LIST).bind(id).fetch_all(connection).await?);
        self.commit(tx).await?;
        Ok(list)
    }

    /// The objects of everything that can be restored.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn deleted_objects(&self) -> Result<Vec<Uuid>, DatabaseError> {
        const SQL: &str = "SELECT object_key FROM deleted_instance";
        Ok(on!(self, engine => sqlx::query_scalar(SQL).fetch_all(&engine.read).await?))
    }

    /// An instance is in the index again. Its object goes unless a row names it: the same instance may have come
    /// again in the meantime. A study that is there again by it is its sender's again; one that came again is not.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn record_restored(&self, restored: &DeletedInstance) -> Result<(), DatabaseError> {
        const TAKE: &str = "DELETE FROM deleted_instance WHERE instance = $1 RETURNING object_key";
        const SAY: &str = "INSERT INTO xray_metadata (instance, consultation_id, captured_at, paramedic, body_part, \
            view_position, laterality, notes, version, updated_by, updated_at) \
            SELECT instance, consultation_id, captured_at, paramedic, body_part, view_position, laterality, notes, \
            version, updated_by, updated_at FROM deleted_xray_metadata WHERE instance = $1 \
            AND EXISTS (SELECT 1 FROM instance WHERE instance.id = $1) ON CONFLICT DO NOTHING";
        const OWN: &str = "UPDATE study SET uploaded_by = $2 WHERE uploaded_by IS NULL \
            AND id IN (SELECT series.study FROM instance JOIN series ON series.id = instance.series \
            WHERE instance.id = $1) AND NOT EXISTS (SELECT 1 FROM series JOIN instance ON instance.series = series.id \
            WHERE series.study = study.id AND instance.id <> $1)";
        let instance = restored.instance;
        let mut tx = self.begin().await?;
        on_tx!(tx, connection => sqlx::query(SAY).bind(instance).execute(connection).await.map(drop)?);
        let object: Option<Uuid> = on_tx!(tx, connection => sqlx::query_scalar(TAKE).bind(instance).fetch_optional(connection).await?);
        if let Some(object) = object {
            drop_unless_named(&mut tx, &[object]).await?;
        }
        if let Some(sender) = restored.uploaded_by {
            on_tx!(tx, connection =>
                sqlx::query(OWN).bind(instance).bind(sender).execute(connection).await.map(drop)?);
        }
        self.commit(tx).await
    }

    /// Everything of a deletion is in the index again.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn end_restoration(&self, id: Uuid, actor: &AuditActor) -> Result<(), DatabaseError> {
        const END: &str = "UPDATE deletion SET state = 'restored' WHERE id = $1 AND state = 'deleted' \
            AND NOT EXISTS (SELECT 1 FROM deleted_instance WHERE deletion = $1)";
        let mut tx = self.begin().await?;
        let ended = on_tx!(tx, connection =>
            sqlx::query(END).bind(id).execute(connection).await?.rows_affected());
        if ended == 0 {
            return Err(DatabaseError::Conflict("not everything of the deletion is restored".to_owned()));
        }
        let found = by_id(&mut tx, id).await?.ok_or(DatabaseError::NotFound)?;
        let mut record =
            AuditRecord::success(actor, "restore_instances").of_study(&found.study_instance_uid).about(id);
        record.detail = format!("{} instances", found.instances);
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await
    }
}

async fn by_id(tx: &mut Tx, id: Uuid) -> Result<Option<Deletion>, DatabaseError> {
    let sql = format!("{COLUMNS} WHERE id = $1");
    Ok(on_tx!(tx, connection =>
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(connection).await?))
}

/// Has objects removed that no instance is kept in: a restoration that was cut off may have given one back already.
pub(super) async fn drop_unless_named(tx: &mut Tx, objects: &[Uuid]) -> Result<(), DatabaseError> {
    static UNNAMED: Statement = Statement::new(
        "SELECT r.key FROM ROWS($1: key uuid) AS r \
         WHERE NOT EXISTS (SELECT 1 FROM instance WHERE instance.object_key = r.key)",
    );
    let (sql, list) = (UNNAMED.on(tx.dialect()), uuid_rows(objects.iter().copied()));
    let unnamed: Vec<Uuid> =
        on_tx!(tx, connection => sqlx::query_scalar(sql).bind(list).fetch_all(connection).await?);
    let now = tx.now;
    drop_objects(tx, &unnamed, now).await
}
