//! `DELETE /doctors/{id}/availability/holds/{hold_id}`: gives a held time back before it expires.

use axum::{extract::State, http::StatusCode};
use service::http::problem::Problem;
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{CreateConsultation, Permit},
    state::AppState,
};

/// Give a held time back
///
/// Only the account that holds it can.
#[utoipa::path(
    delete,
    path = "/doctors/{id}/availability/holds/{hold_id}",
    tag = "availability",
    security(("bearer" = ["create_consultation"])),
    params(
        ("id" = Uuid, Path, description = "Doctor"),
        ("hold_id" = Uuid, Path, description = "Hold")
    ),
    responses((status = 204, description = "Free again"))
)]
pub async fn release_hold(
    State(state): State<AppState>,
    permit: Permit<CreateConsultation>,
    PathParameters((_doctor, hold)): PathParameters<(Uuid, Uuid)>,
) -> Result<StatusCode, Problem> {
    let released =
        state.database().release_hold(hold, &permit.caller.actor()).await.map_err(errors::database)?;
    if released { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}
