//! `PUT /reports/{id}`: what a draft says instead.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use model::clinical::ReportContent;
use service::http::problem::Problem;
use uuid::Uuid;

use super::{ReportBody, answer, check::check, content::ReportContentBody};
use crate::{
    documents::commands::update,
    input::{json::JsonBody, path::PathParameters},
    policy::{Permit, WriteReport},
    state::AppState,
};

/// Change a draft of a report
#[utoipa::path(
    put,
    path = "/reports/{id}",
    tag = "reports",
    security(("bearer" = ["write_report"])),
    params(
        ("id" = Uuid, Path, description = "Report"),
        ("If-Match" = String, Header, description = "ETag of the draft that the change is made on")
    ),
    request_body = ReportContentBody,
    responses(
        (status = 200, description = "The draft", body = ReportBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "It is no draft any more", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 412, description = "It was changed meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn update_report(
    State(state): State<AppState>,
    permit: Permit<WriteReport>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ReportContentBody>,
) -> Result<Response, Problem> {
    let content = ReportContent::from(body);
    check(&content, state.clock.now())?;
    let updated = update(&state, &permit, (id, &headers), content).await?;
    answer(&state, StatusCode::OK, updated).await
}
