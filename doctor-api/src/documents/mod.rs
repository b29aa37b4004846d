//! What is the same in prescriptions and reports: how a doctor's draft becomes a signed document, what is told of it, its paper.

pub mod commands;
pub mod fonts;
pub mod licence;
pub mod patient;
pub mod pdf;
mod signing;
pub mod verify;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use database::DocumentError;
use model::{
    clinical::{ClinicalDocument, DocumentContent, DocumentStatus},
    text::hex,
};
use serde::Serialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use self::patient::PatientBody;
use crate::{
    errors,
    input::{
        check::Checks,
        etag::{changed_meanwhile, entity_tag},
    },
    state::AppState,
};

/// A document, without what it says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClinicalDocument)]
pub struct DocumentBody {
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
    /// The one that it takes the place of once it is signed.
    supersedes: Option<Uuid>,
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

/// The signature of a document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DocumentSignature)]
pub struct SignatureBody {
    /// When it was signed.
    finalized_at: DateTime<Utc>,
    /// SHA-256 of what was signed, hexadecimal.
    content_sha256: String,
    /// Which key of the doctor's (RFC 7638).
    key_id: String,
    /// What was signed, with the signature: a JSON Web Signature (RFC 7515, ES256) in its compact form.
    jws: String,
    /// By which anybody finds out whether it is genuine, with `/verify?code=`.
    verification_code: String,
}

impl DocumentBody {
    /// The document without its content, and the content.
    pub fn split<C: DocumentContent>(state: &AppState, document: ClinicalDocument<C>) -> (Self, C) {
        let id = document.id;
        let signature = document.signed.map(|signed| SignatureBody {
            finalized_at: signed.finalized_at,
            content_sha256: hex(&signed.content_sha256),
            key_id: signed.key_id,
            jws: signed.jws,
            verification_code: state.doctor_keys.code_of(id),
        });
        let mut content = document.content;
        let body = Self {
            id,
            consultation_id: document.consultation_id,
            doctor_id: document.doctor_id,
            patient_id: document.patient_id,
            issuer_of_patient_id: document.issuer_of_patient_id,
            patient: content.patient_mut().take().map(Into::into),
            status: document.status.as_str(),
            version: document.version,
            supersedes: document.supersedes,
            signature,
            cancelled_at: document.cancelled_at,
            remark: document.remark,
            created_at: document.created_at,
            updated_at: document.updated_at,
        };
        (body, content)
    }
}

/// The answer that shows it, with its ETag.
pub fn tagged(status: StatusCode, version: i64, body: impl Serialize) -> Response {
    (status, [(header::ETAG, entity_tag(version))], Json(body)).into_response()
}

/// Total on purpose, as [`errors::database`].
pub fn refusal<C: DocumentContent>(error: DocumentError) -> Problem {
    let noun = C::NOUN;
    match error {
        DocumentError::Settled(status) => settled::<C>(status),
        DocumentError::DoctorInactive => Problem::conflict(format!(
            "the doctor is deactivated, and signs no {noun} any more: an administrator activates the profile"
        )),
        DocumentError::NotMet(status) => {
            let detail = format!(
                "the consultation is {}; write a {noun} when it has begun, or soon after it",
                status.as_str()
            );
            Problem::conflict(detail).kind("consultation-not-met")
        }
        DocumentError::Changed => changed_meanwhile(),
        DocumentError::ReplacedAlready => {
            Problem::conflict(format!("another draft takes the place of this {noun} already"))
                .kind("replaced-already")
        }
        DocumentError::ReplacedGone => Problem::conflict(format!(
            "the {noun} whose place it takes was taken back; take this draft back, too"
        ))
        .kind("replaced-gone"),
        DocumentError::ForeignStudies(places) => {
            let mut checks = Checks::new();
            for place in places {
                let message = "is no study of this consultation or its patient in your reach";
                checks.refuse(&format!("study_instance_uids[{place}]"), message);
            }
            checks.finish().err().unwrap_or_else(Problem::unprocessable)
        }
        DocumentError::Database(error) => errors::database(error),
    }
}

fn settled<C: DocumentContent>(status: DocumentStatus) -> Problem {
    let possible = match status {
        DocumentStatus::Draft => "change it, sign it with /finalize, or take it back with /cancel",
        DocumentStatus::Finalized => {
            "it does not change any more: take it back with /cancel, or use /replace"
        }
        DocumentStatus::Cancelled | DocumentStatus::Superseded => "nothing follows any more",
    };
    Problem::conflict(format!("the {} is {}; {possible}", C::NOUN, status.as_str()))
        .kind(&format!("{}-settled", C::NOUN))
}
