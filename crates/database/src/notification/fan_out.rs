//! From the outbox to deliveries: one for each event and receiver.
//!
//! Each node reads the outbox on its own, and what two of them find is one row. The cursor that is kept moves in the
//! transaction that writes the deliveries before it, so a start after a crash misses nothing.

use model::event::EventEnvelope;
use serde_json::Value;
use uuid::Uuid;

use super::webhook::{Webhook, webhooks_in};
use crate::{
    Database, DatabaseError,
    outbox_cursor::{READ_DELIVERIES, cursor, move_cursor},
    statement::{Statement, rows, uuid_value},
};

static INSERT: Statement = Statement::new(
    "INSERT INTO delivery (id, webhook_id, event_id, event_type, body, state, attempts, next_attempt_at, last_error, \
     created_at) SELECT id, webhook_id, event_id, event_type, body, 'pending', 0, $2, '', $2 \
     FROM ROWS($1: id uuid, webhook_id uuid, event_id uuid, event_type text, body text) AS r WHERE true \
     ON CONFLICT DO NOTHING",
);

/// Who gets events besides the webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receivers {
    /// Names of the events of which the doctor whom they concern gets an e-mail.
    pub mailed: Vec<&'static str>,
}

impl Database {
    /// Up to where events have become deliveries.
    pub async fn delivery_cursor(&self) -> Result<i64, DatabaseError> {
        // A migration made it, at the newest event of then.
        cursor(self, READ_DELIVERIES)
            .await?
            .ok_or_else(|| DatabaseError::Corrupt("the cursor of deliveries".to_owned()))
    }

    /// Makes deliveries of events that follow each other and moves the cursor behind the last of them; gives how many it
    /// made. When it made none the cursor stays: whoever reads on moves it once in a while.
    pub async fn make_deliveries(
        &self,
        events: &[EventEnvelope],
        receivers: &Receivers,
    ) -> Result<u64, DatabaseError> {
        let Some(last) = events.last() else { return Ok(0) };
        // Most events are for nobody: they cost no transaction.
        if deliveries_of(events, &self.webhooks().await?, receivers)?.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let webhooks = webhooks_in(&mut tx).await?;
        let list = deliveries_of(events, &webhooks, receivers)?;
        let made = list.len() as u64;
        let (sql, now) = (INSERT.on(tx.dialect()), tx.now);
        on_tx!(tx, connection =>
            sqlx::query(sql).bind(rows(list)).bind(now).execute(connection).await.map(drop)?);
        move_cursor(&mut tx, READ_DELIVERIES, last.sequence).await?;
        self.commit(tx).await?;
        Ok(made)
    }

    /// Moves the cursor past events that nobody gets.
    pub async fn move_delivery_cursor(&self, until: i64) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        move_cursor(&mut tx, READ_DELIVERIES, until).await?;
        self.commit(tx).await
    }
}

/// The rows of [`INSERT`].
fn deliveries_of(
    events: &[EventEnvelope],
    webhooks: &[Webhook],
    receivers: &Receivers,
) -> Result<Vec<Vec<Value>>, DatabaseError> {
    let mut list = Vec::new();
    for envelope in events {
        let (name, detailed) = (envelope.event.name(), envelope.event.detailed_name());
        let asked = |one: &String| one == name || Some(one.as_str()) == detailed;
        let wanted = webhooks
            .iter()
            .filter(|webhook| envelope.sequence > webhook.since && webhook.event_types.iter().any(asked));
        let mut receivers_of: Vec<Value> = wanted.map(|webhook| uuid_value(webhook.id)).collect();
        if envelope.event.doctor_id().is_some() && receivers.mailed.contains(&name) {
            receivers_of.push(Value::Null);
        }
        if receivers_of.is_empty() {
            continue;
        }
        let body = body_of(envelope)?;
        for receiver in receivers_of {
            list.push(vec![
                uuid_value(Uuid::now_v7()),
                receiver,
                uuid_value(envelope.event_id),
                name.into(),
                body.clone().into(),
            ]);
        }
    }
    Ok(list)
}

/// What is sent of an event.
pub(super) fn body_of(envelope: &EventEnvelope) -> Result<String, DatabaseError> {
    serde_json::to_string(envelope).map_err(|error| DatabaseError::Corrupt(error.to_string()))
}
