//! What people say of an X-ray. Its data set, and what is searched of it, stay as they came.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    AuditActor, AuditRecord, Database, DatabaseError, StoredInstance, audit::insert_audit, text::clean,
};

/// What people say of an X-ray.
#[derive(Debug, Clone, PartialEq, Eq, Default, sqlx::FromRow)]
pub struct XrayMetadata {
    /// The consultation that it was made for.
    pub consultation_id: Option<Uuid>,
    /// When it was made.
    pub captured_at: Option<DateTime<Utc>>,
    /// Who made it.
    pub paramedic: String,
    /// Body part.
    pub body_part: String,
    /// View.
    pub view_position: String,
    /// `L`, `R`, `B`, `U` or empty.
    pub laterality: String,
    /// In their words.
    pub notes: String,
    /// Grows with every change; 0 when nobody said anything.
    pub version: i64,
}

impl Database {
    /// What was said of an instance. Ask whether the instance is in reach before.
    pub async fn xray_metadata(&self, instance: Uuid) -> Result<XrayMetadata, DatabaseError> {
        const SQL: &str = "SELECT consultation_id, captured_at, paramedic, body_part, view_position, laterality, \
            notes, version FROM xray_metadata WHERE instance = $1";
        let found: Option<XrayMetadata> =
            on!(self, engine => sqlx::query_as(SQL).bind(instance).fetch_optional(&engine.read).await?);
        Ok(found.unwrap_or_default())
    }

    /// Writes what is said of an instance that was found in reach, after `metadata.version`, and gives the new version.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when somebody changed it meanwhile, [`DatabaseError::NotFound`].
    pub async fn write_xray_metadata(
        &self,
        instance: &StoredInstance,
        metadata: &XrayMetadata,
        actor: &AuditActor,
    ) -> Result<i64, DatabaseError> {
        const SQL: &str = "INSERT INTO xray_metadata (instance, consultation_id, captured_at, paramedic, body_part, \
            view_position, laterality, notes, version, updated_by, updated_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (instance) DO UPDATE SET \
            consultation_id = excluded.consultation_id, captured_at = excluded.captured_at, \
            paramedic = excluded.paramedic, body_part = excluded.body_part, \
            view_position = excluded.view_position, laterality = excluded.laterality, notes = excluded.notes, \
            version = excluded.version, updated_by = excluded.updated_by, updated_at = excluded.updated_at \
            WHERE xray_metadata.version = excluded.version - 1";
        let mut tx = self.begin().await?;
        let (now, version) = (tx.now, metadata.version + 1);
        let written: Result<u64, DatabaseError> = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(instance.id)
            .bind(metadata.consultation_id)
            .bind(metadata.captured_at)
            .bind(clean(&metadata.paramedic))
            .bind(clean(&metadata.body_part))
            .bind(clean(&metadata.view_position))
            .bind(clean(&metadata.laterality))
            .bind(clean(&metadata.notes))
            .bind(version)
            .bind(actor.user_id)
            .bind(now)
            .execute(connection)
            .await
            .map(|done| done.rows_affected())
            .map_err(DatabaseError::from));
        match written {
            Err(error) if error.is_foreign_key_violation() => return Err(DatabaseError::NotFound),
            Ok(0) => return Err(DatabaseError::Conflict("the metadata have changed".to_owned())),
            other => other?,
        };
        let record = AuditRecord::success(actor, "update_xray").of_study(&instance.study_instance_uid);
        insert_audit(&mut tx, &[record.about(instance.id)]).await?;
        self.commit(tx).await?;
        Ok(version)
    }
}
