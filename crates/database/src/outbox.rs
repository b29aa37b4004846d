//! The outbox: events are rows of the transaction that they tell of, and are relayed from there at least once.

use chrono::{DateTime, Utc};
use model::event::{Event, EventEnvelope};
use uuid::Uuid;

use crate::{
    Database, DatabaseError,
    batch::Batch,
    engine::Tx,
    statement::{Statement, rows, uuid_value},
};

static INSERT: Statement = Statement::new(
    "INSERT INTO outbox (sequence, event_id, at, event) \
     SELECT SEQUENCE(ordinal), event_id, $2, event \
     FROM ROWS($1: ordinal bigint, event_id uuid, event text) AS r WHERE true",
);

static AFTER: Statement = Statement::new(
    "SELECT sequence, event_id, at, event FROM outbox WHERE sequence > $1 AND SETTLED ORDER BY sequence LIMIT $2",
);

static UNRELAYED: Statement = Statement::new(
    "SELECT sequence, event_id, at, event FROM outbox WHERE relayed_at IS NULL AND SETTLED ORDER BY sequence LIMIT $1",
);

static LAST: Statement =
    Statement::new("SELECT sequence FROM outbox WHERE SETTLED ORDER BY sequence DESC LIMIT 1");

static MARK_RELAYED: Statement = Statement::new(
    "UPDATE outbox SET relayed_at = $2 WHERE sequence IN (SELECT sequence FROM ROWS($1: sequence bigint) AS r) \
     AND relayed_at IS NULL",
);

#[derive(sqlx::FromRow)]
struct OutboxRow {
    sequence: i64,
    event_id: Uuid,
    at: DateTime<Utc>,
    event: String,
}

impl TryFrom<OutboxRow> for EventEnvelope {
    type Error = DatabaseError;
    fn try_from(row: OutboxRow) -> Result<Self, DatabaseError> {
        let event = serde_json::from_str(&row.event)
            .map_err(|_| DatabaseError::Corrupt(format!("outbox row {}", row.sequence)))?;
        Ok(Self { sequence: row.sequence, event_id: row.event_id, at: row.at, event })
    }
}

/// Writes events, in order, in the transaction they tell of.
pub(crate) async fn insert_events(tx: &mut Tx, events: &[Event]) -> Result<(), DatabaseError> {
    let mut batch = Batch::default();
    add_events(&mut batch, tx, events)?;
    batch.run(tx).await?;
    Ok(())
}

/// Has events written with what they tell of.
pub(crate) fn add_events(batch: &mut Batch, tx: &mut Tx, events: &[Event]) -> Result<(), DatabaseError> {
    if events.is_empty() {
        return Ok(());
    }
    let mut list = Vec::with_capacity(events.len());
    for event in events {
        let text = serde_json::to_string(event).map_err(|error| DatabaseError::Corrupt(error.to_string()))?;
        list.push(vec![tx.next_ordinal().into(), uuid_value(Uuid::now_v7()), text.into()]);
    }
    tx.has_events();
    batch.push(INSERT.on(tx.dialect()), [rows(list).into(), tx.now.into()]);
    Ok(())
}

impl Database {
    /// Events after `sequence`, oldest first. Nothing ever appears later before what was returned.
    pub async fn outbox_after(&self, sequence: i64, limit: u32) -> Result<Vec<EventEnvelope>, DatabaseError> {
        let sql = AFTER.on(self.dialect());
        let found: Vec<OutboxRow> = on!(self, engine =>
            sqlx::query_as(sql).bind(sequence).bind(i64::from(limit)).fetch_all(&engine.read).await?);
        found.into_iter().map(TryInto::try_into).collect()
    }

    /// The sequence of the newest event; 0 when there is none.
    pub async fn outbox_last(&self) -> Result<i64, DatabaseError> {
        let sql = LAST.on(self.dialect());
        let last: Option<i64> =
            on!(self, engine => sqlx::query_scalar(sql).fetch_optional(&engine.read).await?);
        Ok(last.unwrap_or(0))
    }

    /// Events that no broker has confirmed, oldest first.
    pub async fn outbox_unrelayed(&self, limit: u32) -> Result<Vec<EventEnvelope>, DatabaseError> {
        let sql = UNRELAYED.on(self.dialect());
        let found: Vec<OutboxRow> = on!(self, engine =>
            sqlx::query_as(sql).bind(i64::from(limit)).fetch_all(&engine.read).await?);
        found.into_iter().map(TryInto::try_into).collect()
    }

    /// When the oldest event happened that no relay has handed on. It may be one that nobody can read yet, because an older
    /// transaction is still open; none when everything is handed on.
    pub async fn outbox_oldest_unrelayed(&self) -> Result<Option<DateTime<Utc>>, DatabaseError> {
        const SQL: &str = "SELECT at FROM outbox WHERE relayed_at IS NULL ORDER BY sequence LIMIT 1";
        Ok(on!(self, engine => sqlx::query_scalar(SQL).fetch_optional(&engine.read).await?))
    }

    /// Notes that the broker confirmed these events.
    pub async fn mark_relayed(&self, sequences: &[i64]) -> Result<(), DatabaseError> {
        if sequences.is_empty() {
            return Ok(());
        }
        let list = rows(sequences.iter().map(|sequence| vec![(*sequence).into()]).collect());
        let mut tx = self.begin().await?;
        let (sql, now) = (MARK_RELAYED.on(tx.dialect()), tx.now);
        on_tx!(tx, connection => sqlx::query(sql).bind(list).bind(now).execute(connection).await.map(|_| ())?);
        self.commit(tx).await
    }
}
