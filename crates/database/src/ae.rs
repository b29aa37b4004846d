//! Registered application entities: which AE titles may call, from where, and for what.

use chrono::{DateTime, Utc};
use model::{
    AeTitle,
    ae::{Ae, AeProfile},
    event::Event,
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    AuditActor, AuditRecord, Database, DatabaseError, audit::insert_audit, outbox::insert_events, text::clean,
};

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    title: String,
    profile: Json<AeProfile>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Ae {
    type Error = DatabaseError;
    fn try_from(row: Row) -> Result<Self, DatabaseError> {
        let title =
            AeTitle::parse(&row.title).map_err(|_| DatabaseError::Corrupt(format!("AE {}", row.id)))?;
        let Row { id, profile: Json(profile), version, created_at, updated_at, .. } = row;
        Ok(Self { id, title, profile, version, created_at, updated_at })
    }
}

fn cleaned(profile: AeProfile) -> AeProfile {
    AeProfile { description: clean(&profile.description), host: clean(&profile.host), ..profile }
}

impl Database {
    /// Every registered application entity, by title.
    pub async fn aes(&self) -> Result<Vec<Ae>, DatabaseError> {
        const SQL: &str = "SELECT id, title, profile, version, created_at, updated_at FROM ae ORDER BY title";
        let found: Vec<Row> = on!(self, engine => sqlx::query_as(SQL).fetch_all(&engine.read).await?);
        found.into_iter().map(TryInto::try_into).collect()
    }

    /// One application entity.
    pub async fn ae(&self, id: Uuid) -> Result<Option<Ae>, DatabaseError> {
        const SQL: &str = "SELECT id, title, profile, version, created_at, updated_at FROM ae WHERE id = $1";
        let found: Option<Row> =
            on!(self, engine => sqlx::query_as(SQL).bind(id).fetch_optional(&engine.read).await?);
        found.map(TryInto::try_into).transpose()
    }

    /// Registers an application entity.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when the title is registered.
    pub async fn create_ae(
        &self,
        title: AeTitle,
        profile: AeProfile,
        actor: &AuditActor,
    ) -> Result<Ae, DatabaseError> {
        const SQL: &str = "INSERT INTO ae (id, title, profile, version, created_at, updated_at) \
            VALUES ($1, $2, $3, $4, $5, $5)";
        let mut tx = self.begin().await?;
        let (created_at, profile) = (tx.now, cleaned(profile));
        let ae = Ae { id: Uuid::now_v7(), title, profile, version: 1, created_at, updated_at: created_at };
        let inserted: Result<(), DatabaseError> = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(ae.id)
            .bind(ae.title.as_str())
            .bind(Json(&ae.profile))
            .bind(ae.version)
            .bind(ae.created_at)
            .execute(connection)
            .await
            .map(|_| ())
            .map_err(DatabaseError::from));
        match inserted {
            Err(error) if error.is_unique_violation() => {
                return Err(DatabaseError::Conflict("the AE title is registered".to_owned()));
            }
            other => other?,
        }
        insert_audit(&mut tx, &[AuditRecord::success(actor, "create_ae").about(ae.id)]).await?;
        self.commit(tx).await?;
        Ok(ae)
    }

    /// Replaces what an application entity is registered with, when it is still at `expected_version`.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when somebody changed it meanwhile, [`DatabaseError::NotFound`].
    pub async fn update_ae(
        &self,
        id: Uuid,
        expected_version: i64,
        profile: AeProfile,
        actor: &AuditActor,
    ) -> Result<Ae, DatabaseError> {
        const SQL: &str =
            "UPDATE ae SET profile = $2, version = $3, updated_at = $4 WHERE id = $1 AND version = $3 - 1";
        let mut ae = self.ae(id).await?.ok_or(DatabaseError::NotFound)?;
        let mut tx = self.begin().await?;
        (ae.profile, ae.version, ae.updated_at) = (cleaned(profile), expected_version + 1, tx.now);
        let changed = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(ae.id)
            .bind(Json(&ae.profile))
            .bind(ae.version)
            .bind(ae.updated_at)
            .execute(connection)
            .await?
            .rows_affected());
        if changed == 0 {
            return Err(DatabaseError::Conflict("the registration has changed".to_owned()));
        }
        insert_audit(&mut tx, &[AuditRecord::success(actor, "update_ae").about(id)]).await?;
        self.commit(tx).await?;
        Ok(ae)
    }

    /// Removes a registration; false when there was none.
    pub async fn remove_ae(&self, id: Uuid, actor: &AuditActor) -> Result<bool, DatabaseError> {
        let mut tx = self.begin().await?;
        let removed = on_tx!(tx, connection => sqlx::query("DELETE FROM ae WHERE id = $1")
            .bind(id)
            .execute(connection)
            .await?
            .rows_affected());
        if removed == 0 {
            return Ok(false);
        }
        insert_audit(&mut tx, &[AuditRecord::success(actor, "remove_ae").about(id)]).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Tells, as an event and in the audit trail, that somebody is turned away again and again.
    pub async fn alert_refusals(
        &self,
        source_address: &str,
        actor: &AuditActor,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        let event = Event::SecurityAlerted {
            kind: "associations_refused".to_owned(),
            source_address: source_address.to_owned(),
        };
        insert_events(&mut tx, &[event]).await?;
        let record = AuditRecord::success(actor, "raise_alert").about("associations_refused");
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await
    }
}
