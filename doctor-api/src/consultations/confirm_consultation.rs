//! `POST /consultations/{id}/confirm`: the doctor agrees to what was proposed.

use axum::{extract::State, http::HeaderMap, response::Response};
use model::clinical::ConsultationCommand;
use service::http::problem::Problem;
use uuid::Uuid;

use super::{
    ConsultationBody,
    change::{Remark, command},
};
use crate::{
    input::{json::JsonOrNothing, path::PathParameters},
    policy::{Permit, UpdateConsultation},
    state::AppState,
};

/// Confirm a proposed consultation
///
/// From now on its time is taken, and it opens its studies to its doctor.
#[utoipa::path(
    post,
    path = "/consultations/{id}/confirm",
    tag = "consultations",
    security(("bearer" = ["update_consultation"])),
    params(
        ("id" = Uuid, Path, description = "Consultation"),
        ("If-Match" = Option<String>, Header, description = "ETag that it must still have")
    ),
    request_body = Option<Remark>,
    responses(
        (status = 200, description = "Booked", body = ConsultationBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "Not legal where it stands; the detail names what is; or the time is taken meanwhile",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
        (status = 412, description = "It was changed meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn confirm_consultation(
    State(state): State<AppState>,
    permit: Permit<UpdateConsultation>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
    JsonOrNothing(remark): JsonOrNothing<Remark>,
) -> Result<Response, Problem> {
    command(&state, &permit, (id, &headers), ConsultationCommand::Confirm, remark).await
}
