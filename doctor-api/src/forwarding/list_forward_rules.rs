//! `GET /forwarding/rules`: every rule.

use axum::extract::State;
use service::http::{json::Json, problem::Problem};

use super::ForwardRuleBody;
use crate::{
    errors,
    policy::{ManageAes, Permit},
    state::AppState,
};

/// List the rules of forwarding
#[utoipa::path(
    get,
    path = "/forwarding/rules",
    tag = "forwarding",
    security(("bearer" = ["manage_aes"])),
    responses((status = 200, description = "All of them, by name", body = Vec<ForwardRuleBody>))
)]
pub async fn list_forward_rules(
    State(state): State<AppState>,
    _permit: Permit<ManageAes>,
) -> Result<Json<Vec<ForwardRuleBody>>, Problem> {
    let rows = state.database().forward_rules().await.map_err(errors::database)?;
    Ok(Json(rows.into_iter().map(ForwardRuleBody::from).collect()))
}
