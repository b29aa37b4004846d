//! Accounts, managed by an administrator. No answer ever holds a password or its hash.

pub mod create_user;
pub mod deactivate_user;
pub mod end_user_sessions;
pub mod get_user;
pub mod list_user_sessions;
pub mod list_users;
pub mod set_password;
pub mod update_user;

use chrono::{DateTime, Utc};
use database::{DatabaseError, User};
use model::access::Role;
use serde::Serialize;
use service::{
    http::problem::Problem,
    identity::{PASSWORD_LENGTH_MIN, PasswordError, hash_password},
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{errors, input::check::Checks, sessions::create_session::USERNAME_LENGTH_MAX, state::AppState};

/// An account.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserBody {
    /// Identity; `sub` of its tokens, `client_id` of a service account.
    id: Uuid,
    /// Name.
    username: String,
    /// `person` (password), `client` (service account), `external` (another issuer).
    #[schema(example = "person")]
    kind: &'static str,
    /// What it may do.
    #[schema(example = "viewer")]
    role: &'static str,
    /// The doctor it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    doctor_id: Option<Uuid>,
    /// May sign in.
    active: bool,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            username: user.username,
            kind: user.kind.as_str(),
            role: user.role.as_str(),
            doctor_id: user.doctor_id,
            active: user.active,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// The role of that name; refused otherwise, and an empty one too.
fn role(checks: &mut Checks, text: &str) -> Option<Role> {
    let role = text.parse().ok();
    checks.require(role.is_some(), "role", "is one of admin, doctor, paramedic, viewer, service");
    role
}

/// A doctor's account belongs to a doctor, and no other does.
fn check_doctor(checks: &mut Checks, role: Option<Role>, doctor_id: Option<Uuid>) {
    match role {
        Some(Role::Doctor) => {
            checks.require(doctor_id.is_some(), "doctor_id", "is needed with the role doctor");
        }
        Some(_) => checks.require(doctor_id.is_none(), "doctor_id", "belongs to the role doctor only"),
        None => {}
    }
}

/// A service account can be no administrator and no doctor: nobody sits before it.
fn check_client_role(checks: &mut Checks, role: Option<Role>) {
    let fits = role.is_none_or(|role| matches!(role, Role::Service | Role::Viewer));
    checks.require(fits, "role", "is one of service, viewer for a service account");
}

/// A name that can be typed and told apart.
pub fn check_username(checks: &mut Checks, field: &str, name: &str) {
    checks.filled_line(field, name, USERNAME_LENGTH_MAX);
    let plain = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@'));
    checks.require(plain, field, "may hold letters, digits and . _ - @ only");
}

/// Long enough; how long at most is said by the hash.
pub fn check_password(checks: &mut Checks, field: &str, password: &str) {
    if password.chars().count() < PASSWORD_LENGTH_MIN {
        checks.refuse(field, format!("must have at least {PASSWORD_LENGTH_MIN} characters"));
    }
}

/// Hashes a new password on a blocking thread.
pub async fn hash(state: &AppState, field: &str, password: String) -> Result<String, Problem> {
    let turn = state.sign_in.turn().await.ok_or_else(|| Problem::unavailable("the server stops"))?;
    let hash = tokio::task::spawn_blocking(move || hash_password(&password)).await;
    drop(turn);
    hash.map_err(|error| Problem::internal(&error))?.map_err(|error| match error {
        PasswordError::Length => Problem::unprocessable().field(field, error.to_string()),
        PasswordError::Hash(_) => Problem::internal(&error),
    })
}

/// What a change of an account can meet.
fn refused(error: DatabaseError) -> Problem {
    match error {
        DatabaseError::Conflict(why) => Problem::conflict(why),
        other => errors::database(other),
    }
}
