//! The worklist: requested procedures, and the steps of each that modalities are told of.

pub mod create_worklist_item;
pub mod delete_worklist_item;
pub mod get_worklist_item;
pub mod list_worklist;
mod order;
mod step;
pub mod update_worklist_item;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use database::DatabaseError;
use model::worklist::WorklistItem;
use serde::Serialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::order::OrderBody;
use crate::{errors, input::etag::entity_tag};

/// A worklist item.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WorklistItem)]
pub struct WorklistItemBody {
    /// Identity.
    id: Uuid,
    #[serde(flatten)]
    order: OrderBody,
    /// Grows with every change, also when a step begins or ends; the ETag is made of it.
    version: i64,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
}

impl From<WorklistItem> for WorklistItemBody {
    fn from(item: WorklistItem) -> Self {
        let WorklistItem { id, order, version, created_at, updated_at, .. } = item;
        Self { id, order: order.into(), version, created_at, updated_at }
    }
}

/// The item with its ETag.
fn answer(status: StatusCode, item: WorklistItem) -> Response {
    let tag = entity_tag(item.version);
    (status, [(header::ETAG, tag)], Json(WorklistItemBody::from(item))).into_response()
}

/// Why an order was not taken.
fn refusal(error: DatabaseError) -> Problem {
    match error {
        DatabaseError::Conflict(why) => Problem::conflict(why),
        other => errors::database(other),
    }
}
