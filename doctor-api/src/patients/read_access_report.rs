//! `GET /patients/{patient_id}/access-report`: who saw this patient's X-rays (GDPR Article 15).

use axum::extract::State;
use chrono::{DateTime, Utc};
use database::AuditFilter;
use serde::Deserialize;
use service::http::{json::Json, problem::Problem};
use utoipa::IntoParams;

use crate::{
    audit_records::list_records::{RecordPage, page_of},
    errors,
    input::{check::Checks, page::PageRequest, path::PathParameters, query::QueryParameters},
    policy::{Permit, ReadAccessReport},
    state::AppState,
};

/// Which part of the report.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReportQuery {
    /// Issuer of Patient ID (0010,0021): two sites may use the same Patient ID.
    issuer_of_patient_id: Option<String>,
    /// At this time or later (RFC 3339).
    from: Option<DateTime<Utc>>,
    /// Before this time (RFC 3339).
    to: Option<DateTime<Utc>>,
    /// Only what stands before this record: `next` of the page before.
    before: Option<i64>,
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Tell who saw a patient's X-rays
///
/// Everything that was done with the patient's studies, and refused, newest first. A patient that is not known and one
/// that is not yours give the same empty report.
#[utoipa::path(
    get,
    path = "/patients/{patient_id}/access-report",
    tag = "patients",
    security(("bearer" = ["read_access_report"])),
    params(("patient_id" = String, Path, description = "Patient ID (0010,0020)"), ReportQuery),
    responses((status = 200, description = "A page of records", body = RecordPage))
)]
pub async fn read_access_report(
    State(state): State<AppState>,
    permit: Permit<ReadAccessReport>,
    PathParameters(patient_id): PathParameters<String>,
    QueryParameters(query): QueryParameters<ReportQuery>,
) -> Result<Json<RecordPage>, Problem> {
    let issuer = query.issuer_of_patient_id.filter(|issuer| !issuer.is_empty());
    let mut checks = Checks::new();
    checks.require(!patient_id.trim().is_empty(), "patient_id", "is empty");
    checks.patient_id("patient_id", &patient_id);
    checks.patient_id("issuer_of_patient_id", issuer.as_deref().unwrap_or_default());
    checks.period("to", query.from, query.to);
    let page = PageRequest::new(query.limit, None, &state.config, &mut checks);
    checks.finish_query()?;
    let patients = state.database().patients_in_reach(&permit.scope, &patient_id, issuer.as_deref()).await;
    let patients = patients.map_err(errors::database)?;
    let filter = AuditFilter {
        from: query.from,
        until: query.to,
        before: query.before,
        limit: page.limit,
        ..AuditFilter::default()
    };
    if patients.is_empty() {
        // The asking is in the trail all the same.
        let nobody = AuditFilter { patients: vec![uuid::Uuid::nil()], ..filter };
        return page_of(&state, &permit, nobody, "read_access_report").await;
    }
    page_of(&state, &permit, AuditFilter { patients, ..filter }, "read_access_report").await
}
