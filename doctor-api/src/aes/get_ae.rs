//! `GET /aes/{id}`: one registered application entity.

use axum::{extract::State, http::StatusCode, response::Response};
use service::http::problem::Problem;
use uuid::Uuid;

use super::{AeBody, answer};
use crate::{
    errors,
    input::path::PathParameters,
    policy::{ManageAes, Permit},
    state::AppState,
};

/// Show a registered application entity
#[utoipa::path(
    get,
    path = "/aes/{id}",
    tag = "aes",
    security(("bearer" = ["manage_aes"])),
    params(("id" = Uuid, Path, description = "Application entity")),
    responses((status = 200, description = "The registration", body = AeBody,
               headers(("ETag" = String, description = "Version, for If-Match"))))
)]
pub async fn get_ae(
    State(state): State<AppState>,
    _permit: Permit<ManageAes>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<Response, Problem> {
    let ae = state.database().ae(id).await.map_err(errors::database)?;
    Ok(answer(StatusCode::OK, ae.ok_or_else(Problem::not_found)?))
}
