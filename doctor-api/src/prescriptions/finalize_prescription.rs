//! `POST /prescriptions/{id}/finalize`: signs a draft with its doctor's key. It does not change any more.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use model::clinical::{PrescriptionStatus, SignedPrescription};
use service::http::problem::Problem;
use uuid::Uuid;

use super::{PrescriptionBody, answer, document::document, refusal, settled};
use crate::{
    errors,
    input::{
        etag::{changed_meanwhile, expected_version},
        path::PathParameters,
    },
    policy::{Permit, WritePrescription},
    state::AppState,
};

/// Sign a prescription
///
/// What is signed says everything: patient, doctor with licence, medicines, time. A prescription that this one replaces
/// is superseded in the same step. As when it was begun, the consultation has to be in progress, or completed lately.
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
        (status = 409, description = "It is no draft any more, what it replaces was taken back, or the consultation was \
                                      not held or is long over",
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
    let found = state.database().prescription(&permit.scope, id).await.map_err(errors::database)?;
    let draft =
        found.filter(|draft| permit.scope.includes_doctor(draft.doctor_id)).ok_or_else(Problem::not_found)?;
    if headers.contains_key(header::IF_MATCH) && expected_version(&headers)? != draft.version {
        return Err(changed_meanwhile());
    }
    if draft.status != PrescriptionStatus::Draft {
        return Err(settled(draft.status));
    }
    let doctor = state.database().doctor(draft.doctor_id).await.map_err(errors::database)?;
    let doctor = doctor.ok_or_else(Problem::not_found)?;
    let finalized_at = state.clock.now();
    let signed = state.doctor_keys.sign(doctor.id, &document(&draft, &doctor, finalized_at));
    let signed = signed.map_err(|error| Problem::internal(&error))?;
    let signed = SignedPrescription {
        jws: signed.jws,
        content_sha256: signed.sha256,
        key_id: signed.key_id,
        finalized_at,
    };
    let actor = permit.caller.actor();
    let kept =
        state.database().finalize_prescription(&permit.scope, id, (draft.version, signed), &actor).await;
    answer(&state, &permit.scope, StatusCode::OK, kept.map_err(refusal)?).await
}
