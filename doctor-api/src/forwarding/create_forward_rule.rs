//! `POST /forwarding/rules`: sends on what is stored from now on and fits.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use database::DatabaseError;
use serde::Deserialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;

use super::{ForwardRuleBody, ForwardRuleContent, NAME_LENGTH_MAX};
use crate::{
    errors,
    input::{check::Checks, json::JsonBody},
    location::at,
    policy::{ManageAes, Permit},
    state::AppState,
};

/// A rule to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateForwardRule {
    /// Name; there is one rule for each.
    #[schema(example = "chests to the centre", min_length = 1, max_length = 100)]
    name: String,
    /// The rule.
    rule: ForwardRuleContent,
}

/// Make a rule of forwarding
///
/// What is stored from now on and fits is sent to the destination, again and again until it has arrived.
#[utoipa::path(
    post,
    path = "/forwarding/rules",
    tag = "forwarding",
    security(("bearer" = ["manage_aes"])),
    request_body = CreateForwardRule,
    responses(
        (status = 201, description = "Made", body = ForwardRuleBody,
         headers(("Location" = String, description = "Where the rule is"))),
        (status = 409, description = "There is a rule of this name", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn create_forward_rule(
    State(state): State<AppState>,
    permit: Permit<ManageAes>,
    JsonBody(request): JsonBody<CreateForwardRule>,
) -> Result<Response, Problem> {
    let mut checks = Checks::new();
    checks.filled_line("name", &request.name, NAME_LENGTH_MAX);
    let rule = request.rule.parse(&mut checks);
    checks.finish()?;
    let rule = rule.ok_or_else(Problem::unprocessable)?;
    let made = state.database().create_forward_rule(&request.name, rule, &permit.caller.actor()).await;
    let row = made.map_err(|error| match error {
        DatabaseError::Conflict(why) => Problem::conflict(why).field("name", "is taken"),
        other => errors::database(other),
    })?;
    let location = format!("/forwarding/rules/{}", row.id);
    Ok(at(&location, (StatusCode::CREATED, Json(ForwardRuleBody::from(row))).into_response()))
}
