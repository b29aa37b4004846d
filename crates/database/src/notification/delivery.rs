//! Events on their way to receivers: what is due, how attempts ended, what was given up.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use model::event::{Event, EventEnvelope};
use uuid::Uuid;

use super::fan_out::body_of;
use crate::{
    AuditActor, AuditRecord, Database, DatabaseError, audit::insert_audit, statement::Dialect, text::clean,
};

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is to be tried, for the first time or again.
    Pending,
    /// The receiver took it.
    Delivered,
    /// It was tried as often as is allowed.
    Dead,
}

impl DeliveryState {
    /// The word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

/// A word that is no state of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("state is one of pending, delivered, dead")]
pub struct UnknownDeliveryState;

impl FromStr for DeliveryState {
    type Err = UnknownDeliveryState;
    fn from_str(text: &str) -> Result<Self, UnknownDeliveryState> {
        let all = [Self::Pending, Self::Delivered, Self::Dead];
        all.into_iter().find(|state| state.as_str() == text).ok_or(UnknownDeliveryState)
    }
}

#[derive(sqlx::Type)]
#[sqlx(transparent)]
struct StateText(String);

impl TryFrom<StateText> for DeliveryState {
    type Error = UnknownDeliveryState;
    fn try_from(text: StateText) -> Result<Self, UnknownDeliveryState> {
        text.0.parse()
    }
}

/// One event on its way to one receiver.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Delivery {
    /// Identity; grows with time.
    pub id: Uuid,
    /// The webhook; `None` for an e-mail.
    pub webhook_id: Option<Uuid>,
    /// Identity of the event, the same for all its receivers.
    pub event_id: Uuid,
    /// Name of the event.
    pub event_type: String,
    /// What is sent.
    pub body: String,
    /// Where it stands.
    #[sqlx(try_from = "StateText")]
    pub state: DeliveryState,
    /// Attempts begun.
    pub attempts: i32,
    /// When it is tried next.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// HTTP status of the last attempt.
    pub last_status: Option<i32>,
    /// Why the last attempt failed; empty when it did not.
    pub last_error: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was delivered or given up.
    pub settled_at: Option<DateTime<Utc>>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The delivery.
    pub id: Uuid,
    /// HTTP status, when there was one.
    pub status: Option<u16>,
    /// What follows.
    pub outcome: DeliveryOutcome,
}

/// What follows an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Nothing: it arrived.
    Delivered,
    /// Another attempt after this time, for this reason.
    Retry(TimeDelta, String),
    /// Nothing: it is given up for this reason.
    Dead(String),
}

/// Which deliveries to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeliveryFilter {
    /// Where they stand; `None` for any.
    pub state: Option<DeliveryState>,
    /// Deliveries returned at most.
    pub limit: u32,
    /// Deliveries skipped.
    pub offset: u64,
}

const COLUMNS: &str = "id, webhook_id, event_id, event_type, body, state, attempts, next_attempt_at, last_status, \
    last_error, created_at, settled_at";

impl Database {
    /// Deliveries of a webhook, the newest first.
    pub async fn deliveries(
        &self,
        webhook_id: Uuid,
        filter: DeliveryFilter,
    ) -> Result<Vec<Delivery>, DatabaseError> {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM delivery WHERE webhook_id = $1 AND (state = $2 OR $2 = '') \
             ORDER BY id DESC LIMIT $3 OFFSET $4"
        ));
        let state = filter.state.map_or("", DeliveryState::as_str);
        let offset = i64::try_from(filter.offset).unwrap_or(i64::MAX);
        Ok(on!(self, engine => sqlx::query_as(sql)
            .bind(webhook_id)
            .bind(state)
            .bind(i64::from(filter.limit))
            .bind(offset)
            .fetch_all(&engine.read)
            .await?))
    }

    /// Takes deliveries of one receiver that are due (`None`: e-mails) and counts the attempt. Whoever takes them says
    /// within `lease` how it ended, or they are due again.
    pub async fn take_deliveries(
        &self,
        webhook_id: Option<Uuid>,
        limit: u32,
        lease: TimeDelta,
    ) -> Result<Vec<Delivery>, DatabaseError> {
        let receiver =
            if webhook_id.is_some() { "webhook_id = $4" } else { "webhook_id IS NULL AND $4 IS NULL" };
        let mut tx = self.begin().await?;
        let lock = match tx.dialect() {
            Dialect::Postgres => " FOR UPDATE SKIP LOCKED",
            Dialect::Sqlite => "",
        };
        let receiver = match tx.dialect() {
            Dialect::Postgres => receiver.replace("$4", "$4::uuid"),
            Dialect::Sqlite => receiver.to_owned(),
        };
        let sql = sqlx::AssertSqlSafe(format!(
            "UPDATE delivery SET attempts = attempts + 1, next_attempt_at = $2 WHERE id IN (SELECT id FROM delivery \
             WHERE {receiver} AND next_attempt_at <= $1 ORDER BY next_attempt_at LIMIT $3{lock}) RETURNING {COLUMNS}"
        ));
        let now = tx.now;
        let taken: Vec<Delivery> = on_tx!(tx, connection => sqlx::query_as(sql)
            .bind(now)
            .bind(now + lease)
            .bind(i64::from(limit))
            .bind(webhook_id)
            .fetch_all(connection)
            .await?);
        self.commit(tx).await?;
        Ok(taken)
    }

    /// Whether an e-mail is due.
    pub async fn has_mail_due(&self) -> Result<bool, DatabaseError> {
        const SQL: &str =
            "SELECT id FROM delivery WHERE webhook_id IS NULL AND next_attempt_at <= $1 LIMIT 1";
        let now = self.shared().clock.now();
        let found: Option<Uuid> =
            on!(self, engine => sqlx::query_scalar(SQL).bind(now).fetch_optional(&engine.read).await?);
        Ok(found.is_some())
    }

    /// Notes how attempts ended. One whose webhook was removed meanwhile leaves no trace.
    pub async fn settle_deliveries(&self, attempts: &[Attempt]) -> Result<(), DatabaseError> {
        const SQL: &str = "UPDATE delivery SET state = $2, next_attempt_at = $3, last_status = $4, last_error = $5, \
            settled_at = $6 WHERE id = $1 AND state = 'pending'";
        let mut tx = self.begin().await?;
        let now = tx.now;
        for attempt in attempts {
            let (state, next, error) = match &attempt.outcome {
                DeliveryOutcome::Delivered => (DeliveryState::Delivered, None, ""),
                DeliveryOutcome::Retry(wait, why) => {
                    (DeliveryState::Pending, Some(now + *wait), why.as_str())
                }
                DeliveryOutcome::Dead(why) => (DeliveryState::Dead, None, why.as_str()),
            };
            on_tx!(tx, connection => sqlx::query(SQL)
                .bind(attempt.id)
                .bind(state.as_str())
                .bind(next)
                .bind(attempt.status.map(i32::from))
                .bind(clean(error))
                .bind(next.is_none().then_some(now))
                .execute(connection)
                .await
                .map(drop)?);
        }
        self.commit(tx).await
    }

    /// Sends a delivery again that has ended, as if it had never been tried; `None` when the webhook has none of that id.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when it has not ended: an attempt may be under way.
    pub async fn redeliver(
        &self,
        webhook_id: Uuid,
        id: Uuid,
        actor: &AuditActor,
    ) -> Result<Option<Delivery>, DatabaseError> {
        const THERE: &str = "SELECT COUNT(*) FROM delivery WHERE id = $1 AND webhook_id = $2";
        let sql = sqlx::AssertSqlSafe(format!(
            "UPDATE delivery SET state = 'pending', attempts = 0, next_attempt_at = $3, settled_at = NULL \
             WHERE id = $1 AND webhook_id = $2 AND state <> 'pending' RETURNING {COLUMNS}"
        ));
        let mut tx = self.begin().await?;
        let now = tx.now;
        let again: Option<Delivery> = on_tx!(tx, connection =>
            sqlx::query_as(sql).bind(id).bind(webhook_id).bind(now).fetch_optional(connection).await?);
        if again.is_none() {
            let there: i64 = on_tx!(tx, connection =>
                sqlx::query_scalar(THERE).bind(id).bind(webhook_id).fetch_one(connection).await?);
            return match there {
                0 => Ok(None),
                _ => Err(DatabaseError::Conflict("it is still being tried".to_owned())),
            };
        }
        insert_audit(&mut tx, &[AuditRecord::success(actor, "redeliver").about(id)]).await?;
        self.commit(tx).await?;
        Ok(again)
    }

    /// Sends a webhook an event of its own; `None` when it is not there.
    pub async fn test_webhook(
        &self,
        webhook_id: Uuid,
        actor: &AuditActor,
    ) -> Result<Option<Delivery>, DatabaseError> {
        let sql = sqlx::AssertSqlSafe(format!(
            "INSERT INTO delivery (id, webhook_id, event_id, event_type, body, state, attempts, next_attempt_at, \
             last_error, created_at) SELECT $1, id, $3, $4, $5, 'pending', 0, $6, '', $6 FROM webhook WHERE id = $2 \
             RETURNING {COLUMNS}"
        ));
        let mut tx = self.begin().await?;
        let now = tx.now;
        let event = Event::WebhookTested { webhook_id };
        let envelope = EventEnvelope { sequence: 0, event_id: Uuid::now_v7(), at: now, event };
        let body = body_of(&envelope)?;
        let made: Option<Delivery> = on_tx!(tx, connection => sqlx::query_as(sql)
            .bind(Uuid::now_v7())
            .bind(webhook_id)
            .bind(envelope.event_id)
            .bind(envelope.event.name())
            .bind(body)
            .bind(now)
            .fetch_optional(connection)
            .await?);
        if made.is_none() {
            return Ok(None);
        }
        insert_audit(&mut tx, &[AuditRecord::success(actor, "test_webhook").about(webhook_id)]).await?;
        self.commit(tx).await?;
        Ok(made)
    }

    /// Forgets deliveries that ended before then, at most `limit`, and gives how many.
    pub async fn forget_deliveries(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, DatabaseError> {
        const SQL: &str =
            "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE settled_at < $1 LIMIT $2)";
        let mut tx = self.begin().await?;
        let forgotten = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(before)
            .bind(i64::from(limit))
            .execute(connection)
            .await?
            .rows_affected());
        self.commit(tx).await?;
        Ok(forgotten)
    }
}
