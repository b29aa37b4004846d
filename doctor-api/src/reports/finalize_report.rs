//! `POST /reports/{id}/finalize`: signs a draft with its doctor's key. It does not change any more.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use service::http::problem::Problem;
use uuid::Uuid;

use super::{ReportBody, answer_with, check::is_whole};
use crate::{
    documents::commands::finalize,
    input::path::PathParameters,
    policy::{Permit, WriteReport},
    state::AppState,
};

/// Sign a report
///
/// What is signed says everything: patient, doctor with licences, specialties and contact as they are printed, studies, findings,
/// impression, time. It needs findings and an impression. A report that this one replaces is superseded in the same step. As when it was begun, the consultation has to be in
/// progress, or completed lately, and the studies have to be its patient's. A doctor who is deactivated signs nothing; one
/// whose licences are over is warned (`licence_ended`), here once more.
#[utoipa::path(
    post,
    path = "/reports/{id}/finalize",
    tag = "reports",
    security(("bearer" = ["write_report"])),
    params(
        ("id" = Uuid, Path, description = "Report"),
        ("If-Match" = Option<String>, Header, description = "ETag of the draft that was looked at")
    ),
    responses(
        (status = 200, description = "Signed", body = ReportBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "It is no draft any more, what it replaces was taken back, the doctor is deactivated, \
                                      or the consultation was not held or is long over",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
        (status = 412, description = "It was changed meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "It has no findings or no impression, or names a study that is not its patient's any more",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn finalize_report(
    State(state): State<AppState>,
    permit: Permit<WriteReport>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (signed, licence_ended) = finalize(&state, &permit, (id, &headers), is_whole).await?;
    Ok(answer_with(&state, StatusCode::OK, signed, licence_ended))
}
