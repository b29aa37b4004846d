//! Webhooks: where events are sent over HTTP, and how that went.

pub mod create_webhook;
pub mod delete_webhook;
pub mod get_webhook;
pub mod list_deliveries;
pub mod list_webhooks;
pub mod redeliver;
pub mod test_webhook;

use chrono::{DateTime, Utc};
use database::{Delivery, Webhook};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A webhook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookBody {
    /// Identity.
    id: Uuid,
    /// URL that events are sent to.
    #[schema(example = "https://hooks.example.org/maxray")]
    address: String,
    /// What it is for, in people's words.
    description: String,
    /// Names of the events that it gets, some with what was done behind them.
    #[schema(example = json!(["consultation.scheduled", "reminder.due"]))]
    event_types: Vec<String>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl From<Webhook> for WebhookBody {
    fn from(webhook: Webhook) -> Self {
        let Webhook { id, address, description, event_types, created_at, .. } = webhook;
        Self { id, address, description, event_types, created_at }
    }
}

/// One event on its way to one webhook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryBody {
    /// Identity.
    id: Uuid,
    /// Identity of the event: `webhook-id` of every attempt.
    event_id: Uuid,
    /// Name of the event.
    #[schema(example = "consultation.scheduled")]
    event_type: String,
    /// `pending`, `delivered` or `dead`.
    #[schema(example = "delivered")]
    state: &'static str,
    /// Attempts begun.
    attempts: i32,
    /// When it is tried next; none when it is not.
    next_attempt_at: Option<DateTime<Utc>>,
    /// HTTP status of the last attempt; none when there was no answer.
    last_status: Option<i32>,
    /// Why the last attempt failed; empty when it did not.
    last_error: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was delivered or given up; none while it is pending.
    settled_at: Option<DateTime<Utc>>,
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event_id: delivery.event_id,
            event_type: delivery.event_type,
            state: delivery.state.as_str(),
            attempts: delivery.attempts,
            next_attempt_at: delivery.next_attempt_at,
            last_status: delivery.last_status,
            last_error: delivery.last_error,
            created_at: delivery.created_at,
            settled_at: delivery.settled_at,
        }
    }
}
