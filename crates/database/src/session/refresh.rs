//! Refresh tokens: each is good once. One that comes a second time ends its session, because then somebody else has
//! it too (RFC 9700 4.14.2).

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{Account, COLUMNS, OpenedSession, Row, Session, SessionSet, hold_account, revoke_sessions};
use crate::{
    AuditActor, AuditOutcome, AuditRecord, Database, DatabaseError, audit::insert_audit, engine::Tx,
};

/// What came of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// The session goes on, with the new token.
    Renewed(OpenedSession),
    /// The token was used before: its session has ended.
    Reused(Uuid),
    /// Unknown, too old, or of a session that has ended.
    Refused,
}

pub(super) async fn insert_refresh_token(
    tx: &mut Tx,
    session_id: Uuid,
    sha256: &[u8; 32],
) -> Result<(), DatabaseError> {
    const SQL: &str =
        "INSERT INTO refresh_token (sha256, session_id, created_at, used_at) VALUES ($1, $2, $3, NULL)";
    let now = tx.now;
    on_tx!(tx, connection => sqlx::query(SQL)
        .bind(&sha256[..])
        .bind(session_id)
        .bind(now)
        .execute(connection)
        .await
        .map(|_| ())?);
    Ok(())
}

impl Database {
    /// Changes a refresh token for a new one. `idle` is how long a token may lie unused.
    pub async fn refresh_session(
        &self,
        old: &[u8; 32],
        new: &[u8; 32],
        idle: TimeDelta,
        actor: &AuditActor,
    ) -> Result<RefreshOutcome, DatabaseError> {
        const USE: &str = "UPDATE refresh_token SET used_at = $2 WHERE sha256 = $1 AND used_at IS NULL \
            RETURNING session_id, created_at";
        let mut tx = self.begin().await?;
        let now = tx.now;
        let used: Option<(Uuid, DateTime<Utc>)> = on_tx!(tx, connection =>
            sqlx::query_as(USE).bind(&old[..]).bind(now).fetch_optional(connection).await?);
        let outcome = match used {
            None => refuse_token(&mut tx, old, actor).await?,
            Some((session_id, since)) => {
                match live_session(&mut tx, session_id).await?.filter(|_| now - since <= idle) {
                    Some(opened) => renew(&mut tx, opened, new, actor).await?,
                    None => refuse_session(&mut tx, session_id, actor).await?,
                }
            }
        };
        self.commit(tx).await?;
        Ok(outcome)
    }
}

async fn renew(
    tx: &mut Tx,
    opened: OpenedSession,
    new: &[u8; 32],
    actor: &AuditActor,
) -> Result<RefreshOutcome, DatabaseError> {
    const SQL: &str = "UPDATE session SET last_used_at = $2 WHERE id = $1";
    insert_refresh_token(tx, opened.session.id, new).await?;
    let now = tx.now;
    on_tx!(tx, connection =>
        sqlx::query(SQL).bind(opened.session.id).bind(now).execute(connection).await.map(|_| ())?);
    let actor = AuditActor {
        user_id: Some(opened.session.user_id),
        role: opened.role.as_str().to_owned(),
        ..actor.clone()
    };
    insert_audit(tx, &[AuditRecord::success(&actor, "refresh_session").about(opened.session.id)]).await?;
    Ok(RefreshOutcome::Renewed(opened))
}

/// The session, if it may go on, and what its account may do now.
async fn live_session(tx: &mut Tx, id: Uuid) -> Result<Option<OpenedSession>, DatabaseError> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM session WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2"
    ));
    let now = tx.now;
    let found: Option<Row> =
        on_tx!(tx, connection => sqlx::query_as(sql).bind(id).bind(now).fetch_optional(connection).await?);
    let Some(row) = found else { return Ok(None) };
    let session = Session::try_from(row)?;
    let account = hold_account(tx, session.user_id, None).await?;
    Ok(account.map(|Account { role, doctor_id }| OpenedSession { session, role, doctor_id }))
}

async fn refuse_token(
    tx: &mut Tx,
    old: &[u8; 32],
    actor: &AuditActor,
) -> Result<RefreshOutcome, DatabaseError> {
    const SQL: &str = "SELECT session_id FROM refresh_token WHERE sha256 = $1";
    let known: Option<Uuid> =
        on_tx!(tx, connection => sqlx::query_scalar(SQL).bind(&old[..]).fetch_optional(connection).await?);
    let mut record = AuditRecord::success(actor, "refresh_session");
    record.outcome = AuditOutcome::Refused;
    let Some(session_id) = known else {
        "unknown refresh token".clone_into(&mut record.detail);
        insert_audit(tx, &[record]).await?;
        return Ok(RefreshOutcome::Refused);
    };
    "refresh token used again".clone_into(&mut record.detail);
    insert_audit(tx, &[record.about(session_id)]).await?;
    revoke_sessions(tx, SessionSet::One(session_id), "refresh token used again", actor).await?;
    Ok(RefreshOutcome::Reused(session_id))
}

async fn refuse_session(
    tx: &mut Tx,
    session_id: Uuid,
    actor: &AuditActor,
) -> Result<RefreshOutcome, DatabaseError> {
    let mut record = AuditRecord::success(actor, "refresh_session").about(session_id);
    record.outcome = AuditOutcome::Refused;
    "the session has ended, or lay unused for too long".clone_into(&mut record.detail);
    insert_audit(tx, &[record]).await?;
    Ok(RefreshOutcome::Refused)
}
