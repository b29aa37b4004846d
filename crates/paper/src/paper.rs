//! What stands on the paper.

use chrono::{DateTime, Utc};
use model::clinical::{ClinicalDocument, DocumentContent, DocumentStatus, SignerProfile};

use crate::{
    PaperError,
    labels::{DocumentLabels, Labels, Language},
    sheet::Sheet,
};

/// What a kind of document says, as it stands on paper. `PrescriptionContent` and `ReportContent` do.
pub trait Printed: DocumentContent {
    /// The words for documents of this kind.
    fn labels(labels: &'static Labels) -> &'static DocumentLabels;

    /// Everything that people wrote in it.
    fn texts(&self) -> Vec<&str>;

    /// Puts it on the pages.
    ///
    /// # Errors
    /// A character has no font.
    fn lay_out(&self, sheet: &mut Sheet<'_>) -> Result<(), PaperError>;
}

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
    /// Of a document, and of whether its signature holds.
    pub fn of(status: DocumentStatus, genuine: bool) -> Self {
        match status {
            DocumentStatus::Draft => Self::Draft,
            DocumentStatus::Cancelled => Self::Cancelled,
            DocumentStatus::Superseded => Self::Superseded,
            DocumentStatus::Finalized if genuine => Self::Valid,
            DocumentStatus::Finalized => Self::NotGenuine,
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

/// A document with all that stands on its paper.
#[derive(Debug, Clone)]
pub struct Paper<'a, C> {
    /// The document.
    pub document: &'a ClinicalDocument<C>,
    /// Name and licence number of the doctor as they were signed; those of now while it is a draft.
    pub signer: (&'a str, &'a str),
    /// What else is shown of the doctor: as it was signed, or as it is now in a draft, and where it was not signed.
    pub profile: &'a SignerProfile,
    /// Whether it is good.
    pub standing: Standing,
    /// None while it is a draft that was never signed.
    pub proof: Option<Proof>,
    /// Of the labels; what the doctor wrote stays as it was written.
    pub language: Language,
}

impl<C: Printed> Paper<'_, C> {
    /// The labels of its kind in its language.
    pub(crate) fn labels(&self) -> &'static DocumentLabels {
        C::labels(self.language.labels())
    }

    /// Everything that people wrote, for [`crate::choose`].
    pub fn text(&self) -> String {
        let Paper { document, profile, .. } = self;
        let mut texts = vec![self.signer.0, self.signer.1, &document.patient_id];
        texts.extend(document.content.patient().map(|patient| patient.name.as_str()));
        texts.extend([document.issuer_of_patient_id.as_str(), &document.remark]);
        texts.extend(profile.contacts.iter().chain(&profile.specialties).map(String::as_str));
        for licence in &profile.licences {
            texts.extend([licence.number.as_str(), &licence.issuer]);
        }
        texts.extend(document.content.texts());
        texts.join("\n")
    }
}
