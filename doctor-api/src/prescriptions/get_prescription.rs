//! `GET /prescriptions/{id}`: one prescription; drafts are their doctor's alone.

use axum::{extract::State, http::StatusCode, response::Response};
use service::http::problem::Problem;
use uuid::Uuid;

use super::{PrescriptionBody, answer};
use crate::{
    documents::commands::read,
    input::path::PathParameters,
    policy::{Permit, ReadPrescription},
    state::AppState,
};

/// Read a prescription
///
/// Signed ones are also read by the doctors of the patient's other consultations and by whoever brought the case.
#[utoipa::path(
    get,
    path = "/prescriptions/{id}",
    tag = "prescriptions",
    security(("bearer" = ["read_prescription"])),
    params(("id" = Uuid, Path, description = "Prescription")),
    responses((status = 200, description = "The prescription", body = PrescriptionBody,
               headers(("ETag" = String, description = "Version, for If-Match"))))
)]
pub async fn get_prescription(
    State(state): State<AppState>,
    permit: Permit<ReadPrescription>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<Response, Problem> {
    let found = read(&state, &permit, id).await?;
    answer(&state, &permit.scope, StatusCode::OK, found).await
}
