//! `POST /reports/{id}/cancel`: takes a draft or a signed report back.

use axum::{extract::State, http::StatusCode, response::Response};
use service::http::problem::Problem;
use uuid::Uuid;

use super::{ReportBody, answer};
use crate::{
    consultations::change::Remark,
    documents::commands::cancel,
    input::{json::JsonOrNothing, path::PathParameters},
    policy::{Permit, WriteReport},
    state::AppState,
};

/// Take a report back
///
/// Whoever verifies it is told so from now on. To correct one, `/replace` it: then readers are led to what is right.
#[utoipa::path(
    post,
    path = "/reports/{id}/cancel",
    tag = "reports",
    security(("bearer" = ["write_report"])),
    params(("id" = Uuid, Path, description = "Report")),
    request_body = Option<Remark>,
    responses(
        (status = 200, description = "Taken back", body = ReportBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "It was cancelled or superseded already", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn cancel_report(
    State(state): State<AppState>,
    permit: Permit<WriteReport>,
    PathParameters(id): PathParameters<Uuid>,
    JsonOrNothing(remark): JsonOrNothing<Remark>,
) -> Result<Response, Problem> {
    answer(&state, StatusCode::OK, cancel(&state, &permit, id, remark).await?).await
}
