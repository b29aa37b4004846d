//! `GET /performed-steps/{sop_instance_uid}`: everything that a modality said of one step.

use axum::extract::State;
use database::PerformedStepFilter;
use serde::Serialize;
use serde_json::Value;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;

use super::{PerformedStepBody, attributes, refuse_grants};
use crate::{
    audit::{self, Looked},
    errors,
    input::path::PathParameters,
    policy::{Permit, ReadStudy},
    state::AppState,
};

/// A step with all of its attributes.
#[derive(Debug, Serialize, ToSchema)]
pub struct WholePerformedStep {
    /// In short.
    #[serde(flatten)]
    step: PerformedStepBody,
    /// Everything that was said, in the DICOM JSON model (PS3.18 F): series with their images, dose, codes.
    #[schema(value_type = Object, example = json!({ "00400252": { "vr": "CS", "Value": ["COMPLETED"] } }))]
    attributes: Value,
}

/// Show a performed procedure step
#[utoipa::path(
    get,
    path = "/performed-steps/{sop_instance_uid}",
    tag = "worklist",
    security(("bearer" = ["read_study"])),
    params(("sop_instance_uid" = String, Path, description = "SOP Instance UID (0008,0018) of the step")),
    responses((status = 200, description = "The step", body = WholePerformedStep))
)]
pub async fn get_performed_step(
    State(state): State<AppState>,
    permit: Permit<ReadStudy>,
    PathParameters(sop_instance_uid): PathParameters<String>,
) -> Result<Json<WholePerformedStep>, Problem> {
    refuse_grants(&state, &permit.caller).await?;
    if sop_instance_uid.is_empty() {
        return Err(Problem::not_found());
    }
    let filter = PerformedStepFilter {
        sop_instance_uid: Some(sop_instance_uid),
        limit: 1,
        ..PerformedStepFilter::default()
    };
    let found =
        state.database().performed_steps(&permit.scope, &filter, Ok).await.map_err(errors::database)?;
    let row = found.into_iter().next().ok_or_else(Problem::not_found)?;
    let study = row.step.scheduled.first().map(|one| one.study_instance_uid.to_string()).unwrap_or_default();
    let what = Looked {
        action: "get_performed_step",
        study_instance_uid: &study,
        subject: row.step.sop_instance_uid.to_string(),
        consultation_id: None,
    };
    audit::looked(&state, &permit.caller, what).await?;
    let attributes = attributes(&row).map_err(errors::database)?;
    Ok(Json(WholePerformedStep { step: PerformedStepBody::new(row, &attributes), attributes }))
}
