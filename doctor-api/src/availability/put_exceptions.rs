//! `PUT /doctors/{id}/availability/exceptions`: replaces time off and extra hours.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};
use database::{DatabaseError, ScheduleUpdate};
use model::schedule::{Exception, check_exceptions};
use service::http::problem::Problem;
use uuid::Uuid;

use super::{ExceptionsBody, refuse_all, require_own};
use crate::{
    errors,
    input::{
        etag::{changed_meanwhile, entity_tag, expected_version},
        json::JsonBody,
        path::PathParameters,
    },
    policy::{Permit, UpdateDoctor},
    state::AppState,
};

/// Replace a doctor's time off and extra hours
///
/// Consultations that are booked stay as they are.
#[utoipa::path(
    put,
    path = "/doctors/{id}/availability/exceptions",
    tag = "availability",
    security(("bearer" = ["update_doctor"])),
    params(
        ("id" = Uuid, Path, description = "Doctor"),
        ("If-Match" = String, Header, description = "ETag of those that these replace; \"0\" for the first")
    ),
    request_body = ExceptionsBody,
    responses(
        (status = 200, description = "As they are now", body = ExceptionsBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 412, description = "They were changed meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn put_exceptions(
    State(state): State<AppState>,
    permit: Permit<UpdateDoctor>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ExceptionsBody>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<ExceptionsBody>), Problem> {
    require_own(&state, &permit, id).await?;
    let exceptions: Vec<Exception> = body.exceptions.into_iter().map(Into::into).collect();
    refuse_all(check_exceptions(&exceptions))?;
    let update = ScheduleUpdate::Exceptions(exceptions);
    let version = expected_version(&headers)?;
    let actor = permit.caller.actor();
    let updated = state.database().update_schedule(id, version, &update, &actor).await;
    let version = updated.map_err(|error| match error {
        DatabaseError::Conflict(_) => changed_meanwhile(),
        other => errors::database(other),
    })?;
    let schedule = state.database().schedule(id).await.map_err(errors::database)?;
    let exceptions = schedule.exceptions.into_iter().map(Into::into).collect();
    Ok(([(header::ETAG, entity_tag(version))], Json(ExceptionsBody { exceptions })))
}
