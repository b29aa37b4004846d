//! Signed checkpoints of the chains, as lines that the database does not look into.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Database, DatabaseError};

/// A checkpoint as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredCheckpoint {
    /// The node that signed it.
    pub node_id: Uuid,
    /// Its place among that node's checkpoints.
    pub number: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// The checkpoint, as in the witness file.
    pub line: String,
}

impl Database {
    /// Keeps a checkpoint.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when this node has one of that number.
    pub async fn insert_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), DatabaseError> {
        const SQL: &str = "INSERT INTO audit_checkpoint (node_id, number, at, line) VALUES ($1, $2, $3, $4) \
            ON CONFLICT DO NOTHING";
        let mut tx = self.begin().await?;
        let written = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(checkpoint.node_id)
            .bind(checkpoint.number)
            .bind(checkpoint.at)
            .bind(&checkpoint.line)
            .execute(connection)
            .await?
            .rows_affected());
        if written == 0 {
            return Err(DatabaseError::Conflict("a checkpoint of that number".to_owned()));
        }
        self.commit(tx).await
    }

    /// The newest checkpoint of a node.
    pub async fn last_checkpoint(&self, node_id: Uuid) -> Result<Option<StoredCheckpoint>, DatabaseError> {
        const SQL: &str = "SELECT node_id, number, at, line FROM audit_checkpoint WHERE node_id = $1 \
            ORDER BY number DESC LIMIT 1";
        Ok(on!(self, engine => sqlx::query_as(SQL).bind(node_id).fetch_optional(&engine.read).await?))
    }

    /// Checkpoints of every node after one, in the order of node and number.
    pub async fn checkpoints_after(
        &self,
        node_id: Uuid,
        number: i64,
        limit: u32,
    ) -> Result<Vec<StoredCheckpoint>, DatabaseError> {
        const SQL: &str = "SELECT node_id, number, at, line FROM audit_checkpoint \
            WHERE (node_id, number) > ($1, $2) ORDER BY node_id, number LIMIT $3";
        Ok(on!(self, engine => sqlx::query_as(SQL)
            .bind(node_id)
            .bind(number)
            .bind(i64::from(limit))
            .fetch_all(&engine.read)
            .await?))
    }
}
