//! `GET /users/{id}`.

use axum::extract::State;
use service::http::{json::Json, problem::Problem};
use uuid::Uuid;

use super::UserBody;
use crate::{
    errors,
    input::path::PathParameters,
    policy::{ManageUsers, Permit},
    state::AppState,
};

/// Read an account
#[utoipa::path(
    get,
    path = "/users/{id}",
    tag = "users",
    security(("bearer" = ["manage_users"])),
    params(("id" = Uuid, Path, description = "Account")),
    responses((status = 200, description = "The account", body = UserBody))
)]
pub async fn get_user(
    State(state): State<AppState>,
    _permit: Permit<ManageUsers>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<Json<UserBody>, Problem> {
    let user = state.database().user(id).await.map_err(errors::database)?;
    user.map(|user| Json(user.into())).ok_or_else(Problem::not_found)
}
