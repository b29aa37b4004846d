//! `DELETE /worklist/{id}`: takes back what was scheduled.

use axum::{extract::State, http::StatusCode};
use service::http::problem::Problem;
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{ManageWorklist, Permit},
    state::AppState,
};

/// Take back what is scheduled
#[utoipa::path(
    delete,
    path = "/worklist/{id}",
    tag = "worklist",
    security(("bearer" = ["manage_worklist"])),
    params(("id" = Uuid, Path, description = "Worklist item")),
    responses((status = 204, description = "No modality is told of it any more"))
)]
pub async fn delete_worklist_item(
    State(state): State<AppState>,
    permit: Permit<ManageWorklist>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<StatusCode, Problem> {
    let actor = permit.caller.actor();
    let deleted = state.database().delete_worklist_item(&permit.scope, id, &actor).await;
    if deleted.map_err(errors::database)? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}
