//! `POST /forwarding/queue/{id}/retry`: sends again what was given up.

use axum::{extract::State, http::StatusCode};
use service::http::problem::Problem;
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{ManageAes, Permit},
    state::AppState,
};

/// Send again what was given up
#[utoipa::path(
    post,
    path = "/forwarding/queue/{id}/retry",
    tag = "forwarding",
    security(("bearer" = ["manage_aes"])),
    params(("id" = Uuid, Path, description = "Instance on its way")),
    responses((status = 202, description = "It is sent again, as if it had never been tried"))
)]
pub async fn retry_forward(
    State(state): State<AppState>,
    permit: Permit<ManageAes>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<StatusCode, Problem> {
    let again = state.database().retry_forwards(Some(id), &permit.caller.actor()).await;
    if again.map_err(errors::database)? > 0 { Ok(StatusCode::ACCEPTED) } else { Err(Problem::not_found()) }
}
