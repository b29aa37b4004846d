//! `GET /grants`: what was granted and not taken back.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use service::http::{json::Json, problem::Problem};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::GrantBody;
use crate::{
    errors,
    input::query::QueryParameters,
    policy::{ManageGrants, Permit},
    state::AppState,
};

/// Grants that are listed at once.
const GRANTS_MAX: u32 = 1_000;

/// Whose.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GrantQuery {
    /// Of one account.
    user_id: Option<Uuid>,
}

/// Grants.
#[derive(Debug, Serialize, ToSchema)]
pub struct Grants {
    /// The oldest first, at most 1000.
    items: Vec<GrantBody>,
}

/// List grants
#[utoipa::path(
    get,
    path = "/grants",
    tag = "grants",
    security(("bearer" = ["manage_grants"])),
    params(GrantQuery),
    responses((status = 200, description = "Those that were not taken back, also expired ones", body = Grants))
)]
pub async fn list_grants(
    State(state): State<AppState>,
    _permit: Permit<ManageGrants>,
    QueryParameters(query): QueryParameters<GrantQuery>,
) -> Result<Json<Grants>, Problem> {
    let grants = state.database().grants(query.user_id, GRANTS_MAX).await.map_err(errors::database)?;
    Ok(Json(Grants { items: grants.into_iter().map(GrantBody::from).collect() }))
}
