//! `GET /webhooks/{id}`: one webhook.

use axum::extract::State;
use service::http::{json::Json, problem::Problem};
use uuid::Uuid;

use super::WebhookBody;
use crate::{
    errors,
    input::path::PathParameters,
    policy::{ManageWebhooks, Permit},
    state::AppState,
};

/// Show a webhook
#[utoipa::path(
    get,
    path = "/webhooks/{id}",
    tag = "webhooks",
    security(("bearer" = ["manage_webhooks"])),
    params(("id" = Uuid, Path, description = "Webhook")),
    responses((status = 200, description = "The webhook", body = WebhookBody))
)]
pub async fn get_webhook(
    State(state): State<AppState>,
    _permit: Permit<ManageWebhooks>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<Json<WebhookBody>, Problem> {
    let webhook = state.database().webhook(id).await.map_err(errors::database)?;
    Ok(Json(webhook.ok_or_else(Problem::not_found)?.into()))
}
