//! Consultations: one meeting of a doctor and a patient.

mod busy;
mod change;
mod create;
mod history;
mod note;
mod slot;
mod study;

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use model::{
    access::Scope,
    clinical::{Consultation, ConsultationStatus, UnknownStatus},
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

pub(crate) use self::change::lock_row;
pub use self::{
    change::{ChangeConsultation, ChangeError, ConsultationEdit},
    create::BookingError,
    history::ConsultationChange,
    note::{ConsultationNote, NewNote},
    slot::{Calendar, Hold, NewHold, Span},
    study::{LinkOutcome, LinkedStudy},
};
use crate::{Database, DatabaseError, text::clean};

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

/// Which of a doctor's consultations to list; `None` does not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsultationFilter {
    /// Where it stands.
    pub status: Option<ConsultationStatus>,
    /// Starts at or after.
    pub from: Option<DateTime<Utc>>,
    /// Starts before.
    pub to: Option<DateTime<Utc>>,
    /// Patient ID (0010,0020).
    pub patient_id: Option<String>,
    /// Consultations returned at most.
    pub limit: u32,
    /// Consultations skipped.
    pub offset: u64,
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

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    doctor_id: Uuid,
    patient_id: String,
    issuer_of_patient_id: String,
    patient_name: String,
    #[sqlx(try_from = "StatusText")]
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

    /// A doctor's consultations by their start; none when the doctor is not in reach.
    pub async fn consultations_of_doctor(
        &self,
        scope: &Scope,
        doctor_id: Uuid,
        filter: &ConsultationFilter,
    ) -> Result<Vec<Consultation>, DatabaseError> {
        if !scope.includes_doctor(doctor_id) {
            return Ok(Vec::new());
        }
        let reach = self.consultation_reach(scope, 2);
        let mut sql = format!("{COLUMNS} WHERE doctor_id = $1{}", reach.sql);
        let mut parameter = reach.next_parameter() - 1;
        for (given, condition) in [
            (filter.status.is_some(), "status ="),
            (filter.from.is_some(), "scheduled_at >="),
            (filter.to.is_some(), "scheduled_at <"),
            (filter.patient_id.is_some(), "patient_id ="),
        ] {
            if given {
                parameter += 1;
                let _ = write!(sql, " AND {condition} ${parameter}");
            }
        }
        let (limit, offset) = (parameter + 1, parameter + 2);
        let _ = write!(sql, " ORDER BY scheduled_at, id LIMIT ${limit} OFFSET ${offset}");
        let found: Vec<Row> = on!(self, engine => {
            let mut query = bind_reach!(sqlx::query_as(AssertSqlSafe(sql)).bind(doctor_id), reach);
            if let Some(status) = filter.status {
                query = query.bind(status.as_str());
            }
            for time in [filter.from, filter.to].into_iter().flatten() {
                query = query.bind(time);
            }
            if let Some(patient_id) = &filter.patient_id {
                query = query.bind(clean(patient_id));
            }
            let offset = i64::try_from(filter.offset).unwrap_or(i64::MAX);
            query.bind(i64::from(filter.limit)).bind(offset).fetch_all(&engine.read).await?
        });
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// A patient's consultations in reach, the newest first.
    pub async fn consultations_of_patient(
        &self,
        scope: &Scope,
        patient_id: &str,
        issuer_of_patient_id: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Consultation>, DatabaseError> {
        if patient_id.is_empty() {
            return Ok(Vec::new());
        }
        let reach = self.consultation_reach(scope, 4);
        let sql = AssertSqlSafe(format!(
            "{COLUMNS} WHERE patient_id = $1 AND (issuer_of_patient_id = $2 OR $2 = ''){} \
             ORDER BY scheduled_at DESC, id DESC LIMIT $3",
            reach.sql
        ));
        let found: Vec<Row> = on!(self, engine => {
            let query = sqlx::query_as(sql)
                .bind(patient_id)
                .bind(issuer_of_patient_id.unwrap_or_default())
                .bind(i64::from(limit));
            bind_reach!(query, reach).fetch_all(&engine.read).await?
        });
        Ok(found.into_iter().map(Into::into).collect())
    }
}
