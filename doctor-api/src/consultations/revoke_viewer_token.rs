//! `DELETE /consultations/{id}/viewer-token`: takes back every token that was made for a viewer of this consultation.

use axum::{extract::State, http::StatusCode};
use database::SessionSet;
use service::http::problem::Problem;
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{IssueViewerToken, Permit},
    state::AppState,
};

/// Take back the tokens of image viewers
///
/// They are refused from now on, on other nodes within five seconds. There need not be any.
#[utoipa::path(
    delete,
    path = "/consultations/{id}/viewer-token",
    tag = "consultations",
    security(("bearer" = ["issue_viewer_token"])),
    params(("id" = Uuid, Path, description = "Consultation")),
    responses((status = 204, description = "No token made for it is good any more"))
)]
pub async fn revoke_viewer_token(
    State(state): State<AppState>,
    permit: Permit<IssueViewerToken>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<StatusCode, Problem> {
    let found = state.database().consultation(&permit.scope, id).await.map_err(errors::database)?;
    found.ok_or_else(Problem::not_found)?;
    let actor = permit.caller.actor();
    let revoked =
        state.database().revoke_sessions(SessionSet::OfGrant(id), "taken back by the doctor", &actor);
    revoked.await.map_err(errors::database)?;
    Ok(StatusCode::NO_CONTENT)
}
