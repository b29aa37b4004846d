//! `GET /doctors/{id}/consultations`: a doctor's meetings, past and to come.

use axum::extract::State;
use chrono::{DateTime, Utc};
use database::ConsultationFilter;
use model::clinical::ConsultationStatus;
use serde::Deserialize;
use service::http::{json::Json, problem::Problem};
use utoipa::IntoParams;
use uuid::Uuid;

use super::ConsultationBody;
use crate::{
    doctors::require_doctor_in_reach,
    errors,
    input::{
        check::Checks,
        page::{Page, PageRequest},
        path::PathParameters,
        query::QueryParameters,
    },
    policy::{Permit, ReadConsultation},
    state::AppState,
};

/// Which meetings.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConsultationQuery {
    /// `proposed`, `booked`, `arrived`, `in_progress`, `completed`, `cancelled` or `no_show`.
    status: Option<String>,
    /// Starts at or after this time (RFC 3339).
    from: Option<DateTime<Utc>>,
    /// Starts before this time (RFC 3339).
    to: Option<DateTime<Utc>>,
    /// Patient ID (0010,0020).
    patient_id: Option<String>,
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Rows to leave out.
    #[param(minimum = 0, maximum = 1_000_000)]
    offset: Option<u64>,
}

/// List a doctor's consultations
#[utoipa::path(
    get,
    path = "/doctors/{id}/consultations",
    tag = "consultations",
    security(("bearer" = ["read_consultation"])),
    params(("id" = Uuid, Path, description = "Doctor"), ConsultationQuery),
    responses((status = 200, description = "A page of consultations, by their start",
               body = Page<ConsultationBody>))
)]
pub async fn list_consultations(
    State(state): State<AppState>,
    permit: Permit<ReadConsultation>,
    PathParameters(doctor_id): PathParameters<Uuid>,
    QueryParameters(query): QueryParameters<ConsultationQuery>,
) -> Result<Json<Page<ConsultationBody>>, Problem> {
    let mut checks = Checks::new();
    let status = query.status.as_deref().map(str::parse::<ConsultationStatus>).transpose();
    if let Err(unknown) = &status {
        checks.refuse("status", unknown.to_string());
    }
    checks.patient_id("patient_id", query.patient_id.as_deref().unwrap_or_default());
    checks.period("to", query.from, query.to);
    let page = PageRequest::new(query.limit, query.offset, &state.config, &mut checks);
    checks.finish_query()?;
    let filter = ConsultationFilter {
        status: status.unwrap_or_default(),
        from: query.from,
        to: query.to,
        patient_id: query.patient_id,
        limit: page.fetch(),
        offset: page.offset,
    };
    let found = state.database().consultations_of_doctor(&permit.scope, doctor_id, &filter).await;
    let found = found.map_err(errors::database)?;
    if found.is_empty() {
        // Who has consultations is there.
        require_doctor_in_reach(&state, &permit.scope, doctor_id).await?;
    }
    Ok(Json(page.page(found, ConsultationBody::from)))
}
