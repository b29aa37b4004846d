//! `GET /doctors/{id}/availability/rules`: a doctor's weekly hours.

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, header},
};
use service::http::{json::Json, problem::Problem};
use uuid::Uuid;

use super::RulesBody;
use crate::{
    doctors::require_doctor,
    errors,
    input::{etag::entity_tag, path::PathParameters},
    policy::{Permit, ReadDoctor},
    state::AppState,
};

/// Read a doctor's weekly hours
///
/// They are in the time zone of the profile.
#[utoipa::path(
    get,
    path = "/doctors/{id}/availability/rules",
    tag = "availability",
    security(("bearer" = ["read_doctor"])),
    params(("id" = Uuid, Path, description = "Doctor")),
    responses((status = 200, description = "As they are now", body = RulesBody,
               headers(("ETag" = String, description = "Version, for If-Match; \"0\" when none were written"))))
)]
pub async fn get_rules(
    State(state): State<AppState>,
    _permit: Permit<ReadDoctor>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<RulesBody>), Problem> {
    require_doctor(&state, id).await?;
    let schedule = state.database().schedule(id).await.map_err(errors::database)?;
    let tag = entity_tag(schedule.rules_version);
    Ok(([(header::ETAG, tag)], Json(schedule.rules.into())))
}
