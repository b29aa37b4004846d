//! PS3.3 C.4.13 to C.4.16 and PS3.4 Annex F: what modalities say that they do and did.

use crate::{AeTitle, SopInstanceUid, StudyInstanceUid};

/// Performed Procedure Step Status (0040,0252).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PerformedStepStatus {
    /// Begun.
    InProgress,
    /// Done.
    Completed,
    /// Ended before it was done.
    Discontinued,
}

impl PerformedStepStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::InProgress, Self::Completed, Self::Discontinued];

    /// The defined term.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "IN PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Discontinued => "DISCONTINUED",
        }
    }

    /// The status of a defined term.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Nothing changes any more (PS3.4 F.7.2.2.2).
    pub fn is_final(self) -> bool {
        self != Self::InProgress
    }
}

/// An item of the Scheduled Step Attributes Sequence (0040,0270).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledReference {
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: StudyInstanceUid,
    /// Accession Number (0008,0050).
    pub accession_number: String,
    /// Scheduled Procedure Step ID (0040,0009).
    pub step_id: String,
}

/// A performed procedure step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerformedStep {
    /// SOP Instance UID.
    pub sop_instance_uid: SopInstanceUid,
    /// Who made it: nobody else changes it.
    pub ae_title: AeTitle,
    /// Performed Procedure Step Status (0040,0252).
    pub status: PerformedStepStatus,
    /// Modality (0008,0060).
    pub modality: String,
    /// Patient ID (0010,0020).
    pub patient_id: String,
    /// Issuer of Patient ID (0010,0021).
    pub issuer_of_patient_id: String,
    /// What it performs.
    pub scheduled: Vec<ScheduledReference>,
    /// Everything that was said, as DICOM JSON.
    pub attributes: String,
    /// Grows with every change.
    pub version: i64,
}
