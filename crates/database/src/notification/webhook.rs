//! Webhooks: where events are sent over HTTP.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{AuditActor, AuditRecord, Database, DatabaseError, audit::insert_audit, engine::Tx, text::clean};

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Identity.
    pub id: Uuid,
    /// URL that events are sent to.
    pub address: String,
    /// What it is for, in people's words.
    pub description: String,
    /// Names of the events that it gets, some with what was done behind them.
    pub event_types: Vec<String>,
    /// Only events after this one of the outbox are for it.
    pub since: i64,
    /// The account that made it.
    pub created_by: Option<Uuid>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A webhook to be made; the address was checked by whoever took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWebhook {
    /// URL that events are sent to.
    pub address: String,
    /// What it is for.
    pub description: String,
    /// Names of events.
    pub event_types: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    address: String,
    description: String,
    event_types: Json<Vec<String>>,
    since: i64,
    created_by: Option<Uuid>,
    created_at: DateTime<Utc>,
}

impl From<Row> for Webhook {
    fn from(row: Row) -> Self {
        let Row { id, address, description, event_types: Json(event_types), since, created_by, created_at } =
            row;
        Self { id, address, description, event_types, since, created_by, created_at }
    }
}

const SELECT: &str =
    "SELECT id, address, description, event_types, since, created_by, created_at FROM webhook w";

/// Every webhook, as the transaction sees them.
pub(super) async fn webhooks_in(tx: &mut Tx) -> Result<Vec<Webhook>, DatabaseError> {
    let found: Vec<Row> = on_tx!(tx, connection => sqlx::query_as(SELECT).fetch_all(connection).await?);
    Ok(found.into_iter().map(Into::into).collect())
}

impl Database {
    /// Every webhook, the oldest first.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, DatabaseError> {
        let sql = sqlx::AssertSqlSafe(format!("{SELECT} ORDER BY created_at, id"));
        let found: Vec<Row> = on!(self, engine => sqlx::query_as(sql).fetch_all(&engine.read).await?);
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Webhooks for which a delivery is due, those that have waited longest first.
    pub async fn webhooks_with_work(&self) -> Result<Vec<Webhook>, DatabaseError> {
        let sql = sqlx::AssertSqlSafe(format!(
            "{SELECT} WHERE EXISTS (SELECT 1 FROM delivery d WHERE d.webhook_id = w.id AND d.next_attempt_at <= $1) \
             ORDER BY (SELECT MIN(d.next_attempt_at) FROM delivery d WHERE d.webhook_id = w.id)"
        ));
        let now = self.shared().clock.now();
        let found: Vec<Row> =
            on!(self, engine => sqlx::query_as(sql).bind(now).fetch_all(&engine.read).await?);
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// One webhook.
    pub async fn webhook(&self, id: Uuid) -> Result<Option<Webhook>, DatabaseError> {
        let sql = sqlx::AssertSqlSafe(format!("{SELECT} WHERE id = $1"));
        let found: Option<Row> =
            on!(self, engine => sqlx::query_as(sql).bind(id).fetch_optional(&engine.read).await?);
        Ok(found.map(Into::into))
    }

    /// Makes a webhook. It gets what happens from now on.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when there are `webhooks_max` already.
    pub async fn create_webhook(
        &self,
        new: NewWebhook,
        webhooks_max: u32,
        actor: &AuditActor,
    ) -> Result<Webhook, DatabaseError> {
        const COUNT: &str = "SELECT COUNT(*) FROM webhook";
        const SQL: &str = "INSERT INTO webhook (id, address, description, event_types, since, created_by, created_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let since = self.outbox_last().await?;
        let mut tx = self.begin().await?;
        let there: i64 = on_tx!(tx, connection => sqlx::query_scalar(COUNT).fetch_one(connection).await?);
        if there >= i64::from(webhooks_max) {
            return Err(DatabaseError::Conflict("there are too many webhooks".to_owned()));
        }
        let webhook = Webhook {
            id: Uuid::now_v7(),
            address: clean(&new.address),
            description: clean(&new.description),
            event_types: new.event_types,
            since,
            created_by: actor.user_id,
            created_at: tx.now,
        };
        on_tx!(tx, connection => sqlx::query(SQL)
            .bind(webhook.id)
            .bind(&webhook.address)
            .bind(&webhook.description)
            .bind(Json(&webhook.event_types))
            .bind(webhook.since)
            .bind(webhook.created_by)
            .bind(webhook.created_at)
            .execute(connection)
            .await
            .map(drop)?);
        insert_audit(&mut tx, &[AuditRecord::success(actor, "create_webhook").about(webhook.id)]).await?;
        self.commit(tx).await?;
        Ok(webhook)
    }

    /// Removes a webhook with its deliveries; false when there was none.
    pub async fn remove_webhook(&self, id: Uuid, actor: &AuditActor) -> Result<bool, DatabaseError> {
        const SQL: &str = "DELETE FROM webhook WHERE id = $1";
        let mut tx = self.begin().await?;
        let removed =
            on_tx!(tx, connection => sqlx::query(SQL).bind(id).execute(connection).await?.rows_affected());
        if removed == 0 {
            return Ok(false);
        }
        insert_audit(&mut tx, &[AuditRecord::success(actor, "delete_webhook").about(id)]).await?;
        self.commit(tx).await?;
        Ok(true)
    }
}
