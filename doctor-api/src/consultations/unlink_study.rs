//! `DELETE /consultations/{id}/studies/{study_instance_uid}`: takes a study out of a consultation again.

use axum::{extract::State, http::StatusCode};
use service::http::problem::Problem;
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{LinkStudy, Permit},
    state::AppState,
    study_in_path,
};

/// Unlink a study
///
/// The study itself stays as it is.
#[utoipa::path(
    delete,
    path = "/consultations/{id}/studies/{study_instance_uid}",
    tag = "consultations",
    security(("bearer" = ["link_study"])),
    params(
        ("id" = Uuid, Path, description = "Consultation"),
        ("study_instance_uid" = String, Path, description = "Study Instance UID (0020,000D)")
    ),
    responses((status = 204, description = "Unlinked"))
)]
pub async fn unlink_study(
    State(state): State<AppState>,
    permit: Permit<LinkStudy>,
    PathParameters((consultation_id, study)): PathParameters<(Uuid, String)>,
) -> Result<StatusCode, Problem> {
    let study = study_in_path(&study)?;
    let actor = permit.caller.actor();
    let unlinked = state.database().unlink_study(&permit.scope, consultation_id, &study, &actor).await;
    if unlinked.map_err(errors::database)? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}
