//! Sessions: what the `sid` of a token names. A sign-in, a device, a service's token, the token of a consultation and
//! a redeemed share link are all sessions, so that taking one back is one mechanism.

mod device;
mod refresh;
mod revoke;

use chrono::{DateTime, TimeDelta, Utc};
use model::access::Role;
use uuid::Uuid;

pub use refresh::RefreshOutcome;
pub use revoke::SessionSet;
pub(crate) use revoke::{RevokedSessions, revoke_sessions};

use crate::{
    AuditActor, AuditRecord, Database, DatabaseError, audit::insert_audit, engine::Tx, text::clean,
    user::RoleText,
};

/// Sessions that ended this long ago are forgotten; the audit trail keeps what they were.
const KEPT_DAYS: i64 = 30;

/// How a session came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionKind {
    /// Somebody signed in with a password.
    Password,
    /// A service account proved its secret.
    Client,
    /// The long-lived token of a device that sends X-rays.
    Device,
    /// A viewer opens the studies of a consultation.
    Consultation,
    /// Somebody redeemed a share link.
    Share,
}

impl SessionKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Password, Self::Client, Self::Device, Self::Consultation, Self::Share];

    /// The word kept in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Client => "client",
            Self::Device => "device",
            Self::Consultation => "consultation",
            Self::Share => "share",
        }
    }
}

/// A session as the database keeps it, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Identity; `sid` of tokens.
    pub id: Uuid,
    /// The account that it acts as.
    pub user_id: Uuid,
    /// How it came to be.
    pub kind: SessionKind,
    /// The consultation or share link whose studies it opens.
    pub grant_id: Option<Uuid>,
    /// What people call it.
    pub label: String,
    /// Where it was opened from.
    pub source_address: String,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself, whatever happens.
    pub expires_at: DateTime<Utc>,
    /// When it was last seen, roughly.
    pub last_used_at: DateTime<Utc>,
    /// When it was taken back.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A session to be opened.
#[derive(Clone)]
pub struct NewSession {
    /// The account that it acts as; it must be active.
    pub user_id: Uuid,
    /// How it comes to be.
    pub kind: SessionKind,
    /// The consultation or share link whose studies it opens.
    pub grant_id: Option<Uuid>,
    /// What people call it.
    pub label: String,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// The hash that the account's password was checked against: a session is not opened when it changed meanwhile.
    pub password_hash: Option<String>,
    /// SHA-256 of the first refresh token.
    pub refresh_sha256: Option<[u8; 32]>,
    /// SHA-256 of a token that is shown to MaxRay itself.
    pub token_sha256: Option<[u8; 32]>,
}

impl NewSession {
    /// A session without secrets of its own.
    pub fn new(user_id: Uuid, kind: SessionKind, expires_at: DateTime<Utc>) -> Self {
        Self {
            user_id,
            kind,
            grant_id: None,
            label: String::new(),
            expires_at,
            password_hash: None,
            refresh_sha256: None,
            token_sha256: None,
        }
    }
}

/// A live session and what its account may do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedSession {
    /// The session.
    pub session: Session,
    /// Role of the account.
    pub role: Role,
    /// The doctor that the account belongs to.
    pub doctor_id: Option<Uuid>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    user_id: Uuid,
    kind: String,
    grant_id: Option<Uuid>,
    label: String,
    source_address: String,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    last_used_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Session {
    type Error = DatabaseError;
    fn try_from(row: Row) -> Result<Self, DatabaseError> {
        let kind = SessionKind::ALL.into_iter().find(|kind| kind.as_str() == row.kind);
        Ok(Self {
            id: row.id,
            user_id: row.user_id,
            kind: kind.ok_or_else(|| DatabaseError::Corrupt(format!("session {}", row.id)))?,
            grant_id: row.grant_id,
            label: row.label,
            source_address: row.source_address,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
        })
    }
}

const COLUMNS: &str = "session.id, session.user_id, session.kind, session.grant_id, session.label, \
    session.source_address, session.created_at, session.expires_at, session.last_used_at, session.revoked_at";

#[derive(sqlx::FromRow)]
struct Account {
    #[sqlx(try_from = "RoleText")]
    role: Role,
    doctor_id: Option<Uuid>,
}

/// Locks the account's row until the end of the transaction, so that it cannot be deactivated beside us, and gives
/// what it may do; nothing when it is not active or its password is not `password_hash` any more.
async fn hold_account(
    tx: &mut Tx,
    user_id: Uuid,
    password_hash: Option<&str>,
) -> Result<Option<Account>, DatabaseError> {
    const SQL: &str = "UPDATE users SET updated_at = updated_at WHERE id = $1 AND active \
        AND ($2 = '' OR password_hash = $2) RETURNING role, doctor_id";
    let password_hash = password_hash.unwrap_or_default();
    Ok(on_tx!(tx, connection =>
        sqlx::query_as(SQL).bind(user_id).bind(password_hash).fetch_optional(connection).await?))
}

/// Opens a session in a transaction that also holds its reason; writes no audit record.
///
/// # Errors
/// [`DatabaseError::NotFound`] when the account is not active (any longer).
pub(crate) async fn insert_session(
    tx: &mut Tx,
    new: NewSession,
    actor: &AuditActor,
) -> Result<OpenedSession, DatabaseError> {
    const SQL: &str = "INSERT INTO session (id, user_id, kind, grant_id, label, source_address, token_sha256, \
        created_at, expires_at, last_used_at, revoked_at, revoked_reason) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, NULL, '')";
    const FORGET: &str = "DELETE FROM session WHERE id IN \
        (SELECT id FROM session WHERE expires_at < $1 ORDER BY expires_at LIMIT 20)";
    let account = hold_account(tx, new.user_id, new.password_hash.as_deref()).await?;
    let Account { role, doctor_id } = account.ok_or(DatabaseError::NotFound)?;
    let session = Session {
        id: Uuid::now_v7(),
        user_id: new.user_id,
        kind: new.kind,
        grant_id: new.grant_id,
        label: clean(&new.label),
        source_address: clean(&actor.source_address),
        created_at: tx.now,
        expires_at: new.expires_at,
        last_used_at: tx.now,
        revoked_at: None,
    };
    on_tx!(tx, connection => sqlx::query(SQL)
        .bind(session.id)
        .bind(session.user_id)
        .bind(session.kind.as_str())
        .bind(session.grant_id)
        .bind(&session.label)
        .bind(&session.source_address)
        .bind(new.token_sha256.map(|hash| hash.to_vec()))
        .bind(session.created_at)
        .bind(session.expires_at)
        .execute(connection)
        .await
        .map(|_| ())?);
    if let Some(sha256) = new.refresh_sha256 {
        refresh::insert_refresh_token(tx, session.id, &sha256).await?;
    }
    let long_ago = tx.now - TimeDelta::days(KEPT_DAYS);
    on_tx!(tx, connection => sqlx::query(FORGET).bind(long_ago).execute(connection).await.map(|_| ())?);
    Ok(OpenedSession { session, role, doctor_id })
}

impl Database {
    /// Opens a session, with its audit record.
    ///
    /// # Errors
    /// [`DatabaseError::NotFound`] when the account is not active (any longer), or its password changed meanwhile.
    pub async fn create_session(
        &self,
        new: NewSession,
        actor: &AuditActor,
    ) -> Result<OpenedSession, DatabaseError> {
        let mut tx = self.begin().await?;
        let opened = insert_session(&mut tx, new, actor).await?;
        let actor = AuditActor {
            user_id: Some(opened.session.user_id),
            role: opened.role.as_str().to_owned(),
            ..actor.clone()
        };
        let mut record = AuditRecord::success(&actor, "create_session").about(opened.session.id);
        opened.session.kind.as_str().clone_into(&mut record.detail);
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await?;
        Ok(opened)
    }

    /// The live sessions of an account, the newest first.
    pub async fn sessions_of(&self, user_id: Uuid, limit: u32) -> Result<Vec<Session>, DatabaseError> {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM session WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 \
             ORDER BY created_at DESC LIMIT $3"
        ));
        let now = self.shared().clock.now();
        let found: Vec<Row> = on!(self, engine => sqlx::query_as(sql)
            .bind(user_id)
            .bind(now)
            .bind(i64::from(limit))
            .fetch_all(&engine.read)
            .await?);
        found.into_iter().map(TryInto::try_into).collect()
    }

    /// The session with that id, live or not.
    pub async fn session(&self, id: Uuid) -> Result<Option<Session>, DatabaseError> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM session WHERE id = $1"));
        let found: Option<Row> =
            on!(self, engine => sqlx::query_as(sql).bind(id).fetch_optional(&engine.read).await?);
        found.map(TryInto::try_into).transpose()
    }
}
