//! `DELETE /sessions/{id}`: end a session, on a lost telephone for one.

use axum::{extract::State, http::StatusCode};
use model::access::Action;
use service::http::problem::Problem;
use uuid::Uuid;

use super::must_be_own_sign_in;
use crate::{errors, input::path::PathParameters, policy::Caller, state::AppState};

/// End a session
///
/// One of one's own; an administrator ends anybody's.
#[utoipa::path(
    delete,
    path = "/sessions/{id}",
    tag = "sessions",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Session")),
    responses((status = 204, description = "Every token of it is refused from now on"))
)]
pub async fn end_session(
    State(state): State<AppState>,
    caller: Caller,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<StatusCode, Problem> {
    must_be_own_sign_in(&caller)?;
    let session = state.database().session(id).await.map_err(errors::database)?;
    let session = session.ok_or_else(Problem::not_found)?;
    let reason = if session.user_id == caller.principal.user_id {
        "ended by its owner"
    } else if caller.principal.authorize(Action::ManageUsers).is_ok() {
        "by an administrator"
    } else {
        return Err(Problem::not_found());
    };
    let ended = state.database().revoke_session(id, reason, &caller.actor()).await;
    if ended.map_err(errors::database)? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}
