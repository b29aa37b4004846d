//! `GET /consultations/{id}/notes`: what was written about a consultation, with every version of it.

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, header},
};
use chrono::{DateTime, Utc};
use database::ConsultationNote;
use serde::Serialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    errors,
    input::{etag::entity_tag, path::PathParameters},
    policy::{Permit, ReadNote},
    state::AppState,
};

/// What was written about a consultation.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsultationNotes {
    /// The notes as they are now; none when nothing was written.
    current: Option<NoteBody>,
    /// The versions before, the oldest first.
    earlier: Vec<NoteBody>,
    /// What was added after the consultation was over, the oldest first.
    amendments: Vec<NoteBody>,
}

/// A version of the notes, or an amendment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Note)]
pub struct NoteBody {
    /// Grows with each version and each amendment; the ETag is made of the last one.
    version: i64,
    /// What was found and said.
    note: String,
    /// Diagnosis.
    diagnosis: String,
    /// Who wrote it.
    written_by: Option<Uuid>,
    /// As what.
    #[schema(example = "doctor")]
    role: String,
    /// When.
    written_at: DateTime<Utc>,
}

impl From<ConsultationNote> for NoteBody {
    fn from(note: ConsultationNote) -> Self {
        let ConsultationNote { version, amendment: _, note, diagnosis, written_by, role, written_at } = note;
        Self { version, note, diagnosis, written_by, role, written_at }
    }
}

/// Read a consultation's notes
#[utoipa::path(
    get,
    path = "/consultations/{id}/notes",
    tag = "consultations",
    security(("bearer" = ["read_note"])),
    params(("id" = Uuid, Path, description = "Consultation")),
    responses((status = 200, description = "The notes, their versions, the amendments", body = ConsultationNotes,
               headers(("ETag" = String, description = "Version, for If-Match; \"0\" when nothing was written"))))
)]
pub async fn read_notes(
    State(state): State<AppState>,
    permit: Permit<ReadNote>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<ConsultationNotes>), Problem> {
    let found = state.database().consultation_notes(&permit.scope, id).await.map_err(errors::database)?;
    let written = found.ok_or_else(Problem::not_found)?;
    let version = written.last().map_or(0, |last| last.version);
    let (amendments, mut earlier): (Vec<_>, Vec<_>) = written.into_iter().partition(|note| note.amendment);
    let current = earlier.pop().map(NoteBody::from);
    let show = |notes: Vec<ConsultationNote>| notes.into_iter().map(NoteBody::from).collect();
    let notes = ConsultationNotes { current, earlier: show(earlier), amendments: show(amendments) };
    Ok(([(header::ETAG, entity_tag(version))], Json(notes)))
}
