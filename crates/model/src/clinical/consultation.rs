//! A consultation and where it can go from where it stands (after FHIR Appointment and Encounter).

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where a consultation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsultationStatus {
    /// Asked for; its doctor has not agreed, and no time is taken.
    Proposed,
    /// Agreed for a time to come.
    Booked,
    /// The patient is there and waits.
    Arrived,
    /// Doctor and patient are in it.
    InProgress,
    /// Over.
    Completed,
    /// Called off.
    Cancelled,
    /// The patient did not come.
    NoShow,
}

impl ConsultationStatus {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::Proposed,
        Self::Booked,
        Self::Arrived,
        Self::InProgress,
        Self::Completed,
        Self::Cancelled,
        Self::NoShow,
    ];

    /// Whether it is agreed and still to come or going on: it takes its time in the calendars, and opens studies.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Booked | Self::Arrived | Self::InProgress)
    }

    /// Whether nothing follows any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::NoShow)
    }

    /// The word kept in the database and shown in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Booked => "booked",
            Self::Arrived => "arrived",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::NoShow => "no_show",
        }
    }

    /// What may be done with it.
    pub fn legal_commands(self) -> impl Iterator<Item = ConsultationCommand> {
        ConsultationCommand::ALL.into_iter().filter(move |command| command.leads_from(self).is_some())
    }
}

/// A word that is no consultation status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("status is one of proposed, booked, arrived, in_progress, completed, cancelled, no_show")]
pub struct UnknownStatus;

impl FromStr for ConsultationStatus {
    type Err = UnknownStatus;
    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

/// What can be done with a consultation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConsultationCommand {
    /// The doctor agrees to what was proposed.
    Confirm,
    /// The patient is there.
    Arrive,
    /// Doctor and patient meet.
    Start,
    /// The meeting is over.
    Complete,
    /// It does not take place.
    Cancel,
    /// The patient did not come.
    NoShow,
    /// Another time.
    Reschedule,
    /// Another doctor.
    Reassign,
}

impl ConsultationCommand {
    /// Every command.
    pub const ALL: [Self; 8] = [
        Self::Confirm,
        Self::Arrive,
        Self::Start,
        Self::Complete,
        Self::Cancel,
        Self::NoShow,
        Self::Reschedule,
        Self::Reassign,
    ];

    /// The word in the path and in the history.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Arrive => "arrive",
            Self::Start => "start",
            Self::Complete => "complete",
            Self::Cancel => "cancel",
            Self::NoShow => "no-show",
            Self::Reschedule => "reschedule",
            Self::Reassign => "reassign",
        }
    }

    /// Where it leads a consultation that stands at `from`; `None` when it is not legal there.
    pub fn leads_from(self, from: ConsultationStatus) -> Option<ConsultationStatus> {
        use ConsultationStatus::{Arrived, Booked, Cancelled, Completed, InProgress, NoShow, Proposed};
        match (self, from) {
            (Self::Confirm, Proposed) => Some(Booked),
            (Self::Arrive, Booked) => Some(Arrived),
            (Self::Start, Booked | Arrived) => Some(InProgress),
            (Self::Complete, InProgress) => Some(Completed),
            (Self::Cancel, Proposed | Booked | Arrived | InProgress) => Some(Cancelled),
            (Self::NoShow, Booked) => Some(NoShow),
            (Self::Reschedule, Proposed | Booked) | (Self::Reassign, Proposed | Booked | Arrived) => {
                Some(from)
            }
            _ => None,
        }
    }
}

/// One meeting of a doctor and a patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consultation {
    /// Identity.
    pub id: Uuid,
    /// The doctor.
    pub doctor_id: Uuid,
    /// Patient ID (0010,0020): X-rays that come with it belong to this consultation's patient.
    pub patient_id: String,
    /// Issuer of Patient ID (0010,0021), often empty.
    pub issuer_of_patient_id: String,
    /// Name of the patient as the booker wrote it.
    pub patient_name: String,
    /// Where it stands.
    pub status: ConsultationStatus,
    /// Agreed start.
    pub scheduled_at: DateTime<Utc>,
    /// Agreed end; `None` for one that was begun without an appointment and takes no time in the calendars.
    pub ends_at: Option<DateTime<Utc>>,
    /// Why the patient comes.
    pub reason: String,
    /// Grows with every change.
    pub version: i64,
    /// The account that made it; `None` for the operator.
    pub created_by: Option<Uuid>,
    /// When it ended, whichever way.
    pub closed_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_the_end_and_everything_else_can_end() {
        for status in ConsultationStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert_eq!(status.legal_commands().count() == 0, status.is_over(), "{status:?}");
            assert!(!(status.is_open() && status.is_over()));
            let cancelled = ConsultationCommand::Cancel.leads_from(status);
            assert_eq!(cancelled.is_some(), !status.is_over(), "{status:?}");
        }
        assert_eq!("gone".parse::<ConsultationStatus>(), Err(UnknownStatus));
    }

    #[test]
    fn a_meeting_has_to_begin_before_it_is_completed() {
        let legal = |status: ConsultationStatus| -> Vec<&str> {
            status.legal_commands().map(ConsultationCommand::as_str).collect()
        };
        assert_eq!(legal(ConsultationStatus::Proposed), ["confirm", "cancel", "reschedule", "reassign"]);
        let booked = ["arrive", "start", "cancel", "no-show", "reschedule", "reassign"];
        assert_eq!(legal(ConsultationStatus::Booked), booked);
        assert_eq!(legal(ConsultationStatus::Arrived), ["start", "cancel", "reassign"]);
        assert_eq!(legal(ConsultationStatus::InProgress), ["complete", "cancel"]);
    }
}
