//! `POST /sessions`: a user name and a password for an access token (RFC 6749 5.1 in the form of the answer).

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use database::{AuditActor, DatabaseError, NewSession, SessionKind, User};
use serde::Deserialize;
use service::http::json::Json;
use service::{
    http::{problem::Problem, request_id},
    identity::{Attempting, REFRESH_TOKEN, Secret, SignInRefused},
};
use utoipa::ToSchema;

use super::{Tokens, tokens};
use crate::{
    errors,
    input::{check::Checks, json::JsonBody},
    state::AppState,
};

/// Longest user name in characters.
pub const USERNAME_LENGTH_MAX: usize = 64;

/// What signs an account in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// User name.
    #[schema(example = "dr.ada", max_length = 64)]
    username: String,
    /// Password.
    #[schema(example = "correct horse battery staple", format = Password)]
    password: String,
}

/// Sign in
///
/// Failed attempts are limited by user name and by address, restarts included; a success does not count. The access
/// token is good for some minutes; `POST /sessions/refresh` brings the next one.
#[utoipa::path(
    post,
    path = "/sessions",
    tag = "sessions",
    request_body = Credentials,
    responses(
        (status = 201, description = "Signed in", body = Tokens),
        (status = 401, description = "The user name or the password is wrong", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 429, description = "Too many failed attempts: try again after Retry-After seconds",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create_session(
    State(state): State<AppState>,
    source: SourceAddress,
    JsonBody(credentials): JsonBody<Credentials>,
) -> Result<(StatusCode, Json<Tokens>), Problem> {
    let mut checks = Checks::new();
    checks.filled_line("username", &credentials.username, USERNAME_LENGTH_MAX);
    checks.finish()?;
    let user = prove_password(&state, &credentials.username, credentials.password, &source).await?;
    let tokens = open_session(&state, &user, &source.actor()).await?;
    Ok((StatusCode::CREATED, Json(tokens)))
}

/// The account, if the password is its own; failures are limited and audited.
///
/// # Errors
/// 401, the same for a wrong password, an unknown name and an account that may not sign in; 429.
pub async fn prove_password(
    state: &AppState,
    username: &str,
    password: String,
    source: &SourceAddress,
) -> Result<User, Problem> {
    state.sign_in.prove_password(username, password, source.attempting()).await.map_err(errors::sign_in)
}

/// Opens a session for an account whose password was right a moment ago.
async fn open_session(state: &AppState, user: &User, actor: &AuditActor) -> Result<Tokens, Problem> {
    let refresh = Secret::generate(REFRESH_TOKEN).map_err(|error| Problem::internal(&error))?;
    let expires_at = state.clock.now() + state.issuer.config().session_lifetime();
    let new = NewSession {
        password_hash: Some(user.password_hash.clone()),
        refresh_sha256: Some(refresh.sha256),
        ..NewSession::new(user.id, SessionKind::Password, expires_at)
    };
    let opened = state.database().create_session(new, actor).await.map_err(|error| match error {
        // Deactivated, or its password changed, since the password was checked.
        DatabaseError::NotFound => wrong(),
        other => errors::database(other),
    })?;
    tokens(state, opened, Some(refresh))
}

fn wrong() -> Problem {
    errors::sign_in(SignInRefused::Wrong)
}

/// Address of the peer, when the server was started so that it is known.
pub struct SourceAddress(pub Option<IpAddr>);

impl SourceAddress {
    /// Somebody from there whose identity is not proved yet.
    pub fn actor(&self) -> AuditActor {
        AuditActor {
            source_address: self.0.map_or_else(String::new, |address| address.to_string()),
            request_id: request_id::current().unwrap_or_default(),
            ..AuditActor::default()
        }
    }

    /// The same, about to prove it.
    pub fn attempting(&self) -> Attempting {
        Attempting { address: self.0, actor: self.actor(), action: "create_session" }
    }
}

impl<S: Sync> FromRequestParts<S> for SourceAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(connected.map(|ConnectInfo(address)| address.ip().to_canonical())))
    }
}
