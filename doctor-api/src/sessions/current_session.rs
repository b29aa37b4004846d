//! `GET /sessions/current`: who the token belongs to.

use serde::Serialize;
use service::http::json::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::policy::Caller;

/// The account that a token belongs to.
#[derive(Serialize, ToSchema)]
pub struct CurrentSession {
    /// The account.
    user_id: Uuid,
    /// What it is.
    #[schema(example = "doctor")]
    role: &'static str,
    /// The doctor it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    doctor_id: Option<Uuid>,
    /// The session of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Uuid>,
}

/// Who am I
#[utoipa::path(
    get,
    path = "/sessions/current",
    tag = "sessions",
    security(("bearer" = [])),
    responses((status = 200, description = "The account", body = CurrentSession))
)]
pub async fn current_session(caller: Caller) -> Json<CurrentSession> {
    let principal = caller.principal;
    Json(CurrentSession {
        user_id: principal.user_id,
        role: principal.role.as_str(),
        doctor_id: principal.doctor_id,
        session_id: principal.session_id,
    })
}
