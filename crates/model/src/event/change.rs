//! What was done with a consultation, as its events say it.

use serde::{Deserialize, Serialize};

use crate::clinical::{ConsultationCommand, ConsultationStatus};

/// What was done with a consultation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was asked for; its doctor has not agreed.
    Proposed,
    /// It was agreed for a time to come, at once or by the doctor's word on what was proposed.
    Booked,
    /// The patient came.
    Arrived,
    /// Doctor and patient met.
    Started,
    /// What it says was changed: the patient's name, or the reason.
    Edited,
    /// It got another time.
    Rescheduled,
    /// It got another doctor.
    Reassigned,
    /// It came to its end.
    Completed,
    /// It was called off.
    Cancelled,
    /// The patient did not come.
    NoShow,
}

impl Change {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Booked => "booked",
            Self::Arrived => "arrived",
            Self::Started => "started",
            Self::Edited => "edited",
            Self::Rescheduled => "rescheduled",
            Self::Reassigned => "reassigned",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::NoShow => "no_show",
        }
    }
}

/// What a command does.
impl From<ConsultationCommand> for Change {
    fn from(command: ConsultationCommand) -> Self {
        match command {
            ConsultationCommand::Confirm => Self::Booked,
            ConsultationCommand::Arrive => Self::Arrived,
            ConsultationCommand::Start => Self::Started,
            ConsultationCommand::Complete => Self::Completed,
            ConsultationCommand::Cancel => Self::Cancelled,
            ConsultationCommand::NoShow => Self::NoShow,
            ConsultationCommand::Reschedule => Self::Rescheduled,
            ConsultationCommand::Reassign => Self::Reassigned,
        }
    }
}

/// What was done with a consultation that is new and stands there.
impl From<ConsultationStatus> for Change {
    fn from(status: ConsultationStatus) -> Self {
        match status {
            ConsultationStatus::Proposed => Self::Proposed,
            ConsultationStatus::Booked => Self::Booked,
            ConsultationStatus::Arrived => Self::Arrived,
            ConsultationStatus::InProgress => Self::Started,
            ConsultationStatus::Completed => Self::Completed,
            ConsultationStatus::Cancelled => Self::Cancelled,
            ConsultationStatus::NoShow => Self::NoShow,
        }
    }
}
