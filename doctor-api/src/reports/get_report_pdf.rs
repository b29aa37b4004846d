//! `GET /reports/{id}/pdf`: a report on paper, with a code that leads to its check.

use axum::{extract::State, http::HeaderMap, response::Response};
use model::clinical::ReportContent;
use service::http::problem::Problem;
use uuid::Uuid;

use crate::{
    documents::pdf::{PdfQuery, pdf},
    input::{path::PathParameters, query::QueryParameters},
    policy::{Permit, ReadReport},
    state::AppState,
};

/// Read a report as a PDF
///
/// For whoever may read the report. A draft says on every page that it is one, and so does what was cancelled or
/// superseded. The square code leads to `/reports/{id}/verify`.
#[utoipa::path(
    get,
    path = "/reports/{id}/pdf",
    tag = "reports",
    security(("bearer" = ["read_report"])),
    params(
        ("id" = Uuid, Path, description = "Report"),
        PdfQuery,
        ("If-None-Match" = Option<String>, Header, description = "ETag of the PDF that the asker has")
    ),
    responses(
        (status = 200, description = "The PDF (PDF/A-2b)", body = Vec<u8>, content_type = "application/pdf",
         headers(("ETag" = String, description = "Of these bytes"),
                 ("Content-Disposition" = String, description = "The id as file name"))),
        (status = 304, description = "The asker has it already"),
        (status = 409, description = "No font on this server has a character of it; the detail names the script",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get_report_pdf(
    State(state): State<AppState>,
    permit: Permit<ReadReport>,
    PathParameters(id): PathParameters<Uuid>,
    QueryParameters(query): QueryParameters<PdfQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    pdf::<ReportContent, _>(&state, &permit, (id, &headers), &query).await
}
