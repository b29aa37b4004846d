//! `POST /prescriptions/{id}/replace`: a draft that takes the place of a signed prescription once it is signed itself.

use axum::{extract::State, http::StatusCode, response::Response};
use model::clinical::PrescriptionContent;
use service::http::problem::Problem;
use uuid::Uuid;

use super::{PrescriptionBody, answer, check::check, items::PrescriptionContentBody};
use crate::{
    documents::commands::replace,
    input::{json::JsonBody, path::PathParameters},
    location::at,
    policy::{Permit, WritePrescription},
    state::AppState,
};

/// Replace a prescription
///
/// The signed one holds until the draft is signed.
#[utoipa::path(
    post,
    path = "/prescriptions/{id}/replace",
    tag = "prescriptions",
    security(("bearer" = ["write_prescription"])),
    params(("id" = Uuid, Path, description = "Prescription")),
    request_body = PrescriptionContentBody,
    responses(
        (status = 201, description = "A draft", body = PrescriptionBody,
         headers(("Location" = String, description = "Where the draft is"),
                 ("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "It is not signed, or a draft takes its place already",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn replace_prescription(
    State(state): State<AppState>,
    permit: Permit<WritePrescription>,
    PathParameters(id): PathParameters<Uuid>,
    JsonBody(body): JsonBody<PrescriptionContentBody>,
) -> Result<Response, Problem> {
    let content = PrescriptionContent::from(body);
    check(&content, state.clock.now())?;
    let draft = replace(&state, &permit, id, content).await?;
    let location = format!("/prescriptions/{}", draft.id);
    Ok(at(&location, answer(&state, &permit.scope, StatusCode::CREATED, draft).await?))
}
