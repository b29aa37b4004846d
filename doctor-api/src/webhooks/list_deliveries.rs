//! `GET /webhooks/{id}/deliveries`: what was sent to a webhook, and how that went.

use axum::extract::State;
use database::{DeliveryFilter, DeliveryState};
use serde::Deserialize;
use service::http::{json::Json, problem::Problem};
use utoipa::IntoParams;
use uuid::Uuid;

use super::DeliveryBody;
use crate::{
    errors,
    input::{
        check::Checks,
        page::{Page, PageRequest},
        path::PathParameters,
        query::QueryParameters,
    },
    policy::{ManageWebhooks, Permit},
    state::AppState,
};

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveriesQuery {
    /// `pending`, `delivered` or `dead`; left out: all of them.
    #[param(example = "dead")]
    state: Option<String>,
    /// Rows at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Rows left out before the first one.
    #[param(minimum = 0, maximum = 1_000_000)]
    offset: Option<u64>,
}

/// List the deliveries of a webhook
///
/// The newest first. `state=dead` lists what was given up; `POST .../redeliver` sends it again.
#[utoipa::path(
    get,
    path = "/webhooks/{id}/deliveries",
    tag = "webhooks",
    security(("bearer" = ["manage_webhooks"])),
    params(("id" = Uuid, Path, description = "Webhook"), DeliveriesQuery),
    responses((status = 200, description = "A page of them", body = Page<DeliveryBody>))
)]
pub async fn list_deliveries(
    State(state): State<AppState>,
    _permit: Permit<ManageWebhooks>,
    PathParameters(id): PathParameters<Uuid>,
    QueryParameters(query): QueryParameters<DeliveriesQuery>,
) -> Result<Json<Page<DeliveryBody>>, Problem> {
    let mut checks = Checks::new();
    let page = PageRequest::new(query.limit, query.offset, &state.config, &mut checks);
    let wanted = query.state.as_deref().map(str::parse::<DeliveryState>).transpose();
    if let Err(error) = &wanted {
        checks.refuse("state", error.to_string());
    }
    checks.finish_query()?;
    let filter =
        DeliveryFilter { state: wanted.unwrap_or_default(), limit: page.fetch(), offset: page.offset };
    if state.database().webhook(id).await.map_err(errors::database)?.is_none() {
        return Err(Problem::not_found());
    }
    let found = state.database().deliveries(id, filter).await.map_err(errors::database)?;
    Ok(Json(page.page(found, DeliveryBody::from)))
}
