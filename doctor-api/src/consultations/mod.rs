//! Meetings of a doctor and a patient, and the studies linked to them.

pub mod cancel_consultation;
pub mod close_consultation;
pub mod create_consultation;
pub mod get_consultation;
pub mod issue_viewer_token;
pub mod link_study;
pub mod list_consultations;
pub mod revoke_viewer_token;
pub mod unlink_study;

use axum::Json;
use chrono::{DateTime, Utc};
use model::{
    access::Extent,
    clinical::{Consultation, ConsultationStatus},
};
use serde::Serialize;
use service::http::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    errors,
    policy::{Permit, UpdateConsultation},
    state::AppState,
};

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
    /// `booked`, `in_progress`, `completed` or `cancelled`.
    #[schema(example = "booked")]
    status: &'static str,
    /// Agreed start.
    scheduled_at: DateTime<Utc>,
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
            reason: consultation.reason,
            version: consultation.version,
            created_at: consultation.created_at,
            updated_at: consultation.updated_at,
        }
    }
}

/// 404 unless the doctor is there and in reach.
async fn require_doctor(
    state: &AppState,
    scope: &model::access::Scope,
    doctor_id: Uuid,
) -> Result<model::clinical::Doctor, Problem> {
    if !scope.includes_doctor(doctor_id) {
        return Err(Problem::not_found());
    }
    let doctor = state.database().doctor(doctor_id).await.map_err(errors::database)?;
    doctor.ok_or_else(Problem::not_found)
}

/// Ends a consultation that is still open. Whoever made it without being its doctor may cancel it until it has begun.
async fn end(
    state: &AppState,
    permit: &Permit<UpdateConsultation>,
    id: Uuid,
    status: ConsultationStatus,
) -> Result<Json<ConsultationBody>, Problem> {
    let (database, actor) = (state.database(), permit.caller.actor());
    let found = database.consultation(&permit.scope, id).await.map_err(errors::database)?;
    let found = found.ok_or_else(Problem::not_found)?;
    let of_a_case = matches!(permit.scope.extent(), Extent::Cases { .. });
    let mine_to_end =
        !of_a_case || (status == ConsultationStatus::Cancelled && found.status == ConsultationStatus::Booked);
    if !found.status.is_open() || !mine_to_end {
        return Err(Problem::conflict("the consultation is not open, or its doctor has to end it"));
    }
    let ended = database.set_consultation_status(&permit.scope, id, (found.version, status), &actor).await;
    Ok(Json(ended.map_err(errors::database)?.into()))
}
