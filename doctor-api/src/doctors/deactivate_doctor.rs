//! `DELETE /doctors/{id}`: the doctor takes no consultations and signs nothing any more. The profile stays: others refer to it.

use axum::{extract::State, http::StatusCode};
use database::{DatabaseError, DoctorChanges};
use service::http::problem::Problem;
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{ManageDoctors, Permit},
    state::AppState,
};

/// Deactivate a doctor
///
/// The doctor takes no consultations and signs no prescriptions and reports any more. What is booked stays booked: cancel it or
/// give it to somebody else. The account goes on signing in and reading until it is deactivated by `DELETE /users/{id}`.
#[utoipa::path(
    delete,
    path = "/doctors/{id}",
    tag = "doctors",
    security(("bearer" = ["manage_doctors"])),
    params(("id" = Uuid, Path, description = "Doctor")),
    responses(
        (status = 204, description = "Takes no consultations and signs nothing"),
        (status = 409, description = "The profile is being changed", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn deactivate_doctor(
    State(state): State<AppState>,
    permit: Permit<ManageDoctors>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<StatusCode, Problem> {
    let found = state.database().doctor(id).await.map_err(errors::database)?;
    let version = found.ok_or_else(Problem::not_found)?.version;
    let changes = DoctorChanges { active: Some(false), ..DoctorChanges::default() };
    let updated = state.database().update_doctor(id, version, changes, &permit.caller.actor()).await;
    match updated {
        Ok(_) => Ok(StatusCode::NO_CONTENT),
        Err(DatabaseError::Conflict(_)) => Err(Problem::conflict("the profile is being changed: try again")),
        Err(other) => Err(errors::database(other)),
    }
}
