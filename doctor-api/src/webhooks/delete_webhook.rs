//! `DELETE /webhooks/{id}`: nothing more is sent there.

use axum::{extract::State, http::StatusCode};
use service::http::problem::Problem;
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{ManageWebhooks, Permit},
    state::AppState,
};

/// Delete a webhook and its deliveries
#[utoipa::path(
    delete,
    path = "/webhooks/{id}",
    tag = "webhooks",
    security(("bearer" = ["manage_webhooks"])),
    params(("id" = Uuid, Path, description = "Webhook")),
    responses((status = 204, description = "It is gone; what is being sent in this moment may still arrive"))
)]
pub async fn delete_webhook(
    State(state): State<AppState>,
    permit: Permit<ManageWebhooks>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<StatusCode, Problem> {
    let removed = state.database().remove_webhook(id, &permit.caller.actor()).await;
    if removed.map_err(errors::database)? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}
