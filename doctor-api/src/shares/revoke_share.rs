//! `DELETE /shares/{id}`: takes a link back.

use axum::{extract::State, http::StatusCode};
use database::SessionSet;
use service::http::problem::Problem;
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{Permit, ShareStudy},
    state::AppState,
};

/// Take a link back
///
/// It cannot be used any more, and whoever used it reads nothing any more, at once.
#[utoipa::path(
    delete,
    path = "/shares/{id}",
    tag = "shares",
    security(("bearer" = ["share_study"])),
    params(("id" = Uuid, Path, description = "Link")),
    responses((status = 204, description = "Taken back"))
)]
pub async fn revoke_share(
    State(state): State<AppState>,
    permit: Permit<ShareStudy>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<StatusCode, Problem> {
    let doctor_id = permit.caller.principal.doctor_id.ok_or_else(Problem::forbidden)?;
    let (database, actor) = (state.database(), permit.caller.actor());
    if !database.revoke_share(doctor_id, id, &actor).await.map_err(errors::database)? {
        return Err(Problem::not_found());
    }
    let ended = database.revoke_sessions(SessionSet::OfGrant(id), "the link was taken back", &actor).await;
    ended.map_err(errors::database)?;
    Ok(StatusCode::NO_CONTENT)
}
