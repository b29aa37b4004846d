//! What stands on the paper.

use chrono::{DateTime, Utc};
use model::clinical::{Doctor, Prescription, PrescriptionItem, PrescriptionStatus};

use crate::labels::{Labels, Language};

/// Whether the paper is good, as its first line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Signed, and the signature holds.
    Valid,
    /// Not signed yet.
    Draft,
    /// Taken back.
    Cancelled,
    /// Another one took its place.
    Superseded,
    /// It has a signature that is not of what is kept.
    NotGenuine,
}

impl Standing {
    /// Of a prescription, and of whether its signature holds.
    pub fn of(status: PrescriptionStatus, genuine: bool) -> Self {
        match status {
            PrescriptionStatus::Draft => Self::Draft,
            PrescriptionStatus::Cancelled => Self::Cancelled,
            PrescriptionStatus::Superseded => Self::Superseded,
            PrescriptionStatus::Finalized if genuine => Self::Valid,
            PrescriptionStatus::Finalized => Self::NotGenuine,
        }
    }
}

/// How a reader finds out whether it is genuine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// When it was signed.
    pub finalized_at: DateTime<Utc>,
    /// SHA-256 of what was signed, hexadecimal.
    pub content_sha256: String,
    /// Which key of the doctor's.
    pub key_id: String,
    /// The verification code.
    pub code: String,
    /// What the square code holds: where the check answers.
    pub link: String,
}

/// A prescription with all that stands on its paper.
#[derive(Debug, Clone)]
pub struct Paper<'a> {
    /// The prescription.
    pub prescription: &'a Prescription,
    /// The doctor's profile.
    pub doctor: &'a Doctor,
    /// Name and licence number as they were signed; the profile's while it is a draft.
    pub signer: (&'a str, &'a str),
    /// Whether it is good.
    pub standing: Standing,
    /// None while it is a draft that was never signed.
    pub proof: Option<Proof>,
    /// Of the labels; what the doctor wrote stays as it was written.
    pub language: Language,
}

impl Paper<'_> {
    /// The labels in its language.
    pub(crate) fn labels(&self) -> &'static Labels {
        self.language.labels()
    }

    /// Everything that people wrote, for [`crate::choose`].
    pub fn text(&self) -> String {
        let Paper { prescription, doctor, .. } = self;
        let content = &prescription.content;
        let mut texts = vec![self.signer.0, self.signer.1, &doctor.contact, &doctor.details.email];
        texts.extend([doctor.details.phone.as_str(), &prescription.patient_id]);
        texts.extend(content.patient.as_ref().map(|patient| patient.name.as_str()));
        texts.extend([prescription.issuer_of_patient_id.as_str(), &prescription.remark, &content.note]);
        texts.extend(doctor.specialties.iter().map(|specialty| specialty.text.as_str()));
        for licence in &doctor.details.licences {
            texts.extend([licence.number.as_str(), &licence.issuer]);
        }
        texts.extend(content.declared_allergies.iter().map(String::as_str));
        for PrescriptionItem { medication, dose, route, frequency, quantity, instructions, .. } in
            &content.items
        {
            texts.extend([medication.text.as_str(), &dose.unit, route, &frequency.text]);
            texts.extend([quantity.unit.as_str(), instructions]);
        }
        texts.join("\n")
    }
}
