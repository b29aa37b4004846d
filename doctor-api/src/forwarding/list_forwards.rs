//! `GET /forwarding/queue`: what is on its way, has arrived, or was given up.

use axum::extract::State;
use database::ForwardFilter;
use model::forward::ForwardState;
use serde::Deserialize;
use service::http::{json::Json, problem::Problem};
use utoipa::IntoParams;

use super::ForwardBody;
use crate::{
    errors,
    input::{
        check::Checks,
        page::{Page, PageRequest},
        query::QueryParameters,
    },
    policy::{ManageAes, Permit},
    state::AppState,
};

/// Which instances.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ForwardsQuery {
    /// `pending`, `sent` or `dead`; left out: all of them.
    #[param(example = "dead")]
    state: Option<String>,
    /// Rows at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Rows left out before the first one.
    #[param(minimum = 0, maximum = 1_000_000)]
    offset: Option<u64>,
}

/// List what is forwarded
///
/// The newest first. `state=dead` lists what was given up; `POST .../retry` sends it again.
#[utoipa::path(
    get,
    path = "/forwarding/queue",
    tag = "forwarding",
    security(("bearer" = ["manage_aes"])),
    params(ForwardsQuery),
    responses((status = 200, description = "A page of them", body = Page<ForwardBody>))
)]
pub async fn list_forwards(
    State(state): State<AppState>,
    _permit: Permit<ManageAes>,
    QueryParameters(query): QueryParameters<ForwardsQuery>,
) -> Result<Json<Page<ForwardBody>>, Problem> {
    let mut checks = Checks::new();
    let page = PageRequest::new(query.limit, query.offset, &state.config, &mut checks);
    let wanted = query.state.as_deref().map(str::parse::<ForwardState>).transpose();
    if let Err(error) = &wanted {
        checks.refuse("state", error.to_string());
    }
    checks.finish_query()?;
    let filter =
        ForwardFilter { state: wanted.unwrap_or_default(), limit: page.fetch(), offset: page.offset };
    let found = state.database().forwards(filter).await.map_err(errors::database)?;
    Ok(Json(page.page(found, ForwardBody::from)))
}
