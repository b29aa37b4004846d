//! Tokens that are shown to MaxRay itself: what a device sends with each request.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Account, COLUMNS, OpenedSession, Row, Session};
use crate::{Database, DatabaseError};

/// The last use is written down at most this often.
const NOTED_EVERY_MINUTES: i64 = 5;

#[derive(sqlx::FromRow)]
struct Found {
    #[sqlx(flatten)]
    session: Row,
    #[sqlx(flatten)]
    account: Account,
}

impl Database {
    /// The live session of a token, of an account that is active.
    pub async fn session_of_token(
        &self,
        token_sha256: &[u8; 32],
    ) -> Result<Option<OpenedSession>, DatabaseError> {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS}, users.role, users.doctor_id FROM session JOIN users ON users.id = session.user_id \
             WHERE token_sha256 = $1 AND revoked_at IS NULL AND expires_at > $2 AND users.active"
        ));
        let now = self.shared().clock.now();
        let found: Option<Found> = on!(self, engine => sqlx::query_as(sql)
            .bind(&token_sha256[..])
            .bind(now)
            .fetch_optional(&engine.read)
            .await?);
        let Some(Found { session, account }) = found else { return Ok(None) };
        let Account { role, doctor_id } = account;
        let session = Session::try_from(session)?;
        self.note_use(&session, now).await?;
        Ok(Some(OpenedSession { session, role, doctor_id }))
    }

    /// Writes down that a session was used, unless that was done a moment ago.
    async fn note_use(&self, session: &Session, now: DateTime<Utc>) -> Result<(), DatabaseError> {
        const SQL: &str = "UPDATE session SET last_used_at = $2 WHERE id = $1";
        if now - session.last_used_at < TimeDelta::minutes(NOTED_EVERY_MINUTES) {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        on_tx!(tx, connection =>
            sqlx::query(SQL).bind(session.id).bind(now).execute(connection).await.map(|_| ())?);
        self.commit(tx).await
    }
}
