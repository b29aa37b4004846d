//! `GET /patients/{patient_id}/studies`: a patient's studies that the caller may see.

use axum::extract::State;
use database::{Attribute, Condition, Level, Matching, SearchQuery};
use serde::Deserialize;
use service::http::{json::Json, problem::Problem};
use utoipa::IntoParams;

use crate::{
    audit::{self, Looked},
    errors,
    input::{
        check::Checks,
        page::{Page, PageRequest},
        path::PathParameters,
        query::QueryParameters,
    },
    policy::{Permit, ReadStudy},
    state::AppState,
    xrays::view::StudySummary,
};

/// Which of the patient's studies.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PatientQuery {
    /// Issuer of Patient ID (0010,0021): two sites may use the same Patient ID.
    issuer_of_patient_id: Option<String>,
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Rows to leave out.
    #[param(minimum = 0, maximum = 1_000_000)]
    offset: Option<u64>,
}

/// List a patient's studies
///
/// A patient that is not known and one that is not yours give the same empty page.
#[utoipa::path(
    get,
    path = "/patients/{patient_id}/studies",
    tag = "patients",
    security(("bearer" = ["read_study"])),
    params(("patient_id" = String, Path, description = "Patient ID (0010,0020)"), PatientQuery),
    responses((status = 200, description = "A page of studies, the newest first", body = Page<StudySummary>))
)]
pub async fn list_studies(
    State(state): State<AppState>,
    permit: Permit<ReadStudy>,
    PathParameters(patient_id): PathParameters<String>,
    QueryParameters(query): QueryParameters<PatientQuery>,
) -> Result<Json<Page<StudySummary>>, Problem> {
    let issuer = query.issuer_of_patient_id.filter(|issuer| !issuer.is_empty());
    let mut checks = Checks::new();
    checks.require(!patient_id.trim().is_empty(), "patient_id", "is empty");
    checks.patient_id("patient_id", &patient_id);
    checks.patient_id("issuer_of_patient_id", issuer.as_deref().unwrap_or_default());
    let page = PageRequest::new(query.limit, query.offset, &state.config, &mut checks);
    checks.finish_query()?;

    let equals =
        |attribute, value: &str| Condition { attribute, matching: Matching::Equals(value.to_owned()) };
    let mut conditions = vec![equals(Attribute::PatientID, &patient_id)];
    conditions.extend(issuer.as_deref().map(|issuer| equals(Attribute::IssuerOfPatientID, issuer)));
    let search = SearchQuery {
        level: Level::Study,
        conditions,
        limit: page.limit,
        offset: page.offset,
        ..SearchQuery::default()
    };
    let found = state.database().search(&permit.scope, &search).await.map_err(errors::database)?;
    // The trail knows the patient by the study: a Patient ID is nothing to keep there.
    let study = found.rows.first().map_or("", |row| row.study.study_instance_uid.as_str());
    let what = Looked {
        action: "list_studies",
        study_instance_uid: study,
        subject: String::new(),
        consultation_id: None,
    };
    audit::looked(&state, &permit.caller, what).await?;
    // The index folds case; two patients may differ in nothing else.
    let same = found.rows.into_iter().filter(|row| row.patient.patient_id == patient_id);
    let items = same.map(StudySummary::from).collect();
    Ok(Json(Page { items, limit: page.limit, offset: page.offset, more: found.more }))
}
