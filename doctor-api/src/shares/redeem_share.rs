//! `POST /shares/redeem`: the token of a link, and its PIN, for an access token to one study. A GET does nothing, so
//! that programs which look at links do not use them up.

use axum::{extract::State, http::StatusCode};
use chrono::TimeDelta;
use database::{AuditActor, AuditOutcome, AuditRecord, NewSession, SessionKind, Share, ShareOutcome};
use model::access::{Grant, Principal};
use serde::{Deserialize, Serialize};
use service::http::json::Json;
use service::{http::problem::Problem, identity::sha256};
use utoipa::ToSchema;

use super::{PIN_LENGTH_MAX, pin_sha256};
use crate::{
    errors,
    input::{check::Checks, json::JsonBody},
    sessions::{
        allowance::{give_back, of_address, take},
        create_session::SourceAddress,
    },
    state::AppState,
};

/// Longest token that is looked at, in characters.
const TOKEN_LENGTH_MAX: usize = 128;

/// What opens a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareKey {
    /// The token: what stands behind `#` in the link.
    #[schema(max_length = 128, format = Password)]
    token: String,
    /// The PIN, when there is one.
    #[schema(example = "4711", max_length = 12, format = Password)]
    pin: Option<String>,
}

/// An access token to one study.
#[derive(Serialize, ToSchema)]
pub struct RedeemedShare {
    /// Send it as `Authorization: Bearer ...` to `/dicomweb` or `/xrays`.
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds for which it is good at most.
    #[schema(example = 900)]
    expires_in: u32,
    /// The study that it opens.
    study_instance_uid: String,
    /// Times that the link may still be used.
    uses_left: i32,
}

/// Use a share link
///
/// A link that is unknown, taken back, over or used up gives the same 404.
#[utoipa::path(
    post,
    path = "/shares/redeem",
    tag = "shares",
    request_body = ShareKey,
    responses(
        (status = 200, description = "Opened; this use is counted", body = RedeemedShare),
        (status = 403, description = "A PIN is needed, or it is wrong", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "No link that may be used", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 429, description = "Too many tries of this address have failed: try again after Retry-After seconds",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn redeem_share(
    State(state): State<AppState>,
    source: SourceAddress,
    JsonBody(key): JsonBody<ShareKey>,
) -> Result<(StatusCode, Json<RedeemedShare>), Problem> {
    let mut checks = Checks::new();
    checks.filled_line("token", &key.token, TOKEN_LENGTH_MAX);
    checks.line("pin", key.pin.as_deref().unwrap_or_default(), PIN_LENGTH_MAX);
    checks.finish()?;
    let tries = of_address(&state, "share links of an address", &source);
    take(&state, &tries, "too many tries of this address to use a share link have failed").await?;
    let actor = AuditActor { role: "share-link".to_owned(), ..source.actor() };
    let pin = key.pin.as_deref().filter(|pin| !pin.is_empty()).map(|pin| pin_sha256(&key.token, pin));
    let outcome = state.database().redeem_share(&sha256(&key.token), pin, &actor).await;
    match outcome.map_err(errors::database)? {
        ShareOutcome::Opened(share) => {
            give_back(&state, &tries).await;
            open(&state, share, &actor).await
        }
        ShareOutcome::PinNeeded => {
            refused(&state, &actor, "a PIN is needed").await?;
            Err(pin_problem("this link has a PIN: send it too", "pin-needed"))
        }
        ShareOutcome::PinWrong { left } => {
            Err(pin_problem(&format!("the PIN is wrong; {left} tries are left"), "pin-wrong"))
        }
        ShareOutcome::NotFound => {
            refused(&state, &actor, "no link that may be used").await?;
            Err(Problem::not_found())
        }
    }
}

fn pin_problem(detail: &str, kind: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN).kind(kind).detail(detail)
}

async fn refused(state: &AppState, actor: &AuditActor, why: &str) -> Result<(), Problem> {
    let mut record = AuditRecord::success(actor, "redeem_share");
    record.outcome = AuditOutcome::Refused;
    why.clone_into(&mut record.detail);
    state.database().audit(record).await.map_err(errors::database)
}

/// A session of the doctor who made the link, narrowed to the link.
async fn open(
    state: &AppState,
    share: Share,
    actor: &AuditActor,
) -> Result<(StatusCode, Json<RedeemedShare>), Problem> {
    let now = state.clock.now();
    let longest = TimeDelta::seconds(i64::from(state.database().access().share_token_lifetime_seconds));
    let lifetime = longest.min(share.expires_at - now);
    let lifetime_seconds = u32::try_from(lifetime.num_seconds()).unwrap_or(0);
    let mut session = NewSession::new(share.user_id, SessionKind::Share, now + lifetime);
    session.grant_id = Some(share.id);
    let opened = state.database().create_session(session, actor).await.map_err(errors::database)?;
    let principal = Principal {
        session_id: Some(opened.session.id),
        grant: Some(Grant::Share(share.id)),
        ..Principal::new(share.user_id, opened.role, opened.doctor_id)
    };
    let token = state.issuer.issue_for(&principal, lifetime_seconds);
    let token = token.map_err(|error| Problem::internal(&error))?;
    let body = RedeemedShare {
        access_token: token.access_token,
        token_type: "Bearer",
        expires_in: token.expires_in,
        study_instance_uid: share.study_instance_uid.into(),
        uses_left: share.uses_max - share.uses,
    };
    Ok((StatusCode::OK, Json(body)))
}
