//! `POST /reports/{id}/replace`: a draft that takes the place of a signed report once it is signed itself.

use axum::{extract::State, http::StatusCode, response::Response};
use model::clinical::ReportContent;
use service::http::problem::Problem;
use uuid::Uuid;

use super::{ReportBody, answer, check::check, content::ReportContentBody};
use crate::{
    documents::commands::replace,
    input::{json::JsonBody, path::PathParameters},
    location::at,
    policy::{Permit, WriteReport},
    state::AppState,
};

/// Replace a report
///
/// For a correction or an addendum: the draft says everything that is to hold. The signed one holds until the draft is signed.
#[utoipa::path(
    post,
    path = "/reports/{id}/replace",
    tag = "reports",
    security(("bearer" = ["write_report"])),
    params(("id" = Uuid, Path, description = "Report")),
    request_body = ReportContentBody,
    responses(
        (status = 201, description = "A draft", body = ReportBody,
         headers(("Location" = String, description = "Where the draft is"),
                 ("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "It is not signed, or a draft takes its place already",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn replace_report(
    State(state): State<AppState>,
    permit: Permit<WriteReport>,
    PathParameters(id): PathParameters<Uuid>,
    JsonBody(body): JsonBody<ReportContentBody>,
) -> Result<Response, Problem> {
    let content = ReportContent::from(body);
    check(&content, state.clock.now())?;
    let draft = replace(&state, &permit, id, content).await?;
    let location = format!("/reports/{}", draft.id);
    Ok(at(&location, answer(&state, StatusCode::CREATED, draft).await?))
}
