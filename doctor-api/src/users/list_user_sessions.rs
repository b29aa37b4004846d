//! `GET /users/{id}/sessions`: where an account is signed in.

use axum::extract::State;
use service::http::{json::Json, problem::Problem};
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{ManageUsers, Permit},
    sessions::list_sessions::{LISTED_MAX, SessionBody},
    state::AppState,
};

/// List an account's live sessions
#[utoipa::path(
    get,
    path = "/users/{id}/sessions",
    tag = "users",
    security(("bearer" = ["manage_users"])),
    params(("id" = Uuid, Path, description = "Account")),
    responses((status = 200, description = "The newest first", body = [SessionBody]))
)]
pub async fn list_user_sessions(
    State(state): State<AppState>,
    permit: Permit<ManageUsers>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<Json<Vec<SessionBody>>, Problem> {
    let found = state.database().sessions_of(id, LISTED_MAX).await.map_err(errors::database)?;
    Ok(Json(found.into_iter().map(|session| SessionBody::new(session, &permit.caller)).collect()))
}
