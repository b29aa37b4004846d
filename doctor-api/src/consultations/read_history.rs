//! `GET /consultations/{id}/history`: who did what with it, and when.

use axum::extract::State;
use chrono::{DateTime, Utc};
use database::ConsultationChange;
use serde::Serialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{Permit, ReadConsultation},
    state::AppState,
};

/// The steps in the life of a consultation, in order.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsultationHistory {
    items: Vec<HistoryItem>,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryItem {
    /// The version that it led to.
    version: i64,
    /// `book`, `propose`, `edit` or a command.
    #[schema(example = "reschedule")]
    action: String,
    /// Where the consultation stood then.
    #[schema(example = "booked")]
    status: &'static str,
    /// Its doctor then.
    doctor_id: Uuid,
    /// Its start then.
    scheduled_at: DateTime<Utc>,
    /// Its end then.
    ends_at: Option<DateTime<Utc>>,
    /// Why, in the words of who did it.
    remark: String,
    /// The account that did it.
    user_id: Option<Uuid>,
    /// As what it acted.
    #[schema(example = "doctor")]
    role: String,
    /// When.
    at: DateTime<Utc>,
}

impl From<ConsultationChange> for HistoryItem {
    fn from(change: ConsultationChange) -> Self {
        Self {
            version: change.version,
            action: change.command,
            status: change.status.as_str(),
            doctor_id: change.doctor_id,
            scheduled_at: change.scheduled_at,
            ends_at: change.ends_at,
            remark: change.remark,
            user_id: change.user_id,
            role: change.role,
            at: change.at,
        }
    }
}

/// Read a consultation's history
#[utoipa::path(
    get,
    path = "/consultations/{id}/history",
    tag = "consultations",
    security(("bearer" = ["read_consultation"])),
    params(("id" = Uuid, Path, description = "Consultation")),
    responses((status = 200, description = "What was done, in order", body = ConsultationHistory))
)]
pub async fn read_history(
    State(state): State<AppState>,
    permit: Permit<ReadConsultation>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<Json<ConsultationHistory>, Problem> {
    let found = state.database().consultation_history(&permit.scope, id).await.map_err(errors::database)?;
    let items = found.ok_or_else(Problem::not_found)?.into_iter().map(Into::into).collect();
    Ok(Json(ConsultationHistory { items }))
}
