//! Registered application entities: which AE titles may call, from where.

use chrono::{DateTime, Utc};
use model::AeTitle;
use uuid::Uuid;

use crate::{AuditActor, AuditRecord, Database, DatabaseError, audit::insert_audit, text::clean};

/// A registered application entity.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct RegisteredAe {
    /// Identity.
    pub id: Uuid,
    /// AE title.
    #[sqlx(try_from = "String")]
    pub title: AeTitle,
    /// Address, network or host name that it calls from and is called at; empty for any.
    pub address: String,
    /// Port to call it at; 0 when it is never called.
    #[sqlx(try_from = "i32")]
    pub port: u16,
    /// May call.
    pub enabled: bool,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// An application entity to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAe {
    /// AE title.
    pub title: AeTitle,
    /// Address, network or host name; empty for any.
    pub address: String,
    /// Port to call it at; 0 when it is never called.
    pub port: u16,
}

impl Database {
    /// Every registered application entity, by title.
    pub async fn aes(&self) -> Result<Vec<RegisteredAe>, DatabaseError> {
        const SQL: &str =
            "SELECT id, title, address, port, enabled, created_at FROM ae ORDER BY title, address";
        Ok(on!(self, engine => sqlx::query_as(SQL).fetch_all(&engine.read).await?))
    }

    /// Registers an application entity.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when the title is registered at that address.
    pub async fn add_ae(&self, new: NewAe, actor: &AuditActor) -> Result<RegisteredAe, DatabaseError> {
        const SQL: &str =
            "INSERT INTO ae (id, title, address, port, enabled, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
        let mut tx = self.begin().await?;
        let ae = RegisteredAe {
            id: Uuid::now_v7(),
            title: new.title,
            address: clean(&new.address),
            port: new.port,
            enabled: true,
            created_at: tx.now,
        };
        let inserted: Result<(), DatabaseError> = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(ae.id)
            .bind(ae.title.as_str())
            .bind(&ae.address)
            .bind(i32::from(ae.port))
            .bind(ae.enabled)
            .bind(ae.created_at)
            .execute(connection)
            .await
            .map(|_| ())
            .map_err(DatabaseError::from));
        match inserted {
            Err(error) if error.is_unique_violation() => {
                return Err(DatabaseError::Conflict("the AE title is registered at that address".to_owned()));
            }
            other => other?,
        }
        insert_audit(&mut tx, &[AuditRecord::success(actor, "add_ae").about(ae.id)]).await?;
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
}
