//! `GET /performed-steps`: what modalities said of the studies that the caller may see.

use axum::extract::State;
use database::PerformedStepFilter;
use model::performed_step::PerformedStepStatus;
use serde::Deserialize;
use service::http::{json::Json, problem::Problem};
use utoipa::IntoParams;

use super::{PerformedStepBody, refuse_grants, short};
use crate::{
    audit::{self, Looked},
    errors,
    input::{
        check::Checks,
        page::{Page, PageRequest},
        query::QueryParameters,
    },
    policy::{Permit, ReadStudy},
    state::AppState,
};

/// Longest value of a filter in characters.
const VALUE_LENGTH_MAX: usize = 64;

/// Which steps; all that is given has to hold.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PerformedStepParameters {
    /// Study Instance UID (0020,000D).
    study_instance_uid: Option<String>,
    /// AE title of the modality that said it.
    ae_title: Option<String>,
    /// Performed Procedure Step Status (0040,0252): `IN PROGRESS`, `COMPLETED` or `DISCONTINUED`.
    performed_procedure_step_status: Option<String>,
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Rows to leave out.
    #[param(minimum = 0, maximum = 1_000_000)]
    offset: Option<u64>,
}

/// List performed procedure steps
///
/// Those of which all studies are in reach and of the patient whom the step names; who sees every study sees also those of which no image
/// has come. A token for a viewer, a share link or a device has none.
#[utoipa::path(
    get,
    path = "/performed-steps",
    tag = "worklist",
    security(("bearer" = ["read_study"])),
    params(PerformedStepParameters),
    responses((status = 200, description = "A page of steps, the newest first", body = Page<PerformedStepBody>))
)]
pub async fn list_performed_steps(
    State(state): State<AppState>,
    permit: Permit<ReadStudy>,
    QueryParameters(query): QueryParameters<PerformedStepParameters>,
) -> Result<Json<Page<PerformedStepBody>>, Problem> {
    refuse_grants(&state, &permit.caller).await?;
    let mut checks = Checks::new();
    for (field, value) in [("study_instance_uid", &query.study_instance_uid), ("ae_title", &query.ae_title)] {
        checks.line(field, value.as_deref().unwrap_or_default(), VALUE_LENGTH_MAX);
    }
    let status = query.performed_procedure_step_status.as_deref().map(PerformedStepStatus::parse);
    checks.require(status != Some(None), "performed_procedure_step_status", "is no such status");
    let page = PageRequest::new(query.limit, query.offset, &state.config, &mut checks);
    checks.finish_query()?;
    let study = query.study_instance_uid.filter(|uid| !uid.is_empty());
    let what = Looked {
        action: "list_performed_steps",
        study_instance_uid: study.as_deref().unwrap_or_default(),
        subject: String::new(),
        consultation_id: None,
    };
    audit::looked(&state, &permit.caller, what).await?;
    let filter = PerformedStepFilter {
        study_instance_uids: study.into_iter().collect(),
        sop_instance_uid: None,
        ae_title: query.ae_title,
        status: status.flatten(),
        limit: page.fetch(),
        offset: page.offset,
    };
    let found = state.database().performed_steps(&permit.scope, &filter, short).await;
    Ok(Json(page.page(found.map_err(errors::database)?, |step| step)))
}
