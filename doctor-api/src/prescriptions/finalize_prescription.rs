//! `POST /prescriptions/{id}/finalize`: signs a draft with its doctor's key. It does not change any more.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use service::http::problem::Problem;
use uuid::Uuid;

use super::{PrescriptionBody, answer_with, warnings::of_licence};
use crate::{
    documents::commands::finalize,
    input::path::PathParameters,
    policy::{Permit, WritePrescription},
    state::AppState,
};

/// Sign a prescription
///
/// What is signed says everything: patient, doctor with licences, specialties and contact as they are printed, medicines,
/// time. A prescription that this one replaces is superseded in the same step. As when it was begun, the consultation has to
/// be in progress, or completed lately. A doctor who is deactivated signs nothing; one whose licences are over is warned
/// (`licence_ended`), here once more.
#[utoipa::path(
    post,
    path = "/prescriptions/{id}/finalize",
    tag = "prescriptions",
    security(("bearer" = ["write_prescription"])),
    params(
        ("id" = Uuid, Path, description = "Prescription"),
        ("If-Match" = Option<String>, Header, description = "ETag of the draft that was looked at")
    ),
    responses(
        (status = 200, description = "Signed", body = PrescriptionBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "It is no draft any more, what it replaces was taken back, the doctor is deactivated, \
                                      or the consultation was not held or is long over",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
        (status = 412, description = "It was changed meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn finalize_prescription(
    State(state): State<AppState>,
    permit: Permit<WritePrescription>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (signed, licence_ended) = finalize(&state, &permit, (id, &headers), |_| Ok(())).await?;
    let warnings = licence_ended.map(of_licence).into_iter().collect();
    Ok(answer_with(&state, StatusCode::OK, signed, warnings))
}
