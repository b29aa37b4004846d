//! `GET /doctors/{id}/history`: what a profile said before.

use axum::extract::State;
use chrono::{DateTime, Utc};
use database::DoctorVersion;
use serde::{Deserialize, Serialize};
use service::http::{json::Json, problem::Problem};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::DoctorBody;
use crate::{
    errors,
    input::{
        check::Checks,
        page::{Page, PageRequest},
        path::PathParameters,
        query::QueryParameters,
    },
    policy::{Permit, UpdateDoctor},
    state::AppState,
};

/// Which part.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Rows to leave out.
    #[param(minimum = 0, maximum = 1_000_000)]
    offset: Option<u64>,
}

/// A profile that was replaced.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProfileVersion {
    /// As it was.
    #[serde(flatten)]
    profile: DoctorBody,
    /// The account that replaced it.
    replaced_by: Option<Uuid>,
    /// When.
    replaced_at: DateTime<Utc>,
}

impl From<DoctorVersion> for ProfileVersion {
    fn from(DoctorVersion { profile, replaced_by, replaced_at }: DoctorVersion) -> Self {
        Self { profile: profile.into(), replaced_by, replaced_at }
    }
}

/// Read the history of a doctor's profile
///
/// For the doctor and administrators.
#[utoipa::path(
    get,
    path = "/doctors/{id}/history",
    tag = "doctors",
    security(("bearer" = ["update_doctor"])),
    params(("id" = Uuid, Path, description = "Doctor"), HistoryQuery),
    responses((status = 200, description = "Profiles that were replaced, the newest first", body = Page<ProfileVersion>))
)]
pub async fn read_profile_history(
    State(state): State<AppState>,
    permit: Permit<UpdateDoctor>,
    PathParameters(id): PathParameters<Uuid>,
    QueryParameters(query): QueryParameters<HistoryQuery>,
) -> Result<Json<Page<ProfileVersion>>, Problem> {
    let mut checks = Checks::new();
    let page = PageRequest::new(query.limit, query.offset, &state.config, &mut checks);
    checks.finish_query()?;
    if !permit.scope.includes_doctor(id) {
        return Err(Problem::not_found());
    }
    let versions = state.database().doctor_history(id, page.fetch(), page.offset).await;
    Ok(Json(page.page(versions.map_err(errors::database)?, ProfileVersion::from)))
}
