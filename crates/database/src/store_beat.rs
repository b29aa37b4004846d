//! How far this database is, as the object store remembers it.
//!
//! Every value is committed here before it goes to the store. So the store never has a greater one than the database that goes with
//! it, and a database that meets a greater one is an older copy, or another one. It keeps that in mind: its next values would soon
//! be the greater ones. Only an index that was made again from the objects ends it.

use crate::{Database, DatabaseError};

/// How far a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct StoreBeat {
    /// Its newest value.
    pub value: i64,
    /// Objects may hold what it does not know.
    pub is_behind: bool,
    /// Nothing told whether it was an older copy when it met the store.
    pub is_unproved: bool,
}

impl Database {
    /// How far it is.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn store_beat(&self) -> Result<StoreBeat, DatabaseError> {
        const SQL: &str = "SELECT value, is_behind, is_unproved FROM store_beat";
        Ok(on!(self, engine => sqlx::query_as(SQL).fetch_one(&engine.read).await?))
    }

    /// Goes on to a value that is greater than its own and than the one that the store was `seen` with before, which must not be
    /// greater than its own: else it is behind. `is_unproved`: nothing told.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn advance_store_beat(
        &self,
        seen: Option<i64>,
        is_unproved: bool,
    ) -> Result<StoreBeat, DatabaseError> {
        const SQL: &str = "UPDATE store_beat SET is_behind = is_behind OR value < $1, \
            is_unproved = is_unproved OR $2, value = CASE WHEN value < $3 THEN $3 ELSE value + 1 END \
            RETURNING value, is_behind, is_unproved";
        let mut tx = self.begin().await?;
        let (seen, next) = (seen.unwrap_or(0), next(seen, tx.now.timestamp_millis()));
        let beat: StoreBeat = on_tx!(tx, connection => sqlx::query_as(SQL)
            .bind(seen)
            .bind(is_unproved)
            .bind(next)
            .fetch_one(connection)
            .await?);
        self.commit(tx).await?;
        Ok(beat)
    }

    /// Remembers that objects may hold what it does not know.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn mark_behind(&self) -> Result<(), DatabaseError> {
        const SQL: &str = "UPDATE store_beat SET is_behind = TRUE";
        let mut tx = self.begin().await?;
        on_tx!(tx, connection => sqlx::query(SQL).execute(connection).await.map(drop)?);
        self.commit(tx).await
    }

    /// It knows every object: goes on to a greater value, and is behind no more.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn clear_behind(&self, seen: Option<i64>) -> Result<StoreBeat, DatabaseError> {
        const SQL: &str = "UPDATE store_beat SET is_behind = FALSE, is_unproved = FALSE, \
            value = CASE WHEN value < $1 THEN $1 ELSE value + 1 END RETURNING value, is_behind, is_unproved";
        let mut tx = self.begin().await?;
        let next = next(seen, tx.now.timestamp_millis());
        let beat: StoreBeat =
            on_tx!(tx, connection => sqlx::query_as(SQL).bind(next).fetch_one(connection).await?);
        self.commit(tx).await?;
        Ok(beat)
    }

    /// How many instances it knows, those too that were deleted and can be restored; `most` when there are more.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn instances_up_to(&self, most: u64) -> Result<u64, DatabaseError> {
        const SQL: &str = "SELECT COUNT(*) FROM (SELECT object_key FROM instance \
            UNION ALL SELECT object_key FROM deleted_instance LIMIT $1) AS known";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let count: i64 =
            on!(self, engine => sqlx::query_scalar(SQL).bind(most).fetch_one(&engine.read).await?);
        Ok(count.unsigned_abs())
    }
}

/// Now, and whatever the clock says after what the store has.
fn next(seen: Option<i64>, now: i64) -> i64 {
    seen.map_or(now, |seen| now.max(seen.saturating_add(1)))
}
