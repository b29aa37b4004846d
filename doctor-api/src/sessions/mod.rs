//! Signing in, going on with a refresh token, seeing one's sessions, and ending them.

pub mod allowance;
pub mod change_password;
pub mod create_session;
pub mod current_session;
pub mod end_current_session;
pub mod end_session;
pub mod list_sessions;
pub mod refresh_session;

use database::OpenedSession;
use model::access::Principal;
use serde::Serialize;
use service::{http::problem::Problem, identity::Secret};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{policy::Caller, state::AppState};

/// An access token, and the refresh token that brings the next one.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    /// Send it as `Authorization: Bearer ...`.
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds for which the access token is good.
    #[schema(example = 900)]
    expires_in: u32,
    /// Good once, for `POST /sessions/refresh`. Used a second time it ends the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// The session, by which it can be ended.
    session_id: Uuid,
    /// What the account is.
    #[schema(example = "doctor")]
    role: &'static str,
    /// The doctor the account belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    doctor_id: Option<Uuid>,
}

/// The answer that opens or continues a session.
pub fn tokens(state: &AppState, opened: OpenedSession, refresh: Option<Secret>) -> Result<Tokens, Problem> {
    let OpenedSession { session, role, doctor_id } = opened;
    let principal =
        Principal { session_id: Some(session.id), ..Principal::new(session.user_id, role, doctor_id) };
    // Nothing outlives its session.
    let left = (session.expires_at - state.clock.now()).num_seconds().clamp(1, i64::from(u32::MAX));
    let lifetime = state.issuer.config().access_token_lifetime_seconds.min(left as u32);
    let token = state.issuer.issue_for(&principal, lifetime).map_err(|error| Problem::internal(&error))?;
    Ok(Tokens {
        access_token: token.access_token,
        token_type: "Bearer",
        expires_in: token.expires_in,
        refresh_token: refresh.map(|secret| secret.text),
        session_id: session.id,
        role: role.as_str(),
        doctor_id,
    })
}

/// A token that was made for one purpose does not manage the sessions of whoever made it.
fn must_be_own_sign_in(caller: &Caller) -> Result<(), Problem> {
    if caller.principal.grant.is_some() { Err(Problem::forbidden()) } else { Ok(()) }
}
