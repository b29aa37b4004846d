//! `POST /consultations/{id}/cancel`: the meeting does not take place.

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

/// Cancel a consultation
///
/// It opens nothing to its doctor any more, at once; tokens made for viewers end.
#[utoipa::path(
    post,
    path = "/consultations/{id}/cancel",
    tag = "consultations",
    security(("bearer" = ["update_consultation"])),
    params(("id" = Uuid, Path, description = "Consultation")),
    responses(
        (status = 200, description = "Cancelled", body = ConsultationBody),
        (status = 409, description = "It has ended already, or its doctor is in it", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn cancel_consultation(
    State(state): State<AppState>,
    permit: Permit<UpdateConsultation>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<Json<ConsultationBody>, Problem> {
    end(&state, &permit, id, ConsultationStatus::Cancelled).await
}
