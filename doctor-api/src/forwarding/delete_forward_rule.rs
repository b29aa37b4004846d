//! `DELETE /forwarding/rules/{id}`: a rule counts no more, and what waits by it is not sent.

use axum::{extract::State, http::StatusCode};
use service::http::problem::Problem;
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{ManageAes, Permit},
    state::AppState,
};

/// Remove a rule of forwarding
#[utoipa::path(
    delete,
    path = "/forwarding/rules/{id}",
    tag = "forwarding",
    security(("bearer" = ["manage_aes"])),
    params(("id" = Uuid, Path, description = "Rule")),
    responses((status = 204, description = "It counts no more, and what waits by it is not sent"))
)]
pub async fn delete_forward_rule(
    State(state): State<AppState>,
    permit: Permit<ManageAes>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<StatusCode, Problem> {
    let removed = state.database().remove_forward_rule(id, &permit.caller.actor()).await;
    let removed = removed.map_err(errors::database)?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}
