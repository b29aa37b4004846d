//! Meetings of a doctor and a patient, and the studies linked to them.

pub mod amend_consultation;
pub mod change;
pub mod commands;
pub mod create_consultation;
pub mod edit_consultation;
mod findings;
pub mod get_consultation;
pub mod issue_viewer_token;
pub mod link_study;
pub mod list_consultation_studies;
pub mod list_consultations;
pub mod read_history;
pub mod read_notes;
pub mod reassign_consultation;
pub mod reschedule_consultation;
pub mod revoke_viewer_token;
mod studies;
pub mod unlink_study;
pub mod write_note;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use model::clinical::{Consultation, ConsultationCommand};
use serde::Serialize;
use service::http::json::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::input::etag::entity_tag;

/// One meeting of a doctor and a patient.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Consultation)]
pub struct ConsultationBody {
    /// Identity.
    id: Uuid,
    /// The doctor.
    doctor_id: Uuid,
    /// Patient ID (0010,0020).
    patient_id: String,
    /// Issuer of Patient ID (0010,0021), often empty.
    issuer_of_patient_id: String,
    /// Name of the patient as the booker wrote it.
    patient_name: String,
    /// `proposed`, `booked`, `arrived`, `in_progress`, `completed`, `cancelled` or `no_show`.
    #[schema(example = "booked")]
    status: &'static str,
    /// Agreed start.
    scheduled_at: DateTime<Utc>,
    /// Agreed end; none for one that was begun without an appointment.
    ends_at: Option<DateTime<Utc>>,
    /// What can be done with it now, as in `POST /consultations/{id}/start`.
    #[schema(example = json!(["arrive", "start", "cancel", "no-show", "reschedule", "reassign"]))]
    commands: Vec<&'static str>,
    /// Why the patient comes.
    reason: String,
    /// Grows with every change.
    version: i64,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
}

impl From<Consultation> for ConsultationBody {
    fn from(consultation: Consultation) -> Self {
        Self {
            id: consultation.id,
            doctor_id: consultation.doctor_id,
            patient_id: consultation.patient_id,
            issuer_of_patient_id: consultation.issuer_of_patient_id,
            patient_name: consultation.patient_name,
            status: consultation.status.as_str(),
            scheduled_at: consultation.scheduled_at,
            ends_at: consultation.ends_at,
            commands: consultation.status.legal_commands().map(ConsultationCommand::as_str).collect(),
            reason: consultation.reason,
            version: consultation.version,
            created_at: consultation.created_at,
            updated_at: consultation.updated_at,
        }
    }
}

/// The consultation with its ETag.
fn answer(status: StatusCode, consultation: Consultation) -> Response {
    let tag = entity_tag(consultation.version);
    (status, [(header::ETAG, tag)], Json(ConsultationBody::from(consultation))).into_response()
}
