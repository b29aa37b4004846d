//! Consultations: one meeting of a doctor and a patient.

mod busy;
mod change;
mod create;
mod history;
mod list;
mod note;
mod slot;
mod study;

use chrono::{DateTime, Utc};
use model::{
    access::Scope,
    clinical::{Consultation, ConsultationStatus, UnknownStatus},
};
use serde::{Deserialize, Deserializer, de::Error as _};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

pub(crate) use self::change::{lock_row, takes_consultations};
pub use self::{
    change::{ChangeConsultation, ChangeError, ConsultationEdit},
    create::BookingError,
    history::ConsultationChange,
    list::ConsultationFilter,
    note::{ConsultationNote, NewNote},
    slot::{Calendar, Hold, NewHold, Span},
    study::{LinkOutcome, LinkedStudy},
};
use crate::{Database, DatabaseError};

/// A consultation to be booked or started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConsultation {
    /// The doctor.
    pub doctor_id: Uuid,
    /// Patient ID (0010,0020).
    pub patient_id: String,
    /// Issuer of Patient ID (0010,0021); empty for any.
    pub issuer_of_patient_id: String,
    /// Name of the patient.
    pub patient_name: String,
    /// Where it stands.
    pub status: ConsultationStatus,
    /// Agreed start.
    pub scheduled_at: DateTime<Utc>,
    /// Agreed end; `None` takes no time in the calendars.
    pub ends_at: Option<DateTime<Utc>>,
    /// Why the patient comes.
    pub reason: String,
    /// A hold of the same account that it takes the place of.
    pub hold_id: Option<Uuid>,
}

#[derive(sqlx::Type)]
#[sqlx(transparent)]
struct StatusText(String);

impl TryFrom<StatusText> for ConsultationStatus {
    type Error = UnknownStatus;
    fn try_from(text: StatusText) -> Result<Self, UnknownStatus> {
        text.0.parse()
    }
}

#[derive(sqlx::FromRow, Deserialize)]
struct Row {
    id: Uuid,
    doctor_id: Uuid,
    patient_id: String,
    issuer_of_patient_id: String,
    patient_name: String,
    #[sqlx(try_from = "StatusText")]
    #[serde(deserialize_with = "status")]
    status: ConsultationStatus,
    scheduled_at: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
    reason: String,
    version: i64,
    created_by: Option<Uuid>,
    closed_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

fn status<'de, D: Deserializer<'de>>(text: D) -> Result<ConsultationStatus, D::Error> {
    String::deserialize(text)?.parse().map_err(D::Error::custom)
}

impl From<Row> for Consultation {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            doctor_id: row.doctor_id,
            patient_id: row.patient_id,
            issuer_of_patient_id: row.issuer_of_patient_id,
            patient_name: row.patient_name,
            status: row.status,
            scheduled_at: row.scheduled_at,
            ends_at: row.ends_at,
            reason: row.reason,
            version: row.version,
            created_by: row.created_by,
            closed_at: row.closed_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

const COLUMNS: &str = "SELECT id, doctor_id, patient_id, issuer_of_patient_id, patient_name, status, \
    scheduled_at, ends_at, reason, version, created_by, closed_at, created_at, updated_at FROM consultation";

impl Database {
    /// One consultation; `None` when it is not in reach.
    pub async fn consultation(&self, scope: &Scope, id: Uuid) -> Result<Option<Consultation>, DatabaseError> {
        let reach = self.consultation_reach(scope, 2);
        let sql = AssertSqlSafe(format!("{COLUMNS} WHERE id = $1{}", reach.sql));
        let row: Option<Row> = on!(self, engine => {
            bind_reach!(sqlx::query_as(sql).bind(id), reach).fetch_optional(&engine.read).await?
        });
        Ok(row.map(Consultation::from))
    }
}
