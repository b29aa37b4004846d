//! `DELETE /sessions/{id}`: end one of one's own sessions, on a lost telephone for one.

use axum::{extract::State, http::StatusCode};
use service::http::problem::Problem;
use uuid::Uuid;

use super::must_be_own_sign_in;
use crate::{errors, input::path::PathParameters, policy::Caller, state::AppState};

/// End a session of one's own
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
    let own = session.filter(|session| session.user_id == caller.principal.user_id);
    own.ok_or_else(Problem::not_found)?;
    let ended = state.database().revoke_session(id, "ended by its owner", &caller.actor()).await;
    if ended.map_err(errors::database)? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}
