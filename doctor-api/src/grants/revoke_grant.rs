//! `DELETE /grants/{id}`: takes a grant back.

use axum::{extract::State, http::StatusCode};
use service::http::problem::Problem;
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{ManageGrants, Permit},
    state::AppState,
};

/// Take a grant back
///
/// It counts no more, at once.
#[utoipa::path(
    delete,
    path = "/grants/{id}",
    tag = "grants",
    security(("bearer" = ["manage_grants"])),
    params(("id" = Uuid, Path, description = "Grant")),
    responses((status = 204, description = "Taken back"))
)]
pub async fn revoke_grant(
    State(state): State<AppState>,
    permit: Permit<ManageGrants>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<StatusCode, Problem> {
    let revoked = state.database().revoke_grant(id, &permit.caller.actor()).await;
    if revoked.map_err(errors::database)? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}
