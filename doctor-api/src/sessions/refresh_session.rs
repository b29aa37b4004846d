//! `POST /sessions/refresh`: a refresh token for the next access token (RFC 6749 6, RFC 9700 4.14).

use axum::extract::State;
use database::RefreshOutcome;
use serde::Deserialize;
use service::http::json::Json;
use service::{
    http::problem::Problem,
    identity::{REFRESH_TOKEN, Secret, sha256},
};
use utoipa::ToSchema;

use super::{
    Tokens,
    allowance::{give_back, of_address, take},
    create_session::SourceAddress,
    tokens,
};
use crate::{errors, input::json::JsonBody, state::AppState};

/// What continues a session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The refresh token that came last.
    #[schema(example = "mxr_...", format = Password)]
    refresh_token: String,
}

/// Go on
///
/// The answer holds a new refresh token; the one that was sent is spent. One that comes a second time ends the whole
/// session, because then somebody else has it too: sign in again.
#[utoipa::path(
    post,
    path = "/sessions/refresh",
    tag = "sessions",
    request_body = Refresh,
    responses(
        (status = 200, description = "The session goes on", body = Tokens),
        (status = 401, description = "The refresh token is not good (any longer): sign in again",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many of this address were not good: try again after Retry-After seconds",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn refresh_session(
    State(state): State<AppState>,
    source: SourceAddress,
    JsonBody(request): JsonBody<Refresh>,
) -> Result<Json<Tokens>, Problem> {
    continue_session(&state, &request.refresh_token, &source).await.map(Json)
}

/// Changes a refresh token for the next tokens. Those that are not good are limited by address.
pub async fn continue_session(
    state: &AppState,
    refresh_token: &str,
    source: &SourceAddress,
) -> Result<Tokens, Problem> {
    let tries = of_address(state, "refresh tokens of an address", source);
    take(state, &tries, "too many refresh tokens of this address were not good").await?;
    let new = Secret::generate(REFRESH_TOKEN).map_err(|error| Problem::internal(&error))?;
    let idle = state.issuer.config().session_idle();
    let (old, actor) = (sha256(refresh_token), source.actor());
    let outcome = state.database().refresh_session(&old, &new.sha256, idle, &actor).await;
    match outcome.map_err(errors::database)? {
        RefreshOutcome::Renewed(opened) => {
            give_back(state, &tries).await;
            tokens(state, opened, Some(new))
        }
        RefreshOutcome::Reused(_) | RefreshOutcome::Refused => {
            Err(Problem::unauthorized().detail("the refresh token is not good: sign in again"))
        }
    }
}
