//! `GET /sessions`: where one is signed in.

use axum::extract::State;
use chrono::{DateTime, Utc};
use database::Session;
use serde::Serialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::must_be_own_sign_in;
use crate::{errors, policy::Caller, state::AppState};

/// Most sessions that are listed, the newest first.
pub const LISTED_MAX: u32 = 200;

/// A live session.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionBody {
    /// Identity.
    id: Uuid,
    /// How it came to be: `password`, `client`, `device`, `consultation`, `share`.
    #[schema(example = "password")]
    kind: &'static str,
    /// What people call it.
    label: String,
    /// Address it was opened from.
    source_address: String,
    /// When it was opened.
    created_at: DateTime<Utc>,
    /// When it was last used, roughly.
    last_used_at: DateTime<Utc>,
    /// When it ends by itself.
    expires_at: DateTime<Utc>,
    /// Whether it is the one of the token that asks.
    current: bool,
}

impl SessionBody {
    /// As `caller` sees it.
    pub fn new(session: Session, caller: &Caller) -> Self {
        Self {
            current: caller.principal.session_id == Some(session.id),
            id: session.id,
            kind: session.kind.as_str(),
            label: session.label,
            source_address: session.source_address,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
        }
    }
}

/// List one's own live sessions
#[utoipa::path(
    get,
    path = "/sessions",
    tag = "sessions",
    security(("bearer" = [])),
    responses((status = 200, description = "The newest first", body = [SessionBody]))
)]
pub async fn list_sessions(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<Vec<SessionBody>>, Problem> {
    must_be_own_sign_in(&caller)?;
    let found = state.database().sessions_of(caller.principal.user_id, LISTED_MAX).await;
    let found = found.map_err(errors::database)?;
    Ok(Json(found.into_iter().map(|session| SessionBody::new(session, &caller)).collect()))
}
