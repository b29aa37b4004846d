//! `POST /webhooks/{id}/deliveries/{delivery_id}/redeliver`: sends an event again.

use axum::{extract::State, http::StatusCode};
use database::DatabaseError;
use service::http::{json::Json, problem::Problem};
use uuid::Uuid;

use super::DeliveryBody;
use crate::{
    errors,
    input::path::PathParameters,
    policy::{ManageWebhooks, Permit},
    state::AppState,
};

/// Send an event to a webhook again
///
/// Whether it was delivered or given up (one that is still being tried is 409): it is sent with the same body and `webhook-id`, and tried as often as a new one.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/deliveries/{delivery_id}/redeliver",
    tag = "webhooks",
    security(("bearer" = ["manage_webhooks"])),
    params(
        ("id" = Uuid, Path, description = "Webhook"),
        ("delivery_id" = Uuid, Path, description = "Delivery")
    ),
    responses(
        (status = 202, description = "It will be sent", body = DeliveryBody),
        (status = 409, description = "It is still being tried", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn redeliver(
    State(state): State<AppState>,
    permit: Permit<ManageWebhooks>,
    PathParameters((id, delivery_id)): PathParameters<(Uuid, Uuid)>,
) -> Result<(StatusCode, Json<DeliveryBody>), Problem> {
    let again = state.database().redeliver(id, delivery_id, &permit.caller.actor()).await;
    let again = again.map_err(|error| match error {
        DatabaseError::Conflict(_) => {
            Problem::conflict("it is still being tried; `next_attempt_at` says when").kind("delivery-pending")
        }
        other => errors::database(other),
    })?;
    let again = again.ok_or_else(Problem::not_found)?;
    Ok((StatusCode::ACCEPTED, Json(again.into())))
}
