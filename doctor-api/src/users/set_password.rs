//! `PUT /users/{id}/password`: an administrator sets a new password.

use axum::{extract::State, http::StatusCode};
use database::{UserChanges, UserKind};
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{check_password, hash, refused};
use crate::{
    errors,
    input::{check::Checks, json::JsonBody, path::PathParameters},
    policy::{ManageUsers, Permit},
    state::AppState,
};

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPassword {
    /// At least 12 characters.
    #[schema(example = "correct horse battery staple", min_length = 12, format = Password)]
    password: String,
}

/// Set an account's password
///
/// Every session of the account ends.
#[utoipa::path(
    put,
    path = "/users/{id}/password",
    tag = "users",
    security(("bearer" = ["manage_users"])),
    params(("id" = Uuid, Path, description = "Account")),
    request_body = SetPassword,
    responses(
        (status = 204, description = "Set"),
        (status = 409, description = "The account does not sign in with a password",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn set_password(
    State(state): State<AppState>,
    permit: Permit<ManageUsers>,
    PathParameters(id): PathParameters<Uuid>,
    JsonBody(request): JsonBody<SetPassword>,
) -> Result<StatusCode, Problem> {
    let mut checks = Checks::new();
    check_password(&mut checks, "password", &request.password);
    checks.finish()?;
    let user = state.database().user(id).await.map_err(errors::database)?.ok_or_else(Problem::not_found)?;
    if user.kind != UserKind::Person {
        return Err(Problem::conflict("this account does not sign in with a password"));
    }
    let password_hash = Some(hash(&state, "password", request.password).await?);
    let changes = UserChanges { password_hash, ..UserChanges::default() };
    state.database().change_user(id, changes, &permit.caller.actor()).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}
