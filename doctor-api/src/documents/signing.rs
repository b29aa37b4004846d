//! What a doctor signs: one JSON document that says it all, so that the signature can be read without this program.

use chrono::{DateTime, SecondsFormat, Utc};
use model::clinical::{ClinicalDocument, Doctor, DocumentContent, SignerProfile};
use serde::Deserialize;
use serde_json::json;
use service::identity::{DoctorKeys, sha256_of};
use uuid::Uuid;

/// The document, as bytes.
pub fn document<C: DocumentContent>(
    document: &ClinicalDocument<C>,
    doctor: &Doctor,
    finalized_at: DateTime<Utc>,
) -> Vec<u8> {
    let document = json!({
        "type": C::NOUN,
        "id": document.id,
        "supersedes": document.supersedes,
        "consultation_id": document.consultation_id,
        "patient": {
            "patient_id": document.patient_id,
            "issuer_of_patient_id": document.issuer_of_patient_id,
        },
        "doctor": {
            "id": doctor.id,
            "name": doctor.name,
            "licence_number": doctor.licence_number,
            "profile": SignerProfile::from(doctor),
        },
        "content": document.content,
        "finalized_at": finalized_at.to_rfc3339_opts(SecondsFormat::Micros, true),
    });
    document.to_string().into_bytes()
}

/// What a document says of itself.
#[derive(Debug, Deserialize)]
pub struct SignedContent<C> {
    #[serde(rename = "type")]
    kind: String,
    id: Uuid,
    patient: SignedPatient,
    /// Who signed, as it was when it was signed.
    pub doctor: Signer,
    content: C,
}

#[derive(Debug, Deserialize)]
struct SignedPatient {
    patient_id: String,
    issuer_of_patient_id: String,
}

/// Who signed.
#[derive(Debug, Default, Deserialize)]
pub struct Signer {
    id: Uuid,
    pub name: String,
    pub licence_number: String,
    /// What else the paper shows; none where it was signed before it was a part of what is signed.
    pub profile: Option<SignerProfile>,
}

impl<C: DocumentContent> SignedContent<C> {
    /// The document out of its bytes.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// What was signed of a document; none of a draft, and of what is not as its doctor signed it.
    pub fn of(keys: &DoctorKeys, document: &ClinicalDocument<C>) -> Option<Self> {
        let signed = document.signed.as_ref()?;
        let bytes = keys.verify(document.doctor_id, &signed.jws)?;
        let is_signed = sha256_of(&bytes) == signed.content_sha256;
        Self::read(&bytes).filter(|content| is_signed && content.is_of(document))
    }

    /// Whether it is what was signed of this document: a good signature of another one proves nothing of this.
    pub fn is_of(&self, document: &ClinicalDocument<C>) -> bool {
        let SignedPatient { patient_id, issuer_of_patient_id } = &self.patient;
        self.kind == C::NOUN
            && self.id == document.id
            && self.doctor.id == document.doctor_id
            && *patient_id == document.patient_id
            && *issuer_of_patient_id == document.issuer_of_patient_id
            && self.content == document.content
    }
}

#[cfg(test)]
mod tests {
    use model::clinical::{
        DocumentPatient, DocumentSignature, DocumentStatus, Prescription, PrescriptionContent, ReportContent,
    };
    use serde_json::Value;

    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn prescription() -> Prescription {
        Prescription {
            id: Uuid::from_u128(1),
            consultation_id: Uuid::from_u128(2),
            doctor_id: Uuid::from_u128(3),
            patient_id: "P1".into(),
            issuer_of_patient_id: "HOSP".into(),
            status: DocumentStatus::Finalized,
            version: 2,
            supersedes: None,
            content: PrescriptionContent { note: "after meals".into(), ..PrescriptionContent::default() },
            signed: None,
            cancelled_at: None,
            remark: String::new(),
            created_at: NOW,
            updated_at: NOW,
        }
    }

    fn ada() -> Doctor {
        let licence = json!({ "number": "L-7", "issuer": "Council", "expires_on": "2030-01-31" });
        let doctor = json!({
            "id": Uuid::from_u128(3), "name": "Ada", "specialties": ["Radiology"], "languages": [], "time_zone": "UTC",
            "licence_number": "MD-1", "contact": "", "details": { "licences": [licence], "phone": "+233 1" },
            "active": true, "version": 1, "created_at": NOW, "updated_at": NOW,
        });
        serde_json::from_value(doctor).expect("a doctor")
    }

    #[test]
    fn what_is_signed_is_of_one_document_alone() {
        let (prescription, doctor) = (prescription(), ada());
        let bytes = document(&prescription, &doctor, NOW);
        let read = SignedContent::<PrescriptionContent>::read(&bytes).expect("a document");
        assert!(read.is_of(&prescription));
        assert_eq!((read.doctor.name.as_str(), read.doctor.licence_number.as_str()), ("Ada", "MD-1"));
        let of_a_report = String::from_utf8(bytes).expect("UTF-8").replace("\"prescription\"", "\"report\"");
        let of_a_report = SignedContent::<PrescriptionContent>::read(of_a_report.as_bytes());
        assert!(!of_a_report.expect("a document").is_of(&prescription));
        assert!(SignedContent::<ReportContent>::read(&document(&prescription, &doctor, NOW)).is_none());
        let content = PrescriptionContent { note: "before meals".into(), ..PrescriptionContent::default() };
        let patient = DocumentPatient { name: "Somebody Else".into(), birth_date: None };
        let of_another = PrescriptionContent { patient: Some(patient), ..prescription.content.clone() };
        for other in [
            Prescription { id: Uuid::nil(), ..prescription.clone() },
            Prescription { doctor_id: Uuid::nil(), ..prescription.clone() },
            Prescription { patient_id: "P2".into(), ..prescription.clone() },
            Prescription { issuer_of_patient_id: String::new(), ..prescription.clone() },
            Prescription { content, ..prescription.clone() },
            Prescription { content: of_another, ..prescription.clone() },
        ] {
            assert!(!read.is_of(&other), "{other:?}");
        }
    }

    #[test]
    fn what_was_signed_with_and_without_the_profile_holds() {
        let (keys, doctor) = (DoctorKeys::ephemeral().expect("keys"), ada());
        let profile = SignerProfile::from(&doctor);
        assert_eq!((profile.specialties.len(), profile.licences.len()), (1, 1));
        assert_eq!(profile.contacts, ["+233 1"], "what is empty is no line");
        let now = document(&prescription(), &doctor, NOW);
        let mut before: Value = serde_json::from_slice(&now).expect("JSON");
        before["doctor"].as_object_mut().expect("an object").remove("profile").expect("a profile");
        for (bytes, expected) in [(now, Some(profile)), (before.to_string().into_bytes(), None)] {
            let signed = keys.sign(doctor.id, &bytes).expect("signed");
            let signature = DocumentSignature {
                jws: signed.jws,
                content_sha256: signed.sha256,
                key_id: signed.key_id,
                finalized_at: NOW,
            };
            let kept = Prescription { signed: Some(signature), ..prescription() };
            let read = SignedContent::of(&keys, &kept).expect("it holds");
            assert_eq!((read.doctor.name.as_str(), read.doctor.profile), ("Ada", expected));
        }
    }
}
