//! `GET /doctors`: profiles by specialty, language and name.

use axum::{Json, extract::State};
use database::DoctorFilter;
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::IntoParams;

use super::DoctorBody;
use crate::{
    errors,
    input::{
        check::Checks,
        page::{Page, PageRequest},
        query::QueryParameters,
    },
    policy::{Permit, ReadDoctor},
    state::AppState,
};

/// Longest text to search for in characters.
const SEARCH_LENGTH_MAX: usize = 200;

/// Which profiles.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DoctorQuery {
    /// Has this specialty.
    specialty: Option<String>,
    /// Speaks this language (BCP 47).
    language: Option<String>,
    /// The name contains this text; case and accents do not count.
    q: Option<String>,
    /// Takes consultations, or does not.
    active: Option<bool>,
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Rows to leave out.
    #[param(minimum = 0, maximum = 1_000_000)]
    offset: Option<u64>,
}

/// List doctors
#[utoipa::path(
    get,
    path = "/doctors",
    tag = "doctors",
    security(("bearer" = ["read_doctor"])),
    params(DoctorQuery),
    responses((status = 200, description = "A page of profiles, by name", body = Page<DoctorBody>))
)]
pub async fn list_doctors(
    State(state): State<AppState>,
    _permit: Permit<ReadDoctor>,
    QueryParameters(query): QueryParameters<DoctorQuery>,
) -> Result<Json<Page<DoctorBody>>, Problem> {
    let mut checks = Checks::new();
    for (name, value) in [("specialty", &query.specialty), ("language", &query.language), ("q", &query.q)] {
        checks.line(name, value.as_deref().unwrap_or_default(), SEARCH_LENGTH_MAX);
    }
    let page = PageRequest::new(query.limit, query.offset, &state.config, &mut checks);
    checks.finish_query()?;
    let filter = DoctorFilter {
        specialty: query.specialty,
        language: query.language,
        q: query.q,
        active: query.active,
        limit: page.fetch(),
        offset: page.offset,
    };
    let doctors = state.database().doctors(&filter).await.map_err(errors::database)?;
    Ok(Json(page.page(doctors, DoctorBody::from)))
}
