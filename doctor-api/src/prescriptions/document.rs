//! What a doctor signs: one JSON document that says it all, so that the signature can be read without this program.

use chrono::{DateTime, SecondsFormat, Utc};
use model::clinical::{Doctor, Prescription};
use serde_json::json;

/// The document, as bytes.
pub fn document(prescription: &Prescription, doctor: &Doctor, finalized_at: DateTime<Utc>) -> Vec<u8> {
    let document = json!({
        "type": "prescription",
        "id": prescription.id,
        "supersedes": prescription.supersedes,
        "consultation_id": prescription.consultation_id,
        "patient": {
            "patient_id": prescription.patient_id,
            "issuer_of_patient_id": prescription.issuer_of_patient_id,
        },
        "doctor": { "id": doctor.id, "name": doctor.name, "licence_number": doctor.licence_number },
        "content": prescription.content,
        "finalized_at": finalized_at.to_rfc3339_opts(SecondsFormat::Micros, true),
    });
    document.to_string().into_bytes()
}
