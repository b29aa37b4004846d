//! Previews: made after an instance is stored, from a queue that is a table.

use uuid::Uuid;

use crate::{
    Database, DatabaseError, StoredInstance, engine::Tx, instance::STORED_INSTANCE, keys::drop_objects,
    outbox::insert_events,
};
use model::event::Event;
use sqlx::AssertSqlSafe;

/// Attempts before a preview is given up.
pub const PREVIEW_ATTEMPTS_MAX: u32 = 3;
/// Longest reason kept.
const REASON_LENGTH_MAX: usize = 300;

/// The two pictures made of an instance, both objects in object storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewObjects {
    /// Object of the preview.
    pub preview_key: Uuid,
    /// What opens it.
    pub preview_seal: Vec<u8>,
    /// Its length.
    pub preview_length_bytes: u64,
    /// Object of the thumbnail.
    pub thumbnail_key: Uuid,
    /// What opens it.
    pub thumbnail_seal: Vec<u8>,
    /// Its length.
    pub thumbnail_length_bytes: u64,
    /// Media type of both.
    pub media_type: String,
    /// Width of the preview in pixels.
    pub width: u32,
    /// Height of the preview in pixels.
    pub height: u32,
}

/// How far the preview of an instance is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreviewState {
    /// Not made yet.
    Pending,
    /// Made.
    Made(PreviewObjects),
    /// Given up, or the instance has no pixel data.
    Failed {
        /// Why, in one sentence without patient data.
        reason: String,
    },
}

#[derive(sqlx::FromRow)]
struct Row {
    state: Option<String>,
    reason: Option<String>,
    preview_key: Option<Uuid>,
    preview_seal: Option<Vec<u8>>,
    preview_length_bytes: Option<i64>,
    thumbnail_key: Option<Uuid>,
    thumbnail_seal: Option<Vec<u8>>,
    thumbnail_length_bytes: Option<i64>,
    media_type: Option<String>,
    width: Option<i32>,
    height: Option<i32>,
}

impl Row {
    fn objects(self) -> Option<PreviewObjects> {
        Some(PreviewObjects {
            preview_key: self.preview_key?,
            preview_seal: self.preview_seal?,
            preview_length_bytes: self.preview_length_bytes?.try_into().ok()?,
            thumbnail_key: self.thumbnail_key?,
            thumbnail_seal: self.thumbnail_seal?,
            thumbnail_length_bytes: self.thumbnail_length_bytes?.try_into().ok()?,
            media_type: self.media_type?,
            width: self.width?.try_into().ok()?,
            height: self.height?.try_into().ok()?,
        })
    }
}

impl Database {
    /// Instances whose preview is to be made, oldest first.
    pub async fn pending_previews(&self, limit: u32) -> Result<Vec<StoredInstance>, DatabaseError> {
        // Ids are UUIDv7: their order is the order of arrival.
        let sql = format!(
            "{STORED_INSTANCE} FROM preview JOIN instance ON instance.id = preview.instance \
             JOIN series ON series.id = instance.series JOIN study ON study.id = series.study \
             WHERE preview.state = 'pending' ORDER BY preview.instance LIMIT $1"
        );
        Ok(on!(self, engine => sqlx::query_as(AssertSqlSafe(sql))
            .bind(i64::from(limit))
            .fetch_all(&engine.read)
            .await?))
    }

    /// Notes the pictures that were made. A second report of the same preview changes nothing.
    pub async fn record_preview(
        &self,
        instance_id: Uuid,
        preview: PreviewObjects,
    ) -> Result<(), DatabaseError> {
        const SQL: &str = "UPDATE preview SET state = 'made', reason = '', preview_key = $2, \
            preview_length_bytes = $3, thumbnail_key = $4, thumbnail_length_bytes = $5, media_type = $6, \
            width = $7, height = $8, updated_at = $9, preview_seal = $10, thumbnail_seal = $11 WHERE instance = $1 AND state <> 'made' \
            AND EXISTS (SELECT 1 FROM instance WHERE instance.id = $1 \
            AND substr(instance.object_seal, 9, 16) = substr($10, 9, 16))";
        let length = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let pixels = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX);
        let mut tx = self.begin().await?;
        let now = tx.now;
        let changed = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(instance_id)
            .bind(preview.preview_key)
            .bind(length(preview.preview_length_bytes))
            .bind(preview.thumbnail_key)
            .bind(length(preview.thumbnail_length_bytes))
            .bind(&preview.media_type)
            .bind(pixels(preview.width))
            .bind(pixels(preview.height))
            .bind(now)
            .bind(&preview.preview_seal)
            .bind(&preview.thumbnail_seal)
            .execute(connection)
            .await?
            .rows_affected());
        // Somebody else made it, the instance is gone, or it was sealed anew meanwhile: a picture under the key that goes
        // would be lost with it, so it is made again. These two go, unless this is the second report of them.
        if changed == 0 {
            const NAMED: &str = "SELECT COUNT(*) FROM preview WHERE instance = $1 AND preview_key = $2";
            let named: i64 = on_tx!(tx, connection => sqlx::query_scalar(NAMED)
                .bind(instance_id)
                .bind(preview.preview_key)
                .fetch_one(connection)
                .await?);
            if named == 0 {
                drop_objects(&mut tx, &[preview.preview_key, preview.thumbnail_key], now).await?;
                self.commit(tx).await?;
            }
            return Ok(());
        }
        let study_instance_uid = study_of(&mut tx, instance_id).await?;
        insert_events(&mut tx, &[Event::PreviewMade { xray_id: instance_id, study_instance_uid }]).await?;
        self.commit(tx).await
    }

    /// Puts a preview that was made into the queue again, because its pictures are gone.
    pub async fn requeue_preview(&self, instance_id: Uuid) -> Result<(), DatabaseError> {
        const SQL: &str = "UPDATE preview SET state = 'pending', attempts = 0, updated_at = $2 \
            WHERE instance = $1 AND state = 'made'";
        let mut tx = self.begin().await?;
        let now = tx.now;
        on_tx!(tx, connection => sqlx::query(SQL)
            .bind(instance_id)
            .bind(now)
            .execute(connection)
            .await
            .map(drop)?);
        self.commit(tx).await
    }

    /// Notes a failed attempt. A `final_` one, or the last that is allowed, gives the preview up.
    pub async fn record_preview_failure(
        &self,
        instance_id: Uuid,
        reason: &str,
        final_: bool,
    ) -> Result<(), DatabaseError> {
        const SQL: &str = "UPDATE preview SET attempts = attempts + 1, reason = $2, updated_at = $3, \
            state = CASE WHEN $4 OR attempts + 1 >= $5 THEN 'failed' ELSE 'pending' END \
            WHERE instance = $1 AND state = 'pending' RETURNING state";
        let reason: String = reason.replace('\0', "").chars().take(REASON_LENGTH_MAX).collect();
        let attempts_max = PREVIEW_ATTEMPTS_MAX.cast_signed();
        let mut tx = self.begin().await?;
        let now = tx.now;
        let state: Option<String> = on_tx!(tx, connection => sqlx::query_scalar(SQL)
            .bind(instance_id)
            .bind(&reason)
            .bind(now)
            .bind(final_)
            .bind(attempts_max)
            .fetch_optional(connection)
            .await?);
        if state.as_deref() == Some("failed") {
            let study_instance_uid = study_of(&mut tx, instance_id).await?;
            let event = Event::PreviewFailed { xray_id: instance_id, study_instance_uid, reason };
            insert_events(&mut tx, &[event]).await?;
        }
        self.commit(tx).await
    }

    /// How far the preview of an instance is. The id comes from a read that took a scope.
    pub async fn preview(&self, instance_id: Uuid) -> Result<PreviewState, DatabaseError> {
        const SQL: &str = "SELECT preview.state, preview.reason, preview.preview_key, \
            preview.preview_seal, preview.thumbnail_seal, preview.preview_length_bytes, preview.thumbnail_key, preview.thumbnail_length_bytes, \
            preview.media_type, preview.width, preview.height \
            FROM instance LEFT JOIN preview ON preview.instance = instance.id WHERE instance.id = $1";
        let row: Option<Row> =
            on!(self, engine => sqlx::query_as(SQL).bind(instance_id).fetch_optional(&engine.read).await?);
        let mut row = row.ok_or(DatabaseError::NotFound)?;
        let corrupt = || DatabaseError::Corrupt(format!("preview of instance {instance_id}"));
        match row.state.as_deref() {
            None => Ok(PreviewState::Failed { reason: "the instance has no pixel data".to_owned() }),
            Some("pending") => Ok(PreviewState::Pending),
            Some("failed") => Ok(PreviewState::Failed { reason: row.reason.take().unwrap_or_default() }),
            Some("made") => row.objects().map(PreviewState::Made).ok_or_else(corrupt),
            Some(_) => Err(corrupt()),
        }
    }
}

/// The study of an instance; [`DatabaseError::NotFound`] when it is gone.
pub(crate) async fn study_of(tx: &mut Tx, instance_id: Uuid) -> Result<String, DatabaseError> {
    const SQL: &str = "SELECT study.study_instance_uid FROM instance JOIN series ON series.id = instance.series \
        JOIN study ON study.id = series.study WHERE instance.id = $1";
    Ok(on_tx!(tx, connection => sqlx::query_scalar(SQL).bind(instance_id).fetch_one(connection).await?))
}
