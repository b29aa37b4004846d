//! `PUT /forwarding/rules/{id}`: another rule under the same name, for what is stored from now on.

use axum::{extract::State, http::StatusCode};
use service::http::problem::Problem;
use uuid::Uuid;

use super::ForwardRuleContent;
use crate::{
    errors,
    input::{check::Checks, json::JsonBody, path::PathParameters},
    policy::{ManageAes, Permit},
    state::AppState,
};

/// Replace a rule of forwarding
///
/// What is queued already goes where it was queued for.
#[utoipa::path(
    put,
    path = "/forwarding/rules/{id}",
    tag = "forwarding",
    security(("bearer" = ["manage_aes"])),
    params(("id" = Uuid, Path, description = "Rule")),
    request_body = ForwardRuleContent,
    responses((status = 204, description = "It counts from now on"))
)]
pub async fn update_forward_rule(
    State(state): State<AppState>,
    permit: Permit<ManageAes>,
    PathParameters(id): PathParameters<Uuid>,
    JsonBody(content): JsonBody<ForwardRuleContent>,
) -> Result<StatusCode, Problem> {
    let mut checks = Checks::new();
    let rule = content.parse(&mut checks);
    checks.finish()?;
    let rule = rule.ok_or_else(Problem::unprocessable)?;
    let changed = state.database().update_forward_rule(id, &rule, &permit.caller.actor()).await;
    let changed = changed.map_err(errors::database)?;
    if changed { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}
