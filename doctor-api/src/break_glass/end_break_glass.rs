//! `DELETE /break-glass/{id}`: ends the own emergency access before its time.

use axum::{extract::State, http::StatusCode};
use service::http::problem::Problem;
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{BreakGlass, Permit},
    state::AppState,
};

/// End an emergency access
#[utoipa::path(
    delete,
    path = "/break-glass/{id}",
    tag = "break-glass",
    security(("bearer" = ["break_glass"])),
    params(("id" = Uuid, Path, description = "Emergency access")),
    responses((status = 204, description = "Ended; its review still has to be done"))
)]
pub async fn end_break_glass(
    State(state): State<AppState>,
    permit: Permit<BreakGlass>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<StatusCode, Problem> {
    let caller = permit.caller.principal.user_id;
    let ended = state.database().end_break_glass(caller, id, &permit.caller.actor()).await;
    if ended.map_err(errors::database)? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}
