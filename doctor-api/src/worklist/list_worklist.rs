//! `GET /worklist`: what is scheduled, as far as the caller reaches.

use axum::extract::State;
use database::WorklistFilter;
use model::worklist::StepStatus;
use serde::Deserialize;
use service::http::{json::Json, problem::Problem};
use utoipa::IntoParams;
use uuid::Uuid;

use super::{WorklistItemBody, order::is_date};
use crate::{
    errors,
    input::{
        check::Checks,
        page::{Page, PageRequest},
        query::QueryParameters,
    },
    policy::{Permit, ReadWorklist},
    state::AppState,
};

/// Longest value of a filter in characters: no attribute that is filtered on is longer.
const VALUE_LENGTH_MAX: usize = 64;

/// Which items; those of steps take an item when one of its steps is like that in all of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WorklistParameters {
    /// Patient ID (0010,0020).
    patient_id: Option<String>,
    /// Accession Number (0008,0050).
    accession_number: Option<String>,
    /// Study Instance UID (0020,000D).
    study_instance_uid: Option<String>,
    /// The consultation that it is for.
    consultation_id: Option<Uuid>,
    /// Scheduled Station AE Title (0040,0001) of a step.
    scheduled_station_ae_title: Option<String>,
    /// Modality (0008,0060) of a step.
    modality: Option<String>,
    /// Scheduled Procedure Step Status (0040,0020) of a step.
    scheduled_procedure_step_status: Option<String>,
    /// A step begins on this day or later: `YYYYMMDD`.
    from: Option<String>,
    /// A step begins on this day or before: `YYYYMMDD`.
    to: Option<String>,
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Rows to leave out.
    #[param(minimum = 0, maximum = 1_000_000)]
    offset: Option<u64>,
}

/// List what is scheduled
#[utoipa::path(
    get,
    path = "/worklist",
    tag = "worklist",
    security(("bearer" = ["read_worklist"])),
    params(WorklistParameters),
    responses((status = 200, description = "A page of items, the newest first", body = Page<WorklistItemBody>))
)]
pub async fn list_worklist(
    State(state): State<AppState>,
    permit: Permit<ReadWorklist>,
    QueryParameters(query): QueryParameters<WorklistParameters>,
) -> Result<Json<Page<WorklistItemBody>>, Problem> {
    let mut checks = Checks::new();
    for (field, value) in [
        ("patient_id", &query.patient_id),
        ("accession_number", &query.accession_number),
        ("study_instance_uid", &query.study_instance_uid),
        ("scheduled_station_ae_title", &query.scheduled_station_ae_title),
        ("modality", &query.modality),
    ] {
        checks.line(field, value.as_deref().unwrap_or_default(), VALUE_LENGTH_MAX);
    }
    for (field, value) in [("from", &query.from), ("to", &query.to)] {
        let is_day = value.as_deref().is_none_or(is_date);
        checks.require(is_day, field, "is no day as YYYYMMDD");
    }
    let status = query.scheduled_procedure_step_status.as_deref().map(StepStatus::parse);
    checks.require(status != Some(None), "scheduled_procedure_step_status", "is no such status");
    let page = PageRequest::new(query.limit, query.offset, &state.config, &mut checks);
    checks.finish_query()?;
    let filter = WorklistFilter {
        patient_id: query.patient_id,
        accession_number: query.accession_number,
        study_instance_uid: query.study_instance_uid,
        consultation_id: query.consultation_id,
        station_ae_title: query.scheduled_station_ae_title,
        modality: query.modality,
        status: status.flatten(),
        from: query.from,
        to: query.to,
        limit: page.fetch(),
        offset: page.offset,
    };
    let found = state.database().worklist_items(&permit.scope, &filter).await.map_err(errors::database)?;
    Ok(Json(page.page(found, WorklistItemBody::from)))
}
