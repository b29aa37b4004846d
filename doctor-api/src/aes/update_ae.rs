//! `PUT /aes/{id}`: replaces a registration that has not changed since it was read.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use database::DatabaseError;
use service::http::problem::Problem;
use uuid::Uuid;

use super::{AeBody, AeRegistration, answer};
use crate::{
    errors,
    input::{
        check::Checks,
        etag::{changed_meanwhile, expected_version},
        json::JsonBody,
        path::PathParameters,
    },
    policy::{ManageAes, Permit},
    state::AppState,
};

/// Replace the registration of an application entity
///
/// The DICOM door hears of it within five seconds. It holds for associations that are open, too, and for what runs in them.
#[utoipa::path(
    put,
    path = "/aes/{id}",
    tag = "aes",
    security(("bearer" = ["manage_aes"])),
    params(
        ("id" = Uuid, Path, description = "Application entity"),
        ("If-Match" = String, Header, description = "ETag of the registration that the change is made on")
    ),
    request_body = AeRegistration,
    responses(
        (status = 200, description = "The new registration", body = AeBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 412, description = "It was changed meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn update_ae(
    State(state): State<AppState>,
    permit: Permit<ManageAes>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
    JsonBody(registration): JsonBody<AeRegistration>,
) -> Result<Response, Problem> {
    let mut checks = Checks::new();
    let profile = registration.parse(&mut checks);
    checks.finish()?;
    let version = expected_version(&headers)?;
    let updated = state.database().update_ae(id, version, profile, &permit.caller.actor()).await;
    let ae = updated.map_err(|error| match error {
        DatabaseError::Conflict(_) => changed_meanwhile(),
        other => errors::database(other),
    })?;
    Ok(answer(StatusCode::OK, ae))
}
