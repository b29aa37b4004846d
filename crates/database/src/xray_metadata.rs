//! What people say of an X-ray. Its data set, and what is searched of it by DICOM, stay as they came.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use model::{StudyInstanceUid, access::Scope};
use uuid::Uuid;

use crate::{
    AuditActor, AuditRecord, Database, DatabaseError, LinkOutcome, StoredInstance,
    audit::insert_audit,
    engine::Tx,
    statement::{Statement, uuid_rows},
    text::clean,
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

/// What the form of an X-ray asks for beside storing it.
#[derive(Debug, Clone, Copy)]
pub struct FormOfXray<'a> {
    /// The study that it is in.
    pub study_instance_uid: &'a StudyInstanceUid,
    /// The consultation that it is for, and the scope of who links studies to it.
    pub consultation: Option<(&'a Scope, Uuid)>,
    /// Itself, and what the form says of it; nothing when the sender has nothing to say of it.
    pub said: Option<(&'a StoredInstance, &'a XrayMetadata)>,
}

#[derive(sqlx::FromRow)]
struct OfInstance {
    instance: Uuid,
    #[sqlx(flatten)]
    said: XrayMetadata,
}

static SAID_OF: Statement = Statement::new(
    "SELECT said.instance, said.consultation_id, said.captured_at, said.paramedic, said.body_part, \
     said.view_position, said.laterality, said.notes, said.version \
     FROM ROWS($1: id uuid) AS r CROSS JOIN xray_metadata said WHERE said.instance = r.id",
);

impl Database {
    /// What was said of an instance. Ask whether the instance is in reach before.
    pub async fn xray_metadata(&self, instance: Uuid) -> Result<XrayMetadata, DatabaseError> {
        const SQL: &str = "SELECT consultation_id, captured_at, paramedic, body_part, view_position, laterality, \
            notes, version FROM xray_metadata WHERE instance = $1";
        let found: Option<XrayMetadata> =
            on!(self, engine => sqlx::query_as(SQL).bind(instance).fetch_optional(&engine.read).await?);
        Ok(found.unwrap_or_default())
    }

    /// What was said of instances, which are in reach; of those that are left out nothing was said.
    pub async fn xray_metadata_of(
        &self,
        instances: &[Uuid],
    ) -> Result<HashMap<Uuid, XrayMetadata>, DatabaseError> {
        let (sql, list) = (SAID_OF.on(self.dialect()), uuid_rows(instances.iter().copied()));
        let found: Vec<OfInstance> =
            on!(self, engine => sqlx::query_as(sql).bind(list).fetch_all(&engine.read).await?);
        Ok(found.into_iter().map(|found| (found.instance, found.said)).collect())
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
        let mut tx = self.begin().await?;
        if !write(&mut tx, instance, metadata, actor).await? {
            return Err(DatabaseError::Conflict("the metadata have changed".to_owned()));
        }
        insert_audit(&mut tx, &[record(instance, actor)]).await?;
        self.commit(tx).await?;
        Ok(metadata.version + 1)
    }

    /// Does in one transaction what the form of a stored X-ray asks for: links its study to the consultation, and writes what is said
    /// of it unless somebody said something before. Says whether the study is linked; else what is said names no consultation.
    ///
    /// # Errors
    /// [`DatabaseError::Busy`] when the claim of `actor` was taken over, [`DatabaseError::NotFound`]; nothing is done then.
    pub async fn keep_form_of_xray(
        &self,
        form: FormOfXray<'_>,
        actor: &AuditActor,
    ) -> Result<bool, DatabaseError> {
        let to = match form.consultation {
            Some((scope, consultation_id)) => self.link_to(scope, consultation_id).await?,
            None => None,
        };
        let mut tx = self.begin().await?;
        let (mut linked, mut records) = (false, Vec::new());
        if let Some(to) = &to {
            let outcome = to.link(&mut tx, form.study_instance_uid).await?;
            linked = matches!(outcome, LinkOutcome::Linked | LinkOutcome::AlreadyLinked);
            if outcome == LinkOutcome::Linked {
                records.push(to.record(form.study_instance_uid, actor));
            }
        }
        if let Some((instance, said)) = form.said {
            let consultation_id = said.consultation_id.filter(|_| linked);
            let said = XrayMetadata { consultation_id, version: 0, ..said.clone() };
            if write(&mut tx, instance, &said, actor).await? {
                // Before the other: the claim is told of the X-ray.
                records.insert(0, record(instance, actor));
            }
        }
        if !records.is_empty() {
            insert_audit(&mut tx, &records).await?;
            self.commit(tx).await?;
        }
        Ok(linked)
    }
}

/// Says whether it was written: not when somebody changed it after `metadata.version`.
async fn write(
    tx: &mut Tx,
    instance: &StoredInstance,
    metadata: &XrayMetadata,
    actor: &AuditActor,
) -> Result<bool, DatabaseError> {
    const SQL: &str = "INSERT INTO xray_metadata (instance, consultation_id, captured_at, paramedic, body_part, \
        view_position, laterality, notes, version, updated_by, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (instance) DO UPDATE SET \
        consultation_id = excluded.consultation_id, captured_at = excluded.captured_at, \
        paramedic = excluded.paramedic, body_part = excluded.body_part, \
        view_position = excluded.view_position, laterality = excluded.laterality, notes = excluded.notes, \
        version = excluded.version, updated_by = excluded.updated_by, updated_at = excluded.updated_at \
        WHERE xray_metadata.version = excluded.version - 1";
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
        Err(error) if error.is_foreign_key_violation() => Err(DatabaseError::NotFound),
        other => Ok(other? > 0),
    }
}

fn record(instance: &StoredInstance, actor: &AuditActor) -> AuditRecord {
    AuditRecord::success(actor, "update_xray").of_study(&instance.study_instance_uid).about(instance.id)
}
