//! `POST /consultations/{id}/reassign`: another doctor, if that one is free then.

use axum::{extract::State, http::HeaderMap, response::Response};
use database::ChangeConsultation;
use model::clinical::ConsultationCommand;
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ConsultationBody, change::carry_out};
use crate::{
    errors,
    input::{check::Checks, json::JsonBody, path::PathParameters},
    policy::{Permit, UpdateConsultation},
    state::AppState,
};

/// The new doctor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reassign {
    /// The doctor.
    doctor_id: Uuid,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 500)]
    remark: String,
}

/// Give a consultation to another doctor
///
/// For one that has not begun. The doctor before does not see it any more, nor what it opens, and is told so
/// (`consultation.given_away`).
#[utoipa::path(
    post,
    path = "/consultations/{id}/reassign",
    tag = "consultations",
    security(("bearer" = ["update_consultation"])),
    params(
        ("id" = Uuid, Path, description = "Consultation"),
        ("If-Match" = Option<String>, Header, description = "ETag that it must still have")
    ),
    request_body = Reassign,
    responses(
        (status = 200, description = "Given to the doctor", body = ConsultationBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "That doctor is not free then, or it is not legal where the consultation stands",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
        (status = 412, description = "It was changed meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn reassign_consultation(
    State(state): State<AppState>,
    permit: Permit<UpdateConsultation>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<Reassign>,
) -> Result<Response, Problem> {
    let mut checks = Checks::new();
    let doctor = state.database().doctor(request.doctor_id).await.map_err(errors::database)?;
    checks.require(
        doctor.is_some_and(|doctor| doctor.active),
        "doctor_id",
        "is no doctor who takes consultations",
    );
    let change = ChangeConsultation {
        doctor_id: Some(request.doctor_id),
        remark: request.remark,
        ..ChangeConsultation::new(ConsultationCommand::Reassign)
    };
    carry_out(&state, &permit, (id, &headers), checks, change).await
}
