//! `POST /prescriptions/{id}/cancel`: takes a draft or a signed prescription back.

use axum::{extract::State, http::StatusCode, response::Response};
use service::http::problem::Problem;
use uuid::Uuid;

use super::{PrescriptionBody, answer};
use crate::{
    consultations::change::Remark,
    documents::commands::cancel,
    input::{json::JsonOrNothing, path::PathParameters},
    policy::{Permit, WritePrescription},
    state::AppState,
};

/// Take a prescription back
///
/// Whoever verifies it is told so from now on.
#[utoipa::path(
    post,
    path = "/prescriptions/{id}/cancel",
    tag = "prescriptions",
    security(("bearer" = ["write_prescription"])),
    params(("id" = Uuid, Path, description = "Prescription")),
    request_body = Option<Remark>,
    responses(
        (status = 200, description = "Taken back", body = PrescriptionBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "It was cancelled or superseded already", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn cancel_prescription(
    State(state): State<AppState>,
    permit: Permit<WritePrescription>,
    PathParameters(id): PathParameters<Uuid>,
    JsonOrNothing(remark): JsonOrNothing<Remark>,
) -> Result<Response, Problem> {
    let cancelled = cancel(&state, &permit, id, remark).await?;
    answer(&state, &permit.scope, StatusCode::OK, cancelled).await
}
