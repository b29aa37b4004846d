//! `POST /clients`: a service account.

use axum::{extract::State, http::StatusCode};
use database::DatabaseError;
use model::access::Role;
use serde::{Deserialize, Serialize};
use service::http::json::Json;
use service::{
    http::problem::Problem,
    identity::{CLIENT_SECRET, Secret, hashed_secret},
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    errors,
    input::{check::Checks, json::JsonBody},
    policy::{ManageUsers, Permit},
    state::AppState,
    users::check_username,
};

/// A service account to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateClient {
    /// What people call it.
    #[schema(example = "ris-bridge", max_length = 64)]
    name: String,
    /// `service` or `viewer`.
    #[schema(example = "service")]
    role: String,
}

/// A service account and its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub struct ClientSecret {
    /// For `POST /oauth2/token`.
    pub client_id: Uuid,
    /// For `POST /oauth2/token`. It is not kept and cannot be shown again.
    #[schema(example = "mxc_...")]
    pub client_secret: String,
}

/// Create a service account
#[utoipa::path(
    post,
    path = "/clients",
    tag = "users",
    security(("bearer" = ["manage_users"])),
    request_body = CreateClient,
    responses(
        (status = 201, description = "Created", body = ClientSecret),
        (status = 409, description = "The name is taken", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn create_client(
    State(state): State<AppState>,
    permit: Permit<ManageUsers>,
    JsonBody(request): JsonBody<CreateClient>,
) -> Result<(StatusCode, Json<ClientSecret>), Problem> {
    let mut checks = Checks::new();
    check_username(&mut checks, "name", &request.name);
    let role = request.role.parse().ok().filter(|role| matches!(role, Role::Service | Role::Viewer));
    checks.require(role.is_some(), "role", "is one of service, viewer");
    checks.finish()?;
    let secret = Secret::generate(CLIENT_SECRET).map_err(|error| Problem::internal(&error))?;
    let (role, hash) = (role.unwrap_or(Role::Viewer), hashed_secret(&secret.sha256));
    let created = state.database().create_client(&request.name, hash, role, &permit.caller.actor()).await;
    let client = created.map_err(|error| match error {
        DatabaseError::Conflict(_) => Problem::conflict("the name is taken").field("name", "is taken"),
        other => errors::database(other),
    })?;
    let answer = ClientSecret { client_id: client.id, client_secret: secret.text };
    Ok((StatusCode::CREATED, Json(answer)))
}
