//! `DELETE /users/{id}/sessions`: every token of an account is refused from now on; it may sign in again.

use axum::extract::State;
use database::SessionSet;
use serde::Serialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{ManageUsers, Permit},
    state::AppState,
};

/// How many sessions were ended.
#[derive(Serialize, ToSchema)]
pub struct EndedSessions {
    /// Live ones that are not any more, devices among them.
    ended: usize,
}

/// End every session of an account
#[utoipa::path(
    delete,
    path = "/users/{id}/sessions",
    tag = "users",
    security(("bearer" = ["manage_users"])),
    params(("id" = Uuid, Path, description = "Account")),
    responses((status = 200, description = "Ended", body = EndedSessions))
)]
pub async fn end_user_sessions(
    State(state): State<AppState>,
    permit: Permit<ManageUsers>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<Json<EndedSessions>, Problem> {
    let set = SessionSet::OfUser(id);
    let ended = state.database().revoke_sessions(set, "by an administrator", &permit.caller.actor()).await;
    Ok(Json(EndedSessions { ended: ended.map_err(errors::database)? }))
}
