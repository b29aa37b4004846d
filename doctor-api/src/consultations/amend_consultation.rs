//! `POST /consultations/{id}/amendments`: what comes to mind, or to light, after a consultation is over.

use axum::{extract::State, http::HeaderMap};
use service::http::problem::Problem;
use uuid::Uuid;

use super::{
    read_notes::NoteBody,
    write_note::{NoteToWrite, WrittenNote, keep},
};
use crate::{
    input::{json::JsonBody, path::PathParameters},
    policy::{Permit, WriteNote},
    state::AppState,
};

/// Amend the notes of a consultation that is over
///
/// The notes stay as they were; the amendment stands beside them.
#[utoipa::path(
    post,
    path = "/consultations/{id}/amendments",
    tag = "consultations",
    security(("bearer" = ["write_note"])),
    params(
        ("id" = Uuid, Path, description = "Consultation"),
        ("If-Match" = String, Header, description = "ETag of the notes that it is about")
    ),
    request_body = NoteToWrite,
    responses(
        (status = 201, description = "The amendment", body = NoteBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "The consultation is not over", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 412, description = "Somebody wrote meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn amend_consultation(
    State(state): State<AppState>,
    permit: Permit<WriteNote>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<NoteToWrite>,
) -> Result<WrittenNote, Problem> {
    keep(&state, &permit, (id, &headers), request, true).await
}
