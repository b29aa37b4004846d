//! Managing accounts: listing them, changing what they may do, service accounts, and people whom another issuer
//! proves. Whatever changes what an account may do takes its sessions back in the same transaction.

use model::access::Role;
use uuid::Uuid;

use crate::{
    AuditActor, AuditRecord, Database, DatabaseError, NewUser, SessionSet, User,
    audit::insert_audit,
    engine::Tx,
    session::revoke_sessions,
    text::clean,
    user::{COLUMNS, insert_user},
};

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserKind {
    /// Signs in with a password.
    Person,
    /// A program that proves a secret.
    Client,
    /// Proved by another issuer.
    External,
}

impl UserKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Person, Self::Client, Self::External];

    /// The word kept in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Client => "client",
            Self::External => "external",
        }
    }
}

/// A kind as the database keeps it.
#[derive(sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct UserKindText(String);

impl TryFrom<UserKindText> for UserKind {
    type Error = DatabaseError;
    fn try_from(text: UserKindText) -> Result<Self, DatabaseError> {
        let kind = Self::ALL.into_iter().find(|kind| kind.as_str() == text.0);
        kind.ok_or_else(|| DatabaseError::Corrupt("kind of an account".to_owned()))
    }
}

/// Which accounts.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// What they may do.
    pub role: Option<Role>,
    /// What they are.
    pub kind: Option<UserKind>,
    /// May sign in, or not.
    pub active: Option<bool>,
    /// Most rows.
    pub limit: u32,
    /// Rows to leave out.
    pub offset: u64,
}

/// What to change about an account; `None` leaves it.
#[derive(Clone, Default)]
pub struct UserChanges {
    /// May sign in.
    pub active: Option<bool>,
    /// What it may do.
    pub role: Option<Role>,
    /// The doctor it belongs to.
    pub doctor_id: Option<Option<Uuid>>,
    /// Argon2id hash in PHC form, or the hash of a secret.
    pub password_hash: Option<String>,
}

/// One record for each thing that differs: whoever asks for an account to be as it is now, and of another role, has not activated
/// it. When nothing differs its sessions end all the same, and that is told.
fn change_records(user: &User, changed: &User, actor: &AuditActor) -> Vec<AuditRecord> {
    let record = |action| AuditRecord::success(actor, action).about(user.id);
    let mut records = Vec::new();
    if user.active != changed.active {
        records.push(record(if changed.active { "activate_user" } else { "deactivate_user" }));
    }
    if (user.role, user.doctor_id) != (changed.role, changed.doctor_id) {
        records.push(record("update_user").saying(rights_change(user, changed)));
    }
    if user.password_hash != changed.password_hash {
        records.push(record("set_password"));
    }
    if records.is_empty() {
        records.push(record("update_user").saying("nothing differs"));
    }
    records
}

/// Roles and doctors, before and after.
fn rights_change(user: &User, changed: &User) -> String {
    let doctor = |user: &User| user.doctor_id.map_or_else(|| "none".to_owned(), |id| id.to_string());
    format!(
        "role {} -> {}, doctor {} -> {}",
        user.role.as_str(),
        changed.role.as_str(),
        doctor(user),
        doctor(changed)
    )
}

impl Database {
    /// Accounts by name.
    pub async fn users(&self, filter: &UserFilter) -> Result<Vec<User>, DatabaseError> {
        let sql = sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE ($1 = '' OR role = $1) AND ($2 = '' OR kind = $2) \
             AND ($3 = 0 OR active = ($3 = 1)) ORDER BY username_folded LIMIT $4 OFFSET $5"
        ));
        let active = filter.active.map_or(0_i64, |active| if active { 1 } else { 2 });
        Ok(on!(self, engine => sqlx::query_as(sql)
            .bind(filter.role.map_or("", Role::as_str))
            .bind(filter.kind.map_or("", UserKind::as_str))
            .bind(active)
            .bind(i64::from(filter.limit))
            .bind(i64::try_from(filter.offset).unwrap_or(i64::MAX))
            .fetch_all(&engine.read)
            .await?))
    }

    /// Changes an account and takes its sessions back.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when no administrator would be left who can sign in.
    pub async fn change_user(
        &self,
        id: Uuid,
        changes: UserChanges,
        actor: &AuditActor,
    ) -> Result<User, DatabaseError> {
        let mut tx = self.begin().await?;
        let user = hold_user(&mut tx, id).await?.ok_or(DatabaseError::NotFound)?;
        let changed = User {
            active: changes.active.unwrap_or(user.active),
            role: changes.role.unwrap_or(user.role),
            doctor_id: changes.doctor_id.unwrap_or(user.doctor_id),
            password_hash: changes.password_hash.unwrap_or_else(|| user.password_hash.clone()),
            updated_at: tx.now,
            ..user.clone()
        };
        update_user(&mut tx, &changed).await?;
        let was_admin = user.active && user.role == Role::Admin;
        if was_admin && !(changed.active && changed.role == Role::Admin) && !is_administered(&mut tx).await? {
            return Err(DatabaseError::Conflict("no administrator would be left".to_owned()));
        }
        let records = change_records(&user, &changed, actor);
        let reasons: Vec<&str> = records.iter().map(|record| record.action.as_str()).collect();
        let reason = reasons.join(", ");
        insert_audit(&mut tx, &records).await?;
        revoke_sessions(&mut tx, SessionSet::OfUser(id), &reason, actor).await?;
        self.commit(tx).await?;
        Ok(changed)
    }

    /// Makes a service account; `secret_hash` is what [`User::password_hash`] will be.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when the name is taken.
    pub async fn create_client(
        &self,
        name: &str,
        secret_hash: String,
        role: Role,
        actor: &AuditActor,
    ) -> Result<User, DatabaseError> {
        let mut tx = self.begin().await?;
        let new = NewUser { username: name.to_owned(), password_hash: secret_hash, role, doctor_id: None };
        let mut user = insert_user(&mut tx, new, actor).await?;
        set_kind(&mut tx, user.id, UserKind::Client, "", "").await?;
        user.kind = UserKind::Client;
        self.commit(tx).await?;
        Ok(user)
    }

    /// The account of somebody whom another issuer proves.
    pub async fn find_external_user(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<User>, DatabaseError> {
        let sql =
            sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE external_issuer = $1 AND external_subject = $2"));
        let (issuer, subject) = (clean(issuer), clean(subject));
        Ok(on!(self, engine =>
            sqlx::query_as(sql).bind(issuer).bind(subject).fetch_optional(&engine.read).await?))
    }

    /// Makes the account of somebody whom another issuer proves. Two that do so at once get the same account.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when the name is taken by somebody else.
    pub async fn create_external_user(
        &self,
        username: &str,
        (issuer, subject): (&str, &str),
        role: Role,
        doctor_id: Option<Uuid>,
        actor: &AuditActor,
    ) -> Result<User, DatabaseError> {
        let made = self.try_create_external_user(username, (issuer, subject), role, doctor_id, actor).await;
        match made {
            Err(DatabaseError::Conflict(why)) => match self.find_external_user(issuer, subject).await? {
                Some(user) => Ok(user),
                None => Err(DatabaseError::Conflict(why)),
            },
            other => other,
        }
    }

    async fn try_create_external_user(
        &self,
        username: &str,
        (issuer, subject): (&str, &str),
        role: Role,
        doctor_id: Option<Uuid>,
        actor: &AuditActor,
    ) -> Result<User, DatabaseError> {
        let mut tx = self.begin().await?;
        let new = NewUser { username: username.to_owned(), password_hash: String::new(), role, doctor_id };
        let mut user = insert_user(&mut tx, new, actor).await?;
        match set_kind(&mut tx, user.id, UserKind::External, &clean(issuer), &clean(subject)).await {
            Err(error) if error.is_unique_violation() => {
                return Err(DatabaseError::Conflict("the subject has an account".to_owned()));
            }
            other => other?,
        }
        user.kind = UserKind::External;
        self.commit(tx).await?;
        Ok(user)
    }
}

/// The account, whose row nobody else changes before this transaction ends.
async fn hold_user(tx: &mut Tx, id: Uuid) -> Result<Option<User>, DatabaseError> {
    const HOLD: &str = "UPDATE users SET updated_at = updated_at WHERE id = $1";
    on_tx!(tx, connection => sqlx::query(HOLD).bind(id).execute(connection).await.map(|_| ())?);
    let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1"));
    Ok(on_tx!(tx, connection => sqlx::query_as(sql).bind(id).fetch_optional(connection).await?))
}

async fn update_user(tx: &mut Tx, user: &User) -> Result<(), DatabaseError> {
    const SQL: &str = "UPDATE users SET active = $2, role = $3, doctor_id = $4, password_hash = $5, updated_at = $6 \
        WHERE id = $1";
    let updated: Result<(), DatabaseError> = on_tx!(tx, connection => sqlx::query(SQL)
        .bind(user.id)
        .bind(user.active)
        .bind(user.role.as_str())
        .bind(user.doctor_id)
        .bind(&user.password_hash)
        .bind(user.updated_at)
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(DatabaseError::from));
    match updated {
        Err(error) if error.is_foreign_key_violation() => Err(DatabaseError::NotFound),
        other => other,
    }
}

/// Whether somebody could still manage this house.
async fn is_administered(tx: &mut Tx) -> Result<bool, DatabaseError> {
    const SQL: &str = "SELECT COUNT(*) FROM users WHERE role = 'admin' AND active";
    let count: i64 = on_tx!(tx, connection => sqlx::query_scalar(SQL).fetch_one(connection).await?);
    Ok(count > 0)
}

async fn set_kind(
    tx: &mut Tx,
    id: Uuid,
    kind: UserKind,
    issuer: &str,
    subject: &str,
) -> Result<(), DatabaseError> {
    const SQL: &str = "UPDATE users SET kind = $2, external_issuer = $3, external_subject = $4 WHERE id = $1";
    on_tx!(tx, connection => sqlx::query(SQL)
        .bind(id)
        .bind(kind.as_str())
        .bind(issuer)
        .bind(subject)
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(DatabaseError::from))
}
