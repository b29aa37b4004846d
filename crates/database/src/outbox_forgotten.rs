//! Events are kept for a while after every reader has them; then they are forgotten, from the oldest on.

use chrono::{DateTime, Utc};

use crate::{Database, DatabaseError, outbox_cursor::READ_BROKER};

/// Up to where events were forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct ForgottenEvents {
    /// No event up to this one is kept; 0 when none was forgotten.
    pub sequence: i64,
    /// All of them happened before then.
    pub happened_before: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Oldest {
    sequence: i64,
    at: DateTime<Utc>,
    relayed_at: Option<DateTime<Utc>>,
}

impl Database {
    /// Up to where events were forgotten.
    pub async fn forgotten_events(&self) -> Result<ForgottenEvents, DatabaseError> {
        const SQL: &str = "SELECT sequence, happened_before FROM outbox_forgotten WHERE id = 1";
        Ok(on!(self, engine => sqlx::query_as(SQL).fetch_one(&engine.read).await?))
    }

    /// Forgets the oldest events as far as they happened before then, were handed to listeners and lie behind every
    /// reader's cursor, at most `limit`; gives how many. The newest event stays. The broker is a reader while there is
    /// one, however far it is behind.
    pub async fn forget_events(
        &self,
        before: DateTime<Utc>,
        has_broker: bool,
        limit: u32,
    ) -> Result<u64, DatabaseError> {
        const FORGET: &str = "DELETE FROM outbox WHERE sequence <= $1";
        const NOTE: &str = "UPDATE outbox_forgotten SET sequence = $1, \
            happened_before = CASE WHEN happened_before < $2 THEN $2 ELSE happened_before END \
            WHERE id = 1 AND sequence < $1";
        let Some(until) = self.forgettable(before, has_broker, limit).await? else { return Ok(0) };
        let mut tx = self.begin().await?;
        let forgotten = on_tx!(tx, connection =>
            sqlx::query(FORGET).bind(until).execute(connection).await?.rows_affected());
        on_tx!(tx, connection =>
            sqlx::query(NOTE).bind(until).bind(before).execute(connection).await.map(drop)?);
        self.commit(tx).await?;
        Ok(forgotten)
    }

    /// The last of the oldest events that can be forgotten. All of them are settled: a reader has been there.
    async fn forgettable(
        &self,
        before: DateTime<Utc>,
        has_broker: bool,
        limit: u32,
    ) -> Result<Option<i64>, DatabaseError> {
        const READ: &str = "SELECT MIN(sequence) FROM outbox_cursor WHERE reader <> $1";
        const OLDEST: &str = "SELECT sequence, at, relayed_at FROM outbox \
            WHERE sequence <= $1 AND sequence < $2 ORDER BY sequence LIMIT $3";
        let left_out = if has_broker { "" } else { READ_BROKER };
        let newest = self.outbox_last().await?;
        let read: Option<i64> =
            on!(self, engine => sqlx::query_scalar(READ).bind(left_out).fetch_one(&engine.read).await?);
        let Some(read) = read else { return Ok(None) };
        let oldest: Vec<Oldest> = on!(self, engine => sqlx::query_as(OLDEST)
            .bind(read)
            .bind(newest)
            .bind(i64::from(limit))
            .fetch_all(&engine.read)
            .await?);
        let old = oldest.iter().take_while(|event| event.at < before && event.relayed_at.is_some());
        Ok(old.last().map(|event| event.sequence))
    }
}
