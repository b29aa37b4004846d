//! `GET /doctors/{id}/availability/exceptions`: time off and extra hours.

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, header},
};
use service::http::{json::Json, problem::Problem};
use uuid::Uuid;

use super::ExceptionsBody;
use crate::{
    doctors::require_doctor,
    errors,
    input::{etag::entity_tag, path::PathParameters},
    policy::{Permit, UpdateDoctor},
    state::AppState,
};

/// Read a doctor's time off and extra hours
///
/// For the doctor and administrators: others see what is free.
#[utoipa::path(
    get,
    path = "/doctors/{id}/availability/exceptions",
    tag = "availability",
    security(("bearer" = ["update_doctor"])),
    params(("id" = Uuid, Path, description = "Doctor")),
    responses((status = 200, description = "As they are now", body = ExceptionsBody,
               headers(("ETag" = String, description = "Version, for If-Match; \"0\" when none were written"))))
)]
pub async fn get_exceptions(
    State(state): State<AppState>,
    permit: Permit<UpdateDoctor>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<ExceptionsBody>), Problem> {
    if !permit.scope.includes_doctor(id) {
        return Err(Problem::not_found());
    }
    require_doctor(&state, id).await?;
    let schedule = state.database().schedule(id).await.map_err(errors::database)?;
    let tag = entity_tag(schedule.exceptions_version);
    let exceptions = schedule.exceptions.into_iter().map(Into::into).collect();
    Ok(([(header::ETAG, tag)], Json(ExceptionsBody { exceptions })))
}
