//! `POST /clients/{id}/secret`: a new secret in place of one that was lost or has leaked.

use axum::extract::State;
use database::{UserChanges, UserKind};
use service::http::json::Json;
use service::{
    http::problem::Problem,
    identity::{CLIENT_SECRET, Secret, hashed_secret},
};
use uuid::Uuid;

use super::create_client::ClientSecret;
use crate::{
    errors,
    input::path::PathParameters,
    policy::{ManageUsers, Permit},
    state::AppState,
};

/// Renew a service account's secret
///
/// The old secret and every token that it brought are refused from now on.
#[utoipa::path(
    post,
    path = "/clients/{id}/secret",
    tag = "users",
    security(("bearer" = ["manage_users"])),
    params(("id" = Uuid, Path, description = "Service account")),
    responses((status = 200, description = "The new secret, shown this once", body = ClientSecret))
)]
pub async fn renew_client_secret(
    State(state): State<AppState>,
    permit: Permit<ManageUsers>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<Json<ClientSecret>, Problem> {
    let client = state.database().user(id).await.map_err(errors::database)?;
    client.filter(|user| user.kind == UserKind::Client).ok_or_else(Problem::not_found)?;
    let secret = Secret::generate(CLIENT_SECRET).map_err(|error| Problem::internal(&error))?;
    let changes =
        UserChanges { password_hash: Some(hashed_secret(&secret.sha256)), ..UserChanges::default() };
    let changed = state.database().change_user(id, changes, &permit.caller.actor()).await;
    changed.map_err(errors::database)?;
    Ok(Json(ClientSecret { client_id: id, client_secret: secret.text }))
}
