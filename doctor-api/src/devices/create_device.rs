//! `POST /devices`: the token of a paramedic's uploader.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use database::{DatabaseError, NewSession, SessionKind};
use model::access::Role;
use serde::{Deserialize, Serialize};
use service::http::json::Json;
use service::{
    http::problem::Problem,
    identity::{DEVICE_TOKEN, Secret},
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    errors,
    input::{check::Checks, json::JsonBody},
    policy::{CreateDevice, Permit},
    state::AppState,
};

/// Longest name in characters.
const NAME_LENGTH_MAX: usize = 100;

/// A device to be registered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// What people call it.
    #[schema(example = "tablet of car 3", max_length = 100)]
    name: String,
    /// The paramedic's account that it acts for; an administrator names one, a paramedic leaves it out.
    user_id: Option<Uuid>,
}

/// A device and its token, which is shown this once.
#[derive(Serialize, ToSchema)]
pub struct DeviceToken {
    /// The session, by which it is ended.
    session_id: Uuid,
    /// Send it as `Authorization: Bearer mxd_...`. It is not kept and cannot be shown again.
    #[schema(example = "mxd_...")]
    token: String,
    /// When it ends by itself.
    expires_at: DateTime<Utc>,
}

/// Register a device
///
/// Its token stores instances and sees what became of its account's own uploads; it opens nothing else.
#[utoipa::path(
    post,
    path = "/devices",
    tag = "sessions",
    security(("bearer" = ["create_device"])),
    request_body = NewDevice,
    responses((status = 201, description = "Registered", body = DeviceToken))
)]
pub async fn create_device(
    State(state): State<AppState>,
    permit: Permit<CreateDevice>,
    JsonBody(request): JsonBody<NewDevice>,
) -> Result<(StatusCode, Json<DeviceToken>), Problem> {
    let mut checks = Checks::new();
    checks.filled_line("name", &request.name, NAME_LENGTH_MAX);
    checks.finish()?;
    let user_id = paramedic(&state, &permit, request.user_id).await?;
    let secret = Secret::generate(DEVICE_TOKEN).map_err(|error| Problem::internal(&error))?;
    let expires_at = state.clock.now() + state.issuer.config().device_token_lifetime();
    let new = NewSession {
        label: request.name,
        token_sha256: Some(secret.sha256),
        ..NewSession::new(user_id, SessionKind::Device, expires_at)
    };
    let opened =
        state.database().create_session(new, &permit.caller.actor()).await.map_err(|error| match error {
            DatabaseError::NotFound => no_paramedic(),
            other => errors::database(other),
        })?;
    let answer = DeviceToken { session_id: opened.session.id, token: secret.text, expires_at };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Whose device it is: a paramedic's own, or the one that an administrator names.
async fn paramedic(
    state: &AppState,
    permit: &Permit<CreateDevice>,
    named: Option<Uuid>,
) -> Result<Uuid, Problem> {
    let caller = &permit.caller.principal;
    if caller.role == Role::Paramedic {
        return if named.is_none_or(|id| id == caller.user_id) {
            Ok(caller.user_id)
        } else {
            Err(no_paramedic())
        };
    }
    let user = match named {
        Some(id) => state.database().user(id).await.map_err(errors::database)?,
        None => None,
    };
    let paramedic = user.filter(|user| user.role == Role::Paramedic && user.active);
    paramedic.map(|user| user.id).ok_or_else(no_paramedic)
}

fn no_paramedic() -> Problem {
    Problem::unprocessable().field("user_id", "is no active paramedic's account, or not yours")
}
