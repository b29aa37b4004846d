//! `DELETE /aes/{id}`: refuses a machine from now on.

use axum::{extract::State, http::StatusCode};
use service::http::problem::Problem;
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{ManageAes, Permit},
    state::AppState,
};

/// Remove a registered application entity
#[utoipa::path(
    delete,
    path = "/aes/{id}",
    tag = "aes",
    security(("bearer" = ["manage_aes"])),
    params(("id" = Uuid, Path, description = "Application entity")),
    responses((status = 204, description = "It is refused from now on, and within five seconds in associations that are open, in the \
                                            middle of a C-FIND, C-GET or C-MOVE, too"))
)]
pub async fn delete_ae(
    State(state): State<AppState>,
    permit: Permit<ManageAes>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<StatusCode, Problem> {
    let removed = state.database().remove_ae(id, &permit.caller.actor()).await.map_err(errors::database)?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}
