//! `PUT /sessions/current/password`: one's own new password, against the old one.

use axum::{extract::State, http::StatusCode};
use database::UserChanges;
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::ToSchema;

use super::{
    create_session::{SourceAddress, prove_password},
    must_be_own_sign_in,
};
use crate::{
    errors,
    input::{check::Checks, json::JsonBody},
    policy::Caller,
    state::AppState,
    users::{check_password, hash},
};

/// Old and new.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The password until now.
    #[schema(format = Password)]
    current_password: String,
    /// At least 12 characters.
    #[schema(example = "correct horse battery staple", min_length = 12, format = Password)]
    new_password: String,
}

/// Change one's own password
///
/// Every session of the account ends, this one too: sign in again.
#[utoipa::path(
    put,
    path = "/sessions/current/password",
    tag = "sessions",
    security(("bearer" = [])),
    request_body = ChangePassword,
    responses(
        (status = 204, description = "Changed"),
        (status = 429, description = "Too many failed attempts: try again after Retry-After seconds",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn change_password(
    State(state): State<AppState>,
    caller: Caller,
    source: SourceAddress,
    JsonBody(request): JsonBody<ChangePassword>,
) -> Result<StatusCode, Problem> {
    must_be_own_sign_in(&caller)?;
    let mut checks = Checks::new();
    check_password(&mut checks, "new_password", &request.new_password);
    checks.finish()?;
    let user = state.database().user(caller.principal.user_id).await.map_err(errors::database)?;
    let user = user.ok_or_else(Problem::not_found)?;
    let proved = prove_password(&state, &user.username, request.current_password, &source).await;
    let user = proved.map_err(|problem| match problem.status {
        // The token is good: a 401 would tell programs to sign in again.
        401 => Problem::unprocessable().field("current_password", "is wrong"),
        _ => problem,
    })?;
    let password_hash = Some(hash(&state, "new_password", request.new_password).await?);
    let changes = UserChanges { password_hash, ..UserChanges::default() };
    state.database().change_user(user.id, changes, &caller.actor()).await.map_err(errors::database)?;
    Ok(StatusCode::NO_CONTENT)
}
