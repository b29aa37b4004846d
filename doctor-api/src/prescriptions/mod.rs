//! Prescriptions: drafts, signatures, what takes their place, and whether one is genuine.

pub mod cancel_prescription;
mod check;
pub mod config;
pub mod create_prescription;
mod document;
pub mod finalize_prescription;
pub mod fonts;
pub mod get_prescription;
pub mod get_prescription_pdf;
mod items;
mod patient;
pub mod replace_prescription;
pub mod update_prescription;
pub mod verify_prescription;
mod warnings;

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use database::PrescriptionError;
use model::{
    access::Scope,
    clinical::{Prescription, PrescriptionStatus},
    text::hex,
};
use serde::Serialize;
use service::http::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use self::{items::ItemBody, patient::PatientBody, warnings::WarningBody};
use crate::{
    errors,
    input::etag::{changed_meanwhile, entity_tag},
    state::AppState,
};

/// A prescription.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Prescription)]
pub struct PrescriptionBody {
    /// Identity.
    id: Uuid,
    /// In which consultation.
    consultation_id: Uuid,
    /// By whom.
    doctor_id: Uuid,
    /// For whom: Patient ID (0010,0020).
    patient_id: String,
    /// Issuer of Patient ID (0010,0021), often empty.
    issuer_of_patient_id: String,
    /// Whom it is for, as it is printed; none in those that were signed before there was such a thing.
    patient: Option<PatientBody>,
    /// `draft`, `finalized`, `cancelled` or `superseded`.
    #[schema(example = "draft")]
    status: &'static str,
    /// Grows with every change; the ETag is made of it.
    version: i64,
    /// The prescription that it takes the place of once it is signed.
    supersedes: Option<Uuid>,
    /// The medicines.
    items: Vec<ItemBody>,
    /// Allergies that the patient told of.
    declared_allergies: Vec<String>,
    /// To the pharmacy.
    note: String,
    /// What to look at before signing; none of it forbids anything.
    warnings: Vec<WarningBody>,
    /// The signature; none while it is a draft.
    signature: Option<SignatureBody>,
    /// When it was taken back.
    cancelled_at: Option<DateTime<Utc>>,
    /// Why it was.
    remark: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
}

/// The signature of a prescription.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PrescriptionSignature)]
pub struct SignatureBody {
    /// When it was signed.
    finalized_at: DateTime<Utc>,
    /// SHA-256 of what was signed, hexadecimal.
    content_sha256: String,
    /// Which key of the doctor's (RFC 7638).
    key_id: String,
    /// What was signed, with the signature: a JSON Web Signature (RFC 7515, ES256) in its compact form.
    jws: String,
    /// By which anybody finds out whether it is genuine: `GET /prescriptions/{id}/verify?code=`.
    verification_code: String,
}

/// The prescription with what to look at, and its ETag.
async fn answer(
    state: &AppState,
    scope: &Scope,
    status: StatusCode,
    prescription: Prescription,
) -> Result<Response, Problem> {
    let warnings = warnings::of(state, scope, &prescription).await?;
    let tag = entity_tag(prescription.version);
    let body = show(state, prescription, warnings);
    Ok((status, [(header::ETAG, tag)], Json(body)).into_response())
}

fn show(state: &AppState, prescription: Prescription, warnings: Vec<WarningBody>) -> PrescriptionBody {
    let id = prescription.id;
    let signature = prescription.signed.map(|signed| SignatureBody {
        finalized_at: signed.finalized_at,
        content_sha256: hex(&signed.content_sha256),
        key_id: signed.key_id,
        jws: signed.jws,
        verification_code: state.doctor_keys.code_of(id),
    });
    let content = prescription.content;
    PrescriptionBody {
        id,
        consultation_id: prescription.consultation_id,
        doctor_id: prescription.doctor_id,
        patient_id: prescription.patient_id,
        issuer_of_patient_id: prescription.issuer_of_patient_id,
        patient: content.patient.map(Into::into),
        status: prescription.status.as_str(),
        version: prescription.version,
        supersedes: prescription.supersedes,
        items: content.items.into_iter().map(ItemBody::from).collect(),
        declared_allergies: content.declared_allergies,
        note: content.note,
        warnings,
        signature,
        cancelled_at: prescription.cancelled_at,
        remark: prescription.remark,
        created_at: prescription.created_at,
        updated_at: prescription.updated_at,
    }
}

/// Total on purpose, as [`errors::database`].
fn refusal(error: PrescriptionError) -> Problem {
    match error {
        PrescriptionError::Settled(status) => settled(status),
        PrescriptionError::NotMet(status) => {
            let detail = format!(
                "the consultation is {}; prescribe when it has begun, or soon after it",
                status.as_str()
            );
            Problem::conflict(detail).kind("consultation-not-met")
        }
        PrescriptionError::Changed => changed_meanwhile(),
        PrescriptionError::ReplacedAlready => {
            Problem::conflict("another draft takes the place of this prescription already")
                .kind("replaced-already")
        }
        PrescriptionError::ReplacedGone => Problem::conflict(
            "the prescription whose place it takes was taken back; take this draft back, too",
        )
        .kind("replaced-gone"),
        PrescriptionError::Database(error) => errors::database(error),
    }
}

fn settled(status: PrescriptionStatus) -> Problem {
    let possible = match status {
        PrescriptionStatus::Draft => "change it, sign it with /finalize, or take it back with /cancel",
        PrescriptionStatus::Finalized => {
            "it does not change any more: take it back with /cancel, or use /replace"
        }
        PrescriptionStatus::Cancelled | PrescriptionStatus::Superseded => "nothing follows any more",
    };
    Problem::conflict(format!("the prescription is {}; {possible}", status.as_str()))
        .kind("prescription-settled")
}
