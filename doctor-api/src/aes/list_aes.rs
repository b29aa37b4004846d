//! `GET /aes`: every registered application entity.

use axum::extract::State;
use service::http::{json::Json, problem::Problem};

use super::AeBody;
use crate::{
    errors,
    policy::{ManageAes, Permit},
    state::AppState,
};

/// List the registered application entities
#[utoipa::path(
    get,
    path = "/aes",
    tag = "aes",
    security(("bearer" = ["manage_aes"])),
    responses((status = 200, description = "All of them, by title", body = Vec<AeBody>))
)]
pub async fn list_aes(
    State(state): State<AppState>,
    _permit: Permit<ManageAes>,
) -> Result<Json<Vec<AeBody>>, Problem> {
    let aes = state.database().aes().await.map_err(errors::database)?;
    Ok(Json(aes.into_iter().map(AeBody::from).collect()))
}
