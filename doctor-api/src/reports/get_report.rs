//! `GET /reports/{id}`: one report; drafts are their doctor's alone.

use axum::{extract::State, http::StatusCode, response::Response};
use service::http::problem::Problem;
use uuid::Uuid;

use super::{ReportBody, answer};
use crate::{
    documents::commands::read,
    input::path::PathParameters,
    policy::{Permit, ReadReport},
    state::AppState,
};

/// Read a report
///
/// Signed ones are also read by the doctors of the patient's other consultations and by whoever brought the case.
#[utoipa::path(
    get,
    path = "/reports/{id}",
    tag = "reports",
    security(("bearer" = ["read_report"])),
    params(("id" = Uuid, Path, description = "Report")),
    responses((status = 200, description = "The report", body = ReportBody,
               headers(("ETag" = String, description = "Version, for If-Match"))))
)]
pub async fn get_report(
    State(state): State<AppState>,
    permit: Permit<ReadReport>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<Response, Problem> {
    answer(&state, StatusCode::OK, read(&state, &permit, id).await?).await
}
