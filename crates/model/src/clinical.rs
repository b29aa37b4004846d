//! Doctors and consultations as the database keeps them and REST shows them (after FHIR Practitioner and Encounter).

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A doctor's profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doctor {
    /// Identity.
    pub id: Uuid,
    /// Full name as shown.
    pub name: String,
    /// Specialties, as text.
    pub specialties: Vec<String>,
    /// Languages, BCP 47 tags.
    pub languages: Vec<String>,
    /// IANA time zone name.
    pub time_zone: String,
    /// Licence number.
    pub licence_number: String,
    /// E-mail or phone.
    pub contact: String,
    /// Takes consultations.
    pub active: bool,
    /// Grows with every change; the ETag of REST.
    pub version: i64,
    /// When the profile was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// Where a consultation stands (after FHIR Appointment and Encounter).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsultationStatus {
    /// Agreed for a time to come.
    Booked,
    /// Doctor and patient are in it.
    InProgress,
    /// Over.
    Completed,
    /// Called off.
    Cancelled,
}

impl ConsultationStatus {
    /// Whether it is still to come or going on.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Booked | Self::InProgress)
    }

    /// The word kept in the database and shown in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Booked => "booked",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A word that is no consultation status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("status is one of booked, in_progress, completed, cancelled")]
pub struct UnknownStatus;

impl FromStr for ConsultationStatus {
    type Err = UnknownStatus;
    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Ok(match text {
            "booked" => Self::Booked,
            "in_progress" => Self::InProgress,
            "completed" => Self::Completed,
            "cancelled" => Self::Cancelled,
            _ => return Err(UnknownStatus),
        })
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
    /// Why the patient comes.
    pub reason: String,
    /// Grows with every change.
    pub version: i64,
    /// The account that made it; `None` for the operator.
    pub created_by: Option<Uuid>,
    /// When it was completed or cancelled.
    pub closed_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}
