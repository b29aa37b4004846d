//! Giving back what was deleted: the rows are made again from the objects, then the deletion lets go of them.

use chrono::TimeDelta;
use uuid::Uuid;

use super::{
    COLUMNS, Deletion,
    links::{Remembered, forget_links, put_back},
};
use crate::{
    AuditActor, AuditRecord, Database, DatabaseError,
    audit::insert_audit,
    engine::Tx,
    keys::drop_objects,
    statement::{Statement, uuid_rows},
};

/// So long nothing is purged beside the restoration, from its beginning and from each instance that is there again.
const RESTORING: TimeDelta = TimeDelta::hours(1);

/// An instance that can be restored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DeletedInstance {
    /// Its id.
    pub instance: Uuid,
    /// The deletion that took it.
    pub deletion: Uuid,
    /// Its object.
    pub object_key: Uuid,
    /// The account that sent the first instance of its study over HTTP.
    pub uploaded_by: Option<Uuid>,
}

impl Database {
    /// The ids of the instances of a deletion, which is kept from being purged for a while.
    ///
    /// # Errors
    /// [`DatabaseError::NotFound`], and [`DatabaseError::Conflict`] when nothing is left to restore.
    pub async fn begin_restoration(&self, id: Uuid) -> Result<Vec<Uuid>, DatabaseError> {
        const LIST: &str = "SELECT instance FROM deleted_instance WHERE deletion = $1 ORDER BY instance";
        let mut tx = self.begin().await?;
        hold(&mut tx, id).await?;
        let list: Vec<Uuid> =
            on_tx!(tx, connection => sqlx::query_scalar(LIST).bind(id).fetch_all(connection).await?);
        self.commit(tx).await?;
        Ok(list)
    }

    /// One of them, as it is kept now: a change of keys gives it another object.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when it is not kept any more.
    pub async fn deleted_instance(
        &self,
        deletion: Uuid,
        instance: Uuid,
    ) -> Result<DeletedInstance, DatabaseError> {
        const SQL: &str = "SELECT instance, deletion, object_key, uploaded_by FROM deleted_instance \
            WHERE deletion = $1 AND instance = $2";
        let found: Option<DeletedInstance> = on!(self, engine => sqlx::query_as(SQL)
            .bind(deletion)
            .bind(instance)
            .fetch_optional(&engine.read)
            .await?);
        found.ok_or_else(gone)
    }

    /// The objects of everything that can be restored, and those that are to be removed: none of them is read for the index.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn deleted_objects(&self) -> Result<Vec<Uuid>, DatabaseError> {
        const SQL: &str =
            "SELECT object_key FROM deleted_instance UNION SELECT object_key FROM dropped_object";
        Ok(on!(self, engine => sqlx::query_scalar(SQL).fetch_all(&engine.read).await?))
    }

    /// An instance is in the index again, and the others of its deletion are kept for a while longer. Its object goes unless a row
    /// names it: the same instance may have come again in the meantime. A study that is there again by it is its sender's again; one
    /// that came again is not.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when the deletion or the instance is not kept any more, and failures of the database.
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
        hold(&mut tx, restored.deletion).await?;
        on_tx!(tx, connection => sqlx::query(SAY).bind(instance).execute(connection).await.map(drop)?);
        let object: Option<Uuid> = on_tx!(tx, connection =>
            sqlx::query_scalar(TAKE).bind(instance).fetch_optional(connection).await?);
        drop_unless_named(&mut tx, &[object.ok_or_else(gone)?]).await?;
        if let Some(sender) = restored.uploaded_by {
            on_tx!(tx, connection =>
                sqlx::query(OWN).bind(instance).bind(sender).execute(connection).await.map(drop)?);
        }
        self.commit(tx).await
    }

    /// Everything of a deletion is in the index again, and links of its study with it; gives how many. A consultation that is not of the
    /// study's patient gets none.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when something is not, and failures of the database.
    pub async fn end_restoration(&self, id: Uuid, actor: &AuditActor) -> Result<u64, DatabaseError> {
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
        let mut links = 0;
        loop {
            let put = put_back(&mut tx, Remembered::Study(&found.study_instance_uid), actor).await?;
            links += put.linked;
            if put.found == 0 {
                break;
            }
        }
        forget_links(&mut tx, &found.study_instance_uid, id).await?;
        self.commit(tx).await?;
        Ok(links)
    }
}

/// Somebody else came first.
fn gone() -> DatabaseError {
    DatabaseError::Conflict(
        "it was purged, erased or restored meanwhile: see maxray deletion list".to_owned(),
    )
}

/// Keeps a deletion from being purged for a while, unless it is over.
async fn hold(tx: &mut Tx, id: Uuid) -> Result<(), DatabaseError> {
    const SQL: &str = "UPDATE deletion SET purge_after = CASE WHEN purge_after < $2 THEN $2 ELSE purge_after END \
        WHERE id = $1 AND state = 'deleted'";
    let until = tx.now + RESTORING;
    let held = on_tx!(tx, connection =>
        sqlx::query(SQL).bind(id).bind(until).execute(connection).await?.rows_affected());
    if held > 0 {
        return Ok(());
    }
    let found = by_id(tx, id).await?.ok_or(DatabaseError::NotFound)?;
    Err(DatabaseError::Conflict(format!("the deletion is {}: nothing is to be restored", found.state)))
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
