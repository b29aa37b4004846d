//! `POST /break-glass/{id}/review`: somebody else says what came of an emergency access.

use axum::{extract::State, http::StatusCode};
use database::ReviewOutcome;
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    errors,
    input::{check::Checks, json::JsonBody, path::PathParameters},
    policy::{Permit, ReviewBreakGlass},
    state::AppState,
};

/// Longest note in characters.
const NOTE_LENGTH_MAX: usize = 2_000;

/// A review.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// What came of it.
    #[schema(example = "Checked with the ward: justified", min_length = 1, max_length = 2000)]
    note: String,
}

/// Review an emergency access
#[utoipa::path(
    post,
    path = "/break-glass/{id}/review",
    tag = "break-glass",
    security(("bearer" = ["review_break_glass"])),
    params(("id" = Uuid, Path, description = "Emergency access")),
    request_body = Review,
    responses(
        (status = 204, description = "Reviewed"),
        (status = 409, description = "It was reviewed already, or it is your own", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn review_break_glass(
    State(state): State<AppState>,
    permit: Permit<ReviewBreakGlass>,
    PathParameters(id): PathParameters<Uuid>,
    JsonBody(request): JsonBody<Review>,
) -> Result<StatusCode, Problem> {
    let mut checks = Checks::new();
    checks.require(!request.note.trim().is_empty(), "note", "is empty");
    checks.text("note", &request.note, NOTE_LENGTH_MAX);
    checks.finish()?;
    let review = (permit.caller.principal.user_id, request.note.as_str());
    let outcome = state.database().review_break_glass(id, review, &permit.caller.actor()).await;
    match outcome.map_err(errors::database)? {
        ReviewOutcome::Reviewed => Ok(StatusCode::NO_CONTENT),
        ReviewOutcome::AlreadyReviewed => Err(Problem::conflict("it was reviewed already")),
        ReviewOutcome::Own => Err(Problem::conflict("somebody else has to review your own access")),
        ReviewOutcome::NotFound => Err(Problem::not_found()),
    }
}
