//! `GET /xrays/{id}/download`: the DICOM file (PS3.10 7), its data set bit for bit as it came.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use service::http::{guard::StreamGuard, problem::Problem};
use uuid::Uuid;

use crate::{
    audit::{self, Looked},
    errors,
    input::path::PathParameters,
    policy::{Permit, ReadStudy},
    state::AppState,
};

/// Download an X-ray
#[utoipa::path(
    get,
    path = "/xrays/{id}/download",
    tag = "xrays",
    security(("bearer" = ["read_study"])),
    params(("id" = Uuid, Path, description = "X-ray")),
    responses(
        (status = 200, description = "A DICOM file", body = Vec<u8>, content_type = "application/dicom",
         headers(("Content-Disposition" = String, description = "The SOP Instance UID as file name"),
                 ("Content-Length" = u64, description = "Length in bytes"))),
    )
)]
pub async fn download_xray(
    State(state): State<AppState>,
    permit: Permit<ReadStudy>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<Response, Problem> {
    let found = state.database().instance_by_id(&permit.scope, id).await.map_err(errors::database)?;
    let stored = found.ok_or_else(Problem::not_found)?;
    let study_instance_uid = stored.study_instance_uid.as_str();
    let what = Looked {
        action: "download_xray",
        study_instance_uid,
        subject: id.to_string(),
        consultation_id: None,
    };
    audit::exported(&state, &permit.caller, what).await?;
    let bytes = state.archive.read_instance(&stored).await.map_err(|error| errors::read(&error))?;
    // A UID is digits and dots, so it cannot break out of the header or name a path.
    let disposition = format!("attachment; filename=\"{}.dcm\"", stored.sop_instance_uid);
    let disposition = HeaderValue::from_str(&disposition);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/dicom")),
        (header::CONTENT_LENGTH, HeaderValue::from(stored.object_length_bytes)),
        (header::CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment"))),
    ];
    let session_id = permit.caller.principal.session_id;
    let study = &stored.study_instance_uid;
    let guard = StreamGuard::of_session(state.database(), session_id, &permit.scope, study);
    Ok(guard.cover((headers, Body::from_stream(bytes)).into_response()))
}
