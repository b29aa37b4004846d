//! `POST /sessions`: a user name and a password for an access token (RFC 6749 5.1 in the form of the answer).

use std::net::{IpAddr, SocketAddr};

use axum::{
    Json,
    extract::{ConnectInfo, FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use database::User;
use model::{
    access::{Principal, Role},
    text::fold,
};
use serde::{Deserialize, Serialize};
use service::{
    http::{problem::Problem, request_id},
    identity::{generate_password, hash_password, verify_password},
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit,
    input::{check::Checks, json::JsonBody},
    policy::Caller,
    state::AppState,
};

/// Longest user name in characters.
pub const USERNAME_LENGTH_MAX: usize = 64;

/// How long a sign-in waits for its turn to have the password checked.
const TURN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

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

/// An access token.
#[derive(Serialize, ToSchema)]
pub struct Session {
    /// Send it as `Authorization: Bearer ...`.
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds for which it is good.
    #[schema(example = 900)]
    expires_in: u32,
    /// What the account is.
    #[schema(example = "doctor")]
    role: &'static str,
    /// The doctor the account belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    doctor_id: Option<Uuid>,
}

/// Sign in
///
/// Failed attempts are limited by user name and by address; a success does not count.
#[utoipa::path(
    post,
    path = "/sessions",
    tag = "sessions",
    request_body = Credentials,
    responses(
        (status = 201, description = "Signed in", body = Session),
        (status = 401, description = "The user name or the password is wrong", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 429, description = "Too many failed attempts: try again after Retry-After seconds",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create_session(
    State(state): State<AppState>,
    SourceAddress(source_address): SourceAddress,
    JsonBody(credentials): JsonBody<Credentials>,
) -> Result<(StatusCode, Json<Session>), Problem> {
    let mut checks = Checks::new();
    checks.filled_line("username", &credentials.username, USERNAME_LENGTH_MAX);
    checks.finish()?;
    let (user_key, address_key) = (fold(&credentials.username), network(source_address));
    let now = state.clock.now();
    state.sign_ins_by_address.take(&address_key, now).map_err(too_many)?;
    state.sign_ins_by_user.take(&user_key, now).map_err(too_many)?;

    let source_address = source_address.map_or_else(String::new, |address| address.to_string());
    let request_id = request_id::current().unwrap_or_default();
    let user = state.database().find_user(&credentials.username).await.map_err(crate::errors::database)?;
    if !password_fits(&state, user.as_ref(), credentials.password).await? {
        audit::sign_in_failed(&state, user.map(|user| user.id), source_address, request_id).await?;
        return Err(Problem::unauthorized().detail("the user name or the password is wrong"));
    }
    let user = user.ok_or_else(Problem::unauthorized)?;
    state.sign_ins_by_address.give_back(&address_key);
    state.sign_ins_by_user.give_back(&user_key);

    let principal = Principal::new(user.id, user.role, user.doctor_id);
    let token = state.issuer.issue(&principal).map_err(|error| Problem::internal(&error))?;
    audit::signed_in(&state, &Caller { principal, source_address, request_id }).await?;
    Ok((StatusCode::CREATED, Json(session(token, user.role, user.doctor_id))))
}

fn session(token: service::identity::IssuedToken, role: Role, doctor_id: Option<Uuid>) -> Session {
    Session {
        access_token: token.access_token,
        token_type: "Bearer",
        expires_in: token.expires_in,
        role: role.as_str(),
        doctor_id,
    }
}

/// Checks the password on a blocking thread; for an unknown user against a hash that nothing fits.
async fn password_fits(state: &AppState, user: Option<&User>, password: String) -> Result<bool, Problem> {
    let turn = tokio::time::timeout(TURN_TIMEOUT, state.password_checks.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return Err(Problem::unavailable("too many sign-ins at the same time"));
    };
    let known = user.map(|user| user.password_hash.clone());
    let active = user.is_some_and(|user| user.active);
    let state = state.clone();
    let check = move || {
        // Made before it is known whether it is needed: the first sign-in after a start tells nothing either.
        let stand_in = state.stand_in_hash.get_or_init(make_stand_in_hash);
        let fits = verify_password(&password, known.as_deref().unwrap_or(stand_in));
        fits && known.is_some() && active
    };
    tokio::task::spawn_blocking(check).await.map_err(|error| Problem::internal(&error))
}

fn make_stand_in_hash() -> String {
    generate_password().and_then(|password| hash_password(&password)).unwrap_or_default()
}

fn too_many(wait_seconds: u32) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS).detail("too many failed sign-ins").retry_after(wait_seconds)
}

/// What counts as one address: an IPv6 host has a whole /64 for itself.
fn network(address: Option<IpAddr>) -> String {
    match address {
        Some(IpAddr::V6(address)) => format!("{:x?}/64", &address.segments()[..4]),
        Some(address) => address.to_string(),
        None => "unknown".to_owned(),
    }
}

/// Address of the peer, when the server was started so that it is known.
pub struct SourceAddress(Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for SourceAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(connected.map(|ConnectInfo(address)| address.ip().to_canonical())))
    }
}
