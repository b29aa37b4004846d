//! Lists of consultations.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use model::{
    access::Scope,
    clinical::{Consultation, ConsultationStatus},
};
use uuid::Uuid;

use super::{COLUMNS, Row};
use crate::{Database, DatabaseError, text::clean};

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

/// What `COLUMNS` selects, as JSON.
const GATHERED: &str = "hex(id), hex(doctor_id), patient_id, issuer_of_patient_id, patient_name, status, scheduled_at, \
    ends_at, reason, version, NULLIF(hex(created_by), ''), closed_at, created_at, updated_at";

impl Database {
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
        let found: Vec<Row> = fetch_list!(self, sql, GATHERED, query => {
            let mut query = bind_reach!(query.bind(doctor_id), reach);
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
            query.bind(i64::from(filter.limit)).bind(offset)
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
        let sql = format!(
            "{COLUMNS} WHERE patient_id = $1 AND (issuer_of_patient_id = $2 OR $2 = ''){} \
             ORDER BY scheduled_at DESC, id DESC LIMIT $3",
            reach.sql
        );
        let found: Vec<Row> = fetch_list!(self, sql, GATHERED, query => {
            let query = query
                .bind(patient_id)
                .bind(issuer_of_patient_id.unwrap_or_default())
                .bind(i64::from(limit));
            bind_reach!(query, reach)
        });
        Ok(found.into_iter().map(Into::into).collect())
    }
}
