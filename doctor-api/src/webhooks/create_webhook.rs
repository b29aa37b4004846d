//! `POST /webhooks`: has events sent somewhere.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use database::{DatabaseError, NewWebhook};
use model::event::Event;
use serde::{Deserialize, Serialize};
use service::http::json::Json;
use service::{http::problem::Problem, notifications::WebhookAddress};
use utoipa::ToSchema;

use super::WebhookBody;
use crate::{
    errors,
    input::{check::Checks, json::JsonBody},
    location::at,
    policy::{ManageWebhooks, Permit},
    state::AppState,
};

/// Longest description in characters.
const DESCRIPTION_LENGTH_MAX: usize = 200;
/// Every name that there is.
const EVENT_TYPES_MAX: usize = Event::NAMES.len() + Event::DETAILED_NAMES.len();

/// A webhook to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWebhook {
    /// URL that events are sent to: `https://`, outside the network, unless the operator has allowed others.
    #[schema(example = "https://hooks.example.org/maxray", max_length = 2000)]
    address: String,
    /// What it is for, for people. No patient data.
    #[serde(default)]
    #[schema(example = "tells the booking platform", max_length = 200)]
    description: String,
    /// Names of the events that it gets; `docs/asyncapi.yaml` has them all. With what was done behind the name
    /// (`consultation.ended.cancelled`) it gets those alone.
    #[schema(example = json!(["consultation.scheduled", "reminder.due"]), min_items = 1, max_items = 33)]
    event_types: Vec<String>,
}

/// A webhook and its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub struct WebhookSecretBody {
    /// The webhook.
    #[serde(flatten)]
    webhook: WebhookBody,
    /// Signs what is sent. It cannot be shown again.
    #[schema(example = "whsec_...")]
    secret: String,
}

/// Create a webhook
///
/// What happens from now on is sent to the address, signed (Standard Webhooks: HMAC-SHA-256 over `webhook-id`,
/// `webhook-timestamp` and the body), at least once and in no promised order. An answer other than 2xx, or none within ten
/// seconds, is a failure; it is tried again over six hours. Redirects are not followed.
#[utoipa::path(
    post,
    path = "/webhooks",
    tag = "webhooks",
    security(("bearer" = ["manage_webhooks"])),
    request_body = CreateWebhook,
    responses(
        (status = 201, description = "Made; the secret is shown this once", body = WebhookSecretBody,
         headers(("Location" = String, description = "Where the webhook is"))),
        (status = 409, description = "There are too many", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn create_webhook(
    State(state): State<AppState>,
    permit: Permit<ManageWebhooks>,
    JsonBody(request): JsonBody<CreateWebhook>,
) -> Result<Response, Problem> {
    let new = parse(request, &state)?;
    let limit = state.webhooks.webhooks_max;
    let created = state.database().create_webhook(new, limit, &permit.caller.actor()).await;
    let webhook = created.map_err(|error| match error {
        DatabaseError::Conflict(_) => Problem::conflict(format!("there are {limit} webhooks already")),
        other => errors::database(other),
    })?;
    let secret = state.doctor_keys.webhook_secret_of(webhook.id).text();
    let location = format!("/webhooks/{}", webhook.id);
    let body = WebhookSecretBody { webhook: webhook.into(), secret };
    Ok(at(&location, (StatusCode::CREATED, Json(body)).into_response()))
}

fn parse(request: CreateWebhook, state: &AppState) -> Result<NewWebhook, Problem> {
    let mut checks = Checks::new();
    checks.line("description", &request.description, DESCRIPTION_LENGTH_MAX);
    let address = WebhookAddress::parse(&request.address, state.webhooks.rules());
    if let Err(error) = &address {
        checks.refuse("address", error.to_string());
    }
    let mut event_types = request.event_types;
    checks.require(!event_types.is_empty(), "event_types", "is empty");
    checks.require(event_types.len() <= EVENT_TYPES_MAX, "event_types", "has too many entries");
    for (index, name) in event_types.iter().take(EVENT_TYPES_MAX).enumerate() {
        let name = name.as_str();
        let known = Event::NAMES.contains(&name) || Event::DETAILED_NAMES.contains(&name);
        checks.require(known, &format!("event_types[{index}]"), "is no event");
    }
    checks.finish()?;
    let address = address.map_err(|error| Problem::bad_request(error.to_string()))?;
    event_types.sort_unstable();
    event_types.dedup();
    Ok(NewWebhook { address: address.url().to_string(), description: request.description, event_types })
}
