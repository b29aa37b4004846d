//! `PUT /doctors/{id}/availability/exceptions`: replaces time off and extra hours.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
};
use database::ScheduleUpdate;
use model::schedule::{Exception, check_exceptions};
use service::http::problem::Problem;
use uuid::Uuid;

use super::{ExceptionsBody, refuse_all, replace};
use crate::{
    doctors::require_own,
    input::{check::Checks, json::JsonBody, path::PathParameters},
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
    let mut checks = Checks::new();
    for (index, exception) in exceptions.iter().enumerate() {
        checks.time(&format!("exceptions[{index}].from"), exception.from);
        checks.time(&format!("exceptions[{index}].to"), exception.to);
    }
    checks.finish()?;
    refuse_all(check_exceptions(&exceptions))?;
    let update = ScheduleUpdate::Exceptions(exceptions);
    let (tag, schedule) = replace(&state, &permit, (id, &headers), update).await?;
    let exceptions = schedule.exceptions.into_iter().map(Into::into).collect();
    Ok((tag, Json(ExceptionsBody { exceptions })))
}
