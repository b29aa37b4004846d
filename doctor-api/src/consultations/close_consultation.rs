//! `POST /consultations/{id}/close`: the meeting is over.

use axum::{Json, extract::State};
use model::clinical::ConsultationStatus;
use service::http::problem::Problem;
use uuid::Uuid;

use super::{ConsultationBody, end};
use crate::{
    input::path::PathParameters,
    policy::{Permit, UpdateConsultation},
    state::AppState,
};

/// Close a consultation
///
/// Its doctor sees its studies for some time longer (`access.closed_consultation_days`); tokens made for viewers end.
#[utoipa::path(
    post,
    path = "/consultations/{id}/close",
    tag = "consultations",
    security(("bearer" = ["update_consultation"])),
    params(("id" = Uuid, Path, description = "Consultation")),
    responses(
        (status = 200, description = "Closed", body = ConsultationBody),
        (status = 409, description = "It has ended already, or is not yours to close", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn close_consultation(
    State(state): State<AppState>,
    permit: Permit<UpdateConsultation>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<Json<ConsultationBody>, Problem> {
    end(&state, &permit, id, ConsultationStatus::Completed).await
}
