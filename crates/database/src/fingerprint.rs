//! Secrets that every node must have alike and the database must not hold: it remembers what tells one from another.

use crate::{Database, DatabaseError};

impl Database {
    /// Remembers the fingerprint of a secret, or compares it with the one that is remembered; says whether they are the same.
    /// `is_new`: the secret was changed on purpose, and the old fingerprint is forgotten.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn agree_on(&self, name: &str, fingerprint: &str, is_new: bool) -> Result<bool, DatabaseError> {
        const FORGET: &str = "DELETE FROM fingerprint WHERE name = $1";
        const REMEMBER: &str = "INSERT INTO fingerprint (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        const READ: &str = "SELECT value FROM fingerprint WHERE name = $1";
        let mut tx = self.begin().await?;
        if is_new {
            on_tx!(tx, connection => sqlx::query(FORGET).bind(name).execute(connection).await.map(drop)?);
        }
        on_tx!(tx, connection =>
            sqlx::query(REMEMBER).bind(name).bind(fingerprint).execute(connection).await.map(drop)?);
        let remembered: String =
            on_tx!(tx, connection => sqlx::query_scalar(READ).bind(name).fetch_one(connection).await?);
        self.commit(tx).await?;
        Ok(remembered == fingerprint)
    }
}
