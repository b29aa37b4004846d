//! `PUT /doctors/{id}`: replaces a profile that has not changed since it was read.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use database::{DatabaseError, DoctorChanges};
use model::{
    access::Action,
    clinical::{Doctor, DoctorDetails},
};
use service::http::problem::Problem;
use uuid::Uuid;

use super::{DoctorBody, DoctorProfile, answer, require_doctor, require_own};
use crate::{
    errors,
    input::{
        check::Checks,
        etag::{changed_meanwhile, expected_version},
        json::JsonBody,
        path::PathParameters,
    },
    policy::{Permit, UpdateDoctor},
    state::AppState,
};

/// Replace a doctor's profile
///
/// A doctor may change the own profile but for `licence_number`, `licences` and `active`, which an administrator decides.
/// What the profile said before is kept.
#[utoipa::path(
    put,
    path = "/doctors/{id}",
    tag = "doctors",
    security(("bearer" = ["update_doctor"])),
    params(
        ("id" = Uuid, Path, description = "Doctor"),
        ("If-Match" = String, Header, description = "ETag of the profile that the change is made on")
    ),
    request_body = DoctorProfile,
    responses(
        (status = 200, description = "The new profile", body = DoctorBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 412, description = "The profile was changed meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn update_doctor(
    State(state): State<AppState>,
    permit: Permit<UpdateDoctor>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
    JsonBody(profile): JsonBody<DoctorProfile>,
) -> Result<Response, Problem> {
    let current = current_of(&state, &permit, id, &headers).await?;
    replace(&state, &permit, current, profile).await
}

/// The profile that a change is made on.
pub async fn current_of(
    state: &AppState,
    permit: &Permit<UpdateDoctor>,
    id: Uuid,
    headers: &HeaderMap,
) -> Result<Doctor, Problem> {
    let version = expected_version(headers)?;
    require_own(state, permit, id).await?;
    let current = require_doctor(state, id).await?;
    if current.version == version { Ok(current) } else { Err(changed_meanwhile()) }
}

/// Checks the new profile and puts it in place of the one that was read.
pub async fn replace(
    state: &AppState,
    permit: &Permit<UpdateDoctor>,
    current: Doctor,
    profile: DoctorProfile,
) -> Result<Response, Problem> {
    let mut checks = Checks::new();
    profile.check(&mut checks);
    checks.finish()?;
    if permit.caller.principal.authorize(Action::ManageDoctors).is_err() {
        check_managed(&current, &profile)?;
    }
    let changes = DoctorChanges {
        details: Some(profile.details().into()),
        name: Some(profile.name),
        specialties: Some(profile.specialties),
        languages: Some(profile.languages),
        time_zone: Some(profile.time_zone),
        licence_number: Some(profile.licence_number),
        contact: Some(profile.contact),
        active: Some(profile.active),
    };
    let actor = permit.caller.actor();
    let updated = state.database().update_doctor(current.id, current.version, changes, &actor).await;
    let doctor = updated.map_err(|error| match error {
        DatabaseError::Conflict(_) => changed_meanwhile(),
        DatabaseError::NotFound => Problem::not_found(),
        other => errors::database(other),
    })?;
    Ok(answer(StatusCode::OK, doctor))
}

/// What only an administrator decides must stay as it is.
fn check_managed(current: &Doctor, profile: &DoctorProfile) -> Result<(), Problem> {
    let mut problem = Problem::forbidden().detail("an administrator has to change this");
    if current.licence_number != profile.licence_number {
        problem = problem.field("licence_number", "only an administrator may change it");
    }
    if DoctorDetails::from(profile.details()).licences != current.details.licences {
        problem = problem.field("licences", "only an administrator may change them");
    }
    if current.active != profile.active {
        problem = problem.field("active", "only an administrator may change it");
    }
    if problem.errors.is_empty() { Ok(()) } else { Err(problem) }
}
