//! `DELETE /users/{id}`: the account may not sign in any more. Its row stays: the audit trail names it.

use axum::{extract::State, http::StatusCode};
use database::UserChanges;
use service::http::problem::Problem;
use uuid::Uuid;

use super::refused;
use crate::{
    input::path::PathParameters,
    policy::{ManageUsers, Permit},
    state::AppState,
};

/// Deactivate an account
///
/// Every token of it is refused within five seconds on every door of every node.
#[utoipa::path(
    delete,
    path = "/users/{id}",
    tag = "users",
    security(("bearer" = ["manage_users"])),
    params(("id" = Uuid, Path, description = "Account")),
    responses(
        (status = 204, description = "Deactivated"),
        (status = 409, description = "No administrator would be left", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn deactivate_user(
    State(state): State<AppState>,
    permit: Permit<ManageUsers>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<StatusCode, Problem> {
    let changes = UserChanges { active: Some(false), ..UserChanges::default() };
    state.database().change_user(id, changes, &permit.caller.actor()).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}
