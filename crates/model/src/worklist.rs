//! PS3.3 C.4.10 to C.4.12 and PS3.4 Annex K: what is scheduled for modalities.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{AeTitle, StudyInstanceUid};

/// Scheduled Procedure Step Status (0040,0020), PS3.3 C.4.10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StepStatus {
    /// Agreed for a time to come.
    #[default]
    Scheduled,
    /// The patient is there.
    Arrived,
    /// Patient and room are ready.
    Ready,
    /// Under way: a modality said so, or images came.
    Started,
    /// Done.
    Completed,
    /// Begun, and not brought to an end.
    Discontinued,
    /// Called off.
    Canceled,
}

impl StepStatus {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::Scheduled,
        Self::Arrived,
        Self::Ready,
        Self::Started,
        Self::Completed,
        Self::Discontinued,
        Self::Canceled,
    ];

    /// Still to be done or under way: what modalities are told of unless they ask for another status.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Scheduled | Self::Arrived | Self::Ready | Self::Started)
    }

    /// The defined term.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "SCHEDULED",
            Self::Arrived => "ARRIVED",
            Self::Ready => "READY",
            Self::Started => "STARTED",
            Self::Completed => "COMPLETED",
            Self::Discontinued => "DISCONTINUED",
            Self::Canceled => "CANCELED",
        }
    }

    /// The status of a defined term.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A requested procedure, its patient, and what is scheduled for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorklistItem {
    /// Identity.
    pub id: Uuid,
    /// What it says.
    pub order: WorklistOrder,
    /// Grows with every change.
    pub version: i64,
    /// The account that made it.
    pub created_by: Option<Uuid>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a worklist item says. A field that is an attribute has the attribute's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorklistOrder {
    /// Study Instance UID (0020,000D): what modalities put into the images.
    pub study_instance_uid: StudyInstanceUid,
    /// Accession Number (0008,0050).
    pub accession_number: String,
    /// Requested Procedure ID (0040,1001).
    pub requested_procedure_id: String,
    /// Requested Procedure Description (0032,1060).
    pub requested_procedure_description: String,
    /// Requesting Physician (0032,1032).
    pub requesting_physician: String,
    /// Referring Physician's Name (0008,0090).
    pub referring_physician_name: String,
    /// Patient ID (0010,0020).
    pub patient_id: String,
    /// Issuer of Patient ID (0010,0021).
    pub issuer_of_patient_id: String,
    /// Patient's Name (0010,0010).
    pub patient_name: String,
    /// Patient's Birth Date (0010,0030).
    pub patient_birth_date: String,
    /// Patient's Sex (0010,0040).
    pub patient_sex: String,
    /// The consultation that its study is linked to when it comes, or at once when it is here already.
    pub consultation_id: Option<Uuid>,
    /// Scheduled Procedure Step Sequence (0040,0100).
    pub steps: Vec<ScheduledProcedureStep>,
}

/// An item of the Scheduled Procedure Step Sequence (0040,0100).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledProcedureStep {
    /// Scheduled Procedure Step ID (0040,0009).
    pub step_id: String,
    /// Scheduled Station AE Title (0040,0001).
    pub station_ae_title: AeTitle,
    /// Scheduled Station Name (0040,0010).
    pub station_name: String,
    /// Scheduled Procedure Step Location (0040,0011).
    pub location: String,
    /// Modality (0008,0060).
    pub modality: String,
    /// Scheduled Procedure Step Start Date (0040,0002): `YYYYMMDD`.
    pub start_date: String,
    /// Scheduled Procedure Step Start Time (0040,0003): `HHMM` or `HHMMSS`.
    pub start_time: String,
    /// Scheduled Performing Physician's Name (0040,0006).
    pub performing_physician_name: String,
    /// Scheduled Procedure Step Description (0040,0007).
    pub description: String,
    /// Scheduled Procedure Step Status (0040,0020).
    pub status: StepStatus,
}
