//! `GET /webhooks`: every webhook.

use axum::extract::State;
use service::http::{json::Json, problem::Problem};

use super::WebhookBody;
use crate::{
    errors,
    policy::{ManageWebhooks, Permit},
    state::AppState,
};

/// List the webhooks
#[utoipa::path(
    get,
    path = "/webhooks",
    tag = "webhooks",
    security(("bearer" = ["manage_webhooks"])),
    responses((status = 200, description = "All of them, the oldest first", body = Vec<WebhookBody>))
)]
pub async fn list_webhooks(
    State(state): State<AppState>,
    _permit: Permit<ManageWebhooks>,
) -> Result<Json<Vec<WebhookBody>>, Problem> {
    let webhooks = state.database().webhooks().await.map_err(errors::database)?;
    Ok(Json(webhooks.into_iter().map(WebhookBody::from).collect()))
}
