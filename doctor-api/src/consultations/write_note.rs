//! `PUT /consultations/{id}/notes`: the next version of the notes of a consultation that is not over.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
};
use database::NewNote;
use serde::Deserialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{change::refusal, read_notes::NoteBody};
use crate::{
    input::{
        check::Checks,
        etag::{entity_tag, expected_version},
        json::JsonBody,
        path::PathParameters,
    },
    policy::{Permit, WriteNote},
    state::AppState,
};

/// Longest note in characters.
const NOTE_LENGTH_MAX: usize = 50_000;
/// Longest diagnosis in characters.
const DIAGNOSIS_LENGTH_MAX: usize = 2_000;

/// What is to be kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteToWrite {
    /// What was found and said.
    #[schema(example = "Cough for three weeks, no fever. Lungs clear.", max_length = 50_000)]
    note: String,
    /// Diagnosis.
    #[serde(default)]
    #[schema(example = "Acute bronchitis", max_length = 2000)]
    diagnosis: String,
}

/// A version with its ETag.
pub type WrittenNote = (StatusCode, [(HeaderName, HeaderValue); 1], Json<NoteBody>);

/// Write a consultation's notes
///
/// The version before is kept. When the consultation is over, amend it instead.
#[utoipa::path(
    put,
    path = "/consultations/{id}/notes",
    tag = "consultations",
    security(("bearer" = ["write_note"])),
    params(
        ("id" = Uuid, Path, description = "Consultation"),
        ("If-Match" = String, Header, description = "ETag of the notes that these follow; \"0\" for the first")
    ),
    request_body = NoteToWrite,
    responses(
        (status = 200, description = "The new version", body = NoteBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "The consultation is over", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 412, description = "Somebody wrote meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn write_note(
    State(state): State<AppState>,
    permit: Permit<WriteNote>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<NoteToWrite>,
) -> Result<WrittenNote, Problem> {
    keep(&state, &permit, (id, &headers), request, false).await
}

/// Keeps a version or an amendment.
pub async fn keep(
    state: &AppState,
    permit: &Permit<WriteNote>,
    (id, headers): (Uuid, &HeaderMap),
    request: NoteToWrite,
    amendment: bool,
) -> Result<WrittenNote, Problem> {
    let mut checks = Checks::new();
    checks.require(!request.note.trim().is_empty(), "note", "is empty");
    checks.text("note", &request.note, NOTE_LENGTH_MAX);
    checks.text("diagnosis", &request.diagnosis, DIAGNOSIS_LENGTH_MAX);
    checks.finish()?;
    let NoteToWrite { note, diagnosis } = request;
    let new = NewNote { note, diagnosis, amendment, expected_version: expected_version(headers)? };
    let kept = state.database().write_note(&permit.scope, id, new, &permit.caller.actor()).await;
    let kept = kept.map_err(refusal)?;
    let status = if amendment { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, [(header::ETAG, entity_tag(kept.version))], Json(kept.into())))
}
