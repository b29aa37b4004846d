//! `GET /studies/{study_instance_uid}/shares`: the doctor's own links to a study.

use axum::extract::State;
use serde::Serialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;

use super::ShareBody;
use crate::{
    errors,
    input::path::PathParameters,
    policy::{Permit, ShareStudy},
    state::AppState,
    study_in_path,
};

/// Links of a study that are listed.
const SHARES_MAX: u32 = 100;

/// Links.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shares {
    /// The newest first, at most 100.
    items: Vec<ShareBody>,
}

/// List the links to a study that you made
#[utoipa::path(
    get,
    path = "/studies/{study_instance_uid}/shares",
    tag = "shares",
    security(("bearer" = ["share_study"])),
    params(("study_instance_uid" = String, Path, description = "Study Instance UID (0020,000D)")),
    responses((status = 200, description = "The links, also those that have ended", body = Shares))
)]
pub async fn list_shares(
    State(state): State<AppState>,
    permit: Permit<ShareStudy>,
    PathParameters(study): PathParameters<String>,
) -> Result<Json<Shares>, Problem> {
    let study = study_in_path(&study)?;
    let doctor_id = permit.caller.principal.doctor_id.ok_or_else(Problem::forbidden)?;
    let shares = state.database().shares_of_study(doctor_id, &study, SHARES_MAX).await;
    let items = shares.map_err(errors::database)?.into_iter().map(ShareBody::from).collect();
    Ok(Json(Shares { items }))
}
