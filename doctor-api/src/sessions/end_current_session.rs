//! `DELETE /sessions/current`: sign out.

use axum::{extract::State, http::StatusCode};
use service::http::problem::Problem;

use crate::{errors, policy::Caller, state::AppState};

/// Sign out
///
/// Every token of the session is refused from now on, the refresh token too.
#[utoipa::path(
    delete,
    path = "/sessions/current",
    tag = "sessions",
    security(("bearer" = [])),
    responses((status = 204, description = "Signed out"))
)]
pub async fn end_current_session(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    // A token of another issuer has no session here: that issuer has to end it.
    let session_id = caller.principal.session_id.ok_or_else(Problem::not_found)?;
    let ended = state.database().revoke_session(session_id, "signed out", &caller.actor()).await;
    ended.map_err(errors::database)?;
    Ok(StatusCode::NO_CONTENT)
}
