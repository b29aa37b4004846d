//! Accounts that log in with a password.

use chrono::{DateTime, Utc};
use model::{access::Role, text::fold};
use uuid::Uuid;

use crate::{
    AuditActor, AuditRecord, Database, DatabaseError, UserChanges, UserKind, account::UserKindText,
    audit::insert_audit, engine::Tx, text::clean,
};

/// An account.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct User {
    /// Identity; `sub` of tokens.
    pub id: Uuid,
    /// Name to log in with.
    pub username: String,
    /// Argon2id hash in PHC form.
    pub password_hash: String,
    /// What the account may do.
    #[sqlx(try_from = "RoleText")]
    pub role: Role,
    /// The doctor it belongs to.
    pub doctor_id: Option<Uuid>,
    /// What it is.
    #[sqlx(try_from = "UserKindText")]
    pub kind: UserKind,
    /// False when it may not log in any more.
    pub active: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("id", &self.id).field("role", &self.role).finish_non_exhaustive()
    }
}

/// A role as the database keeps it.
#[derive(sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct RoleText(String);

impl TryFrom<RoleText> for Role {
    type Error = model::access::UnknownRole;
    fn try_from(text: RoleText) -> Result<Self, Self::Error> {
        text.0.parse()
    }
}

/// An account to be made.
#[derive(Clone)]
pub struct NewUser {
    /// Name to log in with; unique without case and accents.
    pub username: String,
    /// Argon2id hash in PHC form.
    pub password_hash: String,
    /// What the account may do.
    pub role: Role,
    /// The doctor it belongs to; `create_doctor` sets it.
    pub doctor_id: Option<Uuid>,
}

pub(crate) const COLUMNS: &str =
    "SELECT id, username, password_hash, role, doctor_id, kind, active, created_at, updated_at FROM users";

/// A name to log in with as it is looked up: names that give the same text are one account, also where attempts are counted.
pub fn folded_username(username: &str) -> String {
    fold(&clean(username))
}

/// Makes an account and its audit record.
pub(crate) async fn insert_user(
    tx: &mut Tx,
    new: NewUser,
    actor: &AuditActor,
) -> Result<User, DatabaseError> {
    const SQL: &str = "INSERT INTO users (id, username, username_folded, password_hash, role, doctor_id, active, \
        created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)";
    let user = User {
        id: Uuid::now_v7(),
        username: clean(&new.username),
        password_hash: new.password_hash,
        role: new.role,
        doctor_id: new.doctor_id,
        kind: UserKind::Person,
        active: true,
        created_at: tx.now,
        updated_at: tx.now,
    };
    let inserted: Result<(), DatabaseError> = on_tx!(tx, connection => sqlx::query(SQL)
        .bind(user.id)
        .bind(&user.username)
        .bind(folded_username(&user.username))
        .bind(&user.password_hash)
        .bind(user.role.as_str())
        .bind(user.doctor_id)
        .bind(user.active)
        .bind(user.created_at)
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(DatabaseError::from));
    match inserted {
        Err(error) if error.is_unique_violation() => {
            return Err(DatabaseError::Conflict("the username is taken".to_owned()));
        }
        Err(error) if error.is_foreign_key_violation() => return Err(DatabaseError::NotFound),
        other => other?,
    }
    insert_audit(tx, &[AuditRecord::success(actor, "create_user").about(user.id)]).await?;
    Ok(user)
}

impl Database {
    /// Makes an account.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when the username is taken.
    pub async fn create_user(&self, user: NewUser, actor: &AuditActor) -> Result<User, DatabaseError> {
        let mut tx = self.begin().await?;
        let user = insert_user(&mut tx, user, actor).await?;
        self.commit(tx).await?;
        Ok(user)
    }

    /// The account of that name, without case and accents.
    pub async fn find_user(&self, username: &str) -> Result<Option<User>, DatabaseError> {
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE username_folded = $1"));
        let folded = folded_username(username);
        Ok(on!(self, engine => sqlx::query_as(sql).bind(folded).fetch_optional(&engine.read).await?))
    }

    /// The account with that id.
    pub async fn user(&self, id: Uuid) -> Result<Option<User>, DatabaseError> {
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1"));
        Ok(on!(self, engine => sqlx::query_as(sql).bind(id).fetch_optional(&engine.read).await?))
    }

    /// How many accounts there are.
    pub async fn user_count(&self) -> Result<u64, DatabaseError> {
        let count: i64 = on!(self, engine =>
            sqlx::query_scalar("SELECT COUNT(*) FROM users").fetch_one(&engine.read).await?);
        Ok(count.unsigned_abs())
    }

    /// Changes a password, and takes every session of the account back.
    pub async fn set_password_hash(
        &self,
        id: Uuid,
        password_hash: &str,
        actor: &AuditActor,
    ) -> Result<(), DatabaseError> {
        let changes = UserChanges { password_hash: Some(password_hash.to_owned()), ..UserChanges::default() };
        self.change_user(id, changes, actor).await.map(|_| ())
    }
}
