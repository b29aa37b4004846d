//! What a doctor writes of a patient in a consultation and signs (after FHIR Composition): what is the same in a prescription
//! and in a report.

use std::{fmt::Debug, str::FromStr};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::doctor::{Doctor, Licence};
use crate::event::Event;

/// Where a document stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentStatus {
    /// Being written.
    Draft,
    /// Signed: it does not change any more.
    Finalized,
    /// Taken back.
    Cancelled,
    /// Another one, finalized later, took its place.
    Superseded,
}

impl DocumentStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Finalized, Self::Cancelled, Self::Superseded];

    /// The word kept in the database and shown in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Finalized => "finalized",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
        }
    }
}

/// A word that is no status of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("status is one of draft, finalized, cancelled, superseded")]
pub struct UnknownDocumentStatus;

impl FromStr for DocumentStatus {
    type Err = UnknownDocumentStatus;
    fn from_str(text: &str) -> Result<Self, UnknownDocumentStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownDocumentStatus)
    }
}

/// What a document says, and which kind it makes of it.
pub trait DocumentContent:
    Debug + Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + Unpin + 'static
{
    /// The word for such a document: in what is signed, in the audit trail, as its table, and in paths with an s.
    const NOUN: &'static str;

    /// Whom it is for.
    fn patient(&self) -> Option<&DocumentPatient>;

    /// The same, to be changed.
    fn patient_mut(&mut self) -> &mut Option<DocumentPatient>;

    /// The studies that it is about.
    fn study_instance_uids(&self) -> &[String] {
        &[]
    }

    /// What is told when it is signed.
    fn finalized(document: &ClinicalDocument<Self>) -> Event;

    /// What is told when it is taken back after it was signed.
    fn cancelled(document: &ClinicalDocument<Self>) -> Event;
}

/// Whom a document is for, as people read it. Who the patient is to the archive says the Patient ID.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentPatient {
    /// As people write it; empty when nobody knows.
    #[serde(default)]
    pub name: String,
    /// When the patient was born.
    #[serde(default)]
    pub birth_date: Option<NaiveDate>,
}

/// What the paper of a document shows of its doctor beside name and licence number. It is signed with the document, so that a
/// paper says the same when the profile has changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SignerProfile {
    /// Specialties in words.
    pub specialties: Vec<String>,
    /// Licences to practise.
    pub licences: Vec<Licence>,
    /// Lines of contact, in the order of the paper.
    pub contacts: Vec<String>,
}

impl From<&Doctor> for SignerProfile {
    fn from(doctor: &Doctor) -> Self {
        let details = &doctor.details;
        let contacts = [&doctor.contact, &details.phone, &details.email];
        Self {
            specialties: doctor.specialties.iter().map(|specialty| specialty.text.clone()).collect(),
            licences: details.licences.clone(),
            contacts: contacts.into_iter().filter(|line| !line.is_empty()).cloned().collect(),
        }
    }
}

/// A document.
#[derive(Debug, Clone, PartialEq)]
pub struct ClinicalDocument<C> {
    /// Identity.
    pub id: Uuid,
    /// In which consultation.
    pub consultation_id: Uuid,
    /// By whom.
    pub doctor_id: Uuid,
    /// For whom: Patient ID (0010,0020).
    pub patient_id: String,
    /// Issuer of Patient ID (0010,0021).
    pub issuer_of_patient_id: String,
    /// Where it stands.
    pub status: DocumentStatus,
    /// Grows with every change.
    pub version: i64,
    /// The one that it takes the place of.
    pub supersedes: Option<Uuid>,
    /// What it says.
    pub content: C,
    /// What was signed.
    pub signed: Option<DocumentSignature>,
    /// When it was taken back.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// Why it was.
    pub remark: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// The signature of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentSignature {
    /// JSON Web Signature (RFC 7515), compact, over the whole document.
    pub jws: String,
    /// SHA-256 of the document.
    pub content_sha256: [u8; 32],
    /// Which key of the doctor's.
    pub key_id: String,
    /// When.
    pub finalized_at: DateTime<Utc>,
}
