//! `GET /worklist/{id}`: one worklist item.

use axum::{extract::State, http::StatusCode, response::Response};
use service::http::problem::Problem;
use uuid::Uuid;

use super::{WorklistItemBody, answer};
use crate::{
    errors,
    input::path::PathParameters,
    policy::{Permit, ReadWorklist},
    state::AppState,
};

/// Show what is scheduled
#[utoipa::path(
    get,
    path = "/worklist/{id}",
    tag = "worklist",
    security(("bearer" = ["read_worklist"])),
    params(("id" = Uuid, Path, description = "Worklist item")),
    responses((status = 200, description = "The item with its steps", body = WorklistItemBody,
               headers(("ETag" = String, description = "Version, for If-Match"))))
)]
pub async fn get_worklist_item(
    State(state): State<AppState>,
    permit: Permit<ReadWorklist>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<Response, Problem> {
    let item = state.database().worklist_item(&permit.scope, id).await.map_err(errors::database)?;
    Ok(answer(StatusCode::OK, item.ok_or_else(Problem::not_found)?))
}
