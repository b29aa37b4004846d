//! `POST /webhooks/{id}/test`: tries a webhook out.

use axum::{extract::State, http::StatusCode};
use service::http::{json::Json, problem::Problem};
use uuid::Uuid;

use super::DeliveryBody;
use crate::{
    errors,
    input::path::PathParameters,
    policy::{ManageWebhooks, Permit},
    state::AppState,
};

/// Try a webhook out
///
/// Sends it an event `webhook.tested` within some seconds, signed and repeated like any other; its deliveries show how that
/// went.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/test",
    tag = "webhooks",
    security(("bearer" = ["manage_webhooks"])),
    params(("id" = Uuid, Path, description = "Webhook")),
    responses((status = 202, description = "It will be sent", body = DeliveryBody))
)]
pub async fn test_webhook(
    State(state): State<AppState>,
    permit: Permit<ManageWebhooks>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<(StatusCode, Json<DeliveryBody>), Problem> {
    let made = state.database().test_webhook(id, &permit.caller.actor()).await.map_err(errors::database)?;
    Ok((StatusCode::ACCEPTED, Json(made.ok_or_else(Problem::not_found)?.into())))
}
