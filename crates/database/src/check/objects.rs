//! Which objects the rows name.

use uuid::Uuid;

use crate::{
    Database, DatabaseError,
    statement::{Statement, uuid_rows},
};

/// A preview that was made, and its objects.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PreviewRow {
    /// The instance.
    pub instance: Uuid,
    /// Object of the preview.
    pub preview_key: Uuid,
    /// Its length.
    #[sqlx(try_from = "i64")]
    pub preview_length_bytes: u64,
    /// Object of the thumbnail.
    pub thumbnail_key: Uuid,
    /// Its length.
    #[sqlx(try_from = "i64")]
    pub thumbnail_length_bytes: u64,
}

static UNNAMED: Statement = Statement::new(
    "SELECT r.key FROM ROWS($1: key uuid) AS r \
     WHERE NOT EXISTS (SELECT 1 FROM instance WHERE instance.object_key = r.key) \
     AND NOT EXISTS (SELECT 1 FROM preview WHERE preview.preview_key = r.key) \
     AND NOT EXISTS (SELECT 1 FROM preview WHERE preview.thumbnail_key = r.key) \
     AND NOT EXISTS (SELECT 1 FROM deleted_instance WHERE deleted_instance.object_key = r.key) \
     AND NOT EXISTS (SELECT 1 FROM dropped_object WHERE dropped_object.object_key = r.key)",
);

impl Database {
    /// Which of these objects no row names, neither as an instance (deleted ones that can be restored
    /// too) nor as a preview or thumbnail, nor as one that is to be removed at its time: who reads it may have begun before. It looks
    /// at what is committed when it is asked: ask only about objects that no running transaction can be about to name.
    pub async fn unnamed_objects(&self, keys: &[Uuid]) -> Result<Vec<Uuid>, DatabaseError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let (sql, list) = (UNNAMED.on(self.dialect()), uuid_rows(keys.iter().copied()));
        Ok(on!(self, engine => sqlx::query_scalar(sql).bind(list).fetch_all(&engine.read).await?))
    }

    /// Previews that were made, after `after` in the order of their instances.
    pub async fn all_previews(
        &self,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<PreviewRow>, DatabaseError> {
        const SQL: &str = "SELECT instance, preview_key, preview_length_bytes, thumbnail_key, \
            thumbnail_length_bytes FROM preview WHERE instance > $1 AND state = 'made' ORDER BY instance LIMIT $2";
        Ok(on!(self, engine => sqlx::query_as(SQL)
            .bind(after.unwrap_or(Uuid::nil()))
            .bind(i64::from(limit))
            .fetch_all(&engine.read)
            .await?))
    }
}
