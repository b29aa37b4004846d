//! Reading the trail: as a cursor, by filter, and record by record for verification.

use std::{collections::BTreeSet, fmt::Write as _};

use chrono::{DateTime, Utc};
use model::access::Scope;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    encoding::{Place, hash},
    patients::PATIENTS,
    record::{AuditActor, AuditOutcome, AuditRecord},
};
use crate::{
    Attribute, Condition, Database, DatabaseError, Level, Matching, SearchQuery,
    statement::{Statement, text_rows},
};

/// Studies by which the patients of a report are found.
const STUDIES_MAX: u32 = 1_000;
/// Patients of one Patient ID in a report.
const PATIENTS_MAX: usize = 100;

/// A record as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Position in the trail; grows.
    pub sequence: i64,
    /// The node that wrote it.
    pub chain_id: Uuid,
    /// Position in that node's chain: 1, 2, 3 without a gap.
    pub chain_sequence: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub record: AuditRecord,
    /// Hash over all of it and the record before it in the chain.
    pub hash: [u8; 32],
}

/// Which records; empty fields ask for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// At this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    pub until: Option<DateTime<Utc>>,
    /// Of this account.
    pub user_id: Option<Uuid>,
    /// Of this action.
    pub action: Option<String>,
    /// That ended so.
    pub outcome: Option<AuditOutcome>,
    /// About this study.
    pub study_instance_uid: Option<String>,
    /// About one of the patients with these pseudonyms; empty for whomever.
    pub patients: Vec<Uuid>,
    /// About this consultation.
    pub consultation_id: Option<Uuid>,
    /// From this calling AE.
    pub calling_ae: Option<String>,
    /// From this address.
    pub source_address: Option<String>,
    /// Only what stands before this position.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

pub(super) const COLUMNS: &str = "sequence, chain_id, chain_sequence, id, at, user_id, session_id, role, calling_ae, certificate, \
     source_address, request_id, action, outcome, study_instance_uid, consultation_id, patient, subject, rule, \
     detail, hash";

static PAGE: Statement = Statement::new(
    "SELECT sequence, chain_id, chain_sequence, id, at, user_id, session_id, role, calling_ae, certificate, \
     source_address, request_id, action, outcome, study_instance_uid, consultation_id, patient, subject, rule, \
     detail, hash FROM audit WHERE sequence > $1 AND SETTLED ORDER BY sequence LIMIT $2",
);

/// A row with nothing taken for granted.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) sequence: i64,
    pub(super) chain_id: Uuid,
    pub(super) chain_sequence: i64,
    id: Uuid,
    at: DateTime<Utc>,
    user_id: Option<Uuid>,
    session_id: Option<Uuid>,
    role: String,
    calling_ae: String,
    certificate: String,
    source_address: String,
    request_id: String,
    action: String,
    outcome: String,
    study_instance_uid: String,
    consultation_id: Option<Uuid>,
    patient: Option<Uuid>,
    subject: String,
    rule: String,
    detail: String,
    pub(super) hash: Vec<u8>,
}

impl Row {
    /// The record, and the word that stands for its outcome.
    fn into_record(self) -> (AuditRecord, String) {
        let actor = AuditActor {
            user_id: self.user_id,
            session_id: self.session_id,
            role: self.role,
            calling_ae: self.calling_ae,
            certificate: self.certificate,
            source_address: self.source_address,
            request_id: self.request_id,
            claim: None,
        };
        let record = AuditRecord {
            id: self.id,
            actor,
            action: self.action,
            outcome: AuditOutcome::parse(&self.outcome).unwrap_or(AuditOutcome::Failed),
            study_instance_uid: self.study_instance_uid,
            consultation_id: self.consultation_id,
            patient: self.patient,
            subject: self.subject,
            rule: self.rule,
            detail: self.detail,
        };
        (record, self.outcome)
    }

    /// The hash that it must have after `previous`.
    pub(super) fn expected_hash(self, previous: &[u8; 32]) -> [u8; 32] {
        let place = Place {
            sequence: self.sequence,
            chain_id: self.chain_id,
            chain_sequence: self.chain_sequence,
            at: self.at,
        };
        let (record, outcome) = self.into_record();
        hash(previous, place, &record, &outcome)
    }
}

impl TryFrom<Row> for AuditRow {
    type Error = DatabaseError;
    fn try_from(row: Row) -> Result<Self, DatabaseError> {
        let Row { sequence, chain_id, chain_sequence, at, .. } = row;
        let corrupt = || DatabaseError::Corrupt(format!("audit row {sequence}"));
        let hash = row.hash.as_slice().try_into().map_err(|_| corrupt())?;
        let (record, outcome) = row.into_record();
        if record.outcome.as_str() != outcome {
            return Err(corrupt());
        }
        Ok(Self { sequence, chain_id, chain_sequence, at, record, hash })
    }
}

impl Database {
    /// Records after `after`, oldest first.
    pub async fn audit_page(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>, DatabaseError> {
        let sql = PAGE.on(self.dialect());
        let found: Vec<Row> = on!(self, engine =>
            sqlx::query_as(sql).bind(after).bind(i64::from(limit)).fetch_all(&engine.read).await?);
        found.into_iter().map(TryInto::try_into).collect()
    }

    /// Pseudonyms of the patients with this Patient ID who have a study in reach: more than one when demographics
    /// clash.
    pub async fn patients_in_reach(
        &self,
        scope: &Scope,
        patient_id: &str,
        issuer_of_patient_id: Option<&str>,
    ) -> Result<Vec<Uuid>, DatabaseError> {
        let equals =
            |attribute, value: &str| Condition { attribute, matching: Matching::Equals(value.to_owned()) };
        let mut conditions = vec![equals(Attribute::PatientID, patient_id)];
        conditions.extend(issuer_of_patient_id.map(|issuer| equals(Attribute::IssuerOfPatientID, issuer)));
        let query =
            SearchQuery { level: Level::Study, conditions, limit: STUDIES_MAX, ..SearchQuery::default() };
        let found = self.search(scope, &query).await?;
        // The index folds case; two patients may differ in nothing else.
        let studies = found.rows.iter().filter(|row| row.patient.patient_id == patient_id);
        let list = text_rows(studies.map(|row| row.study.study_instance_uid.as_str()));
        let sql = PATIENTS.on(self.dialect());
        let patients: Vec<(String, Uuid)> =
            on!(self, engine => sqlx::query_as(sql).bind(list).fetch_all(&engine.read).await?);
        let patients: BTreeSet<Uuid> = patients.into_iter().map(|(_, patient)| patient).collect();
        Ok(patients.into_iter().take(PATIENTS_MAX).collect())
    }

    /// Records that pass the filter, newest first.
    pub async fn audit_search(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>, DatabaseError> {
        let sql = AssertSqlSafe(search_sql(filter));
        let found: Vec<Row> = on!(self, engine => {
            let mut query = sqlx::query_as(sql).bind(i64::from(filter.limit));
            if let Some(before) = filter.before {
                query = query.bind(before);
            }
            for time in [filter.from, filter.until].into_iter().flatten() {
                query = query.bind(time);
            }
            for id in [filter.user_id, filter.consultation_id].into_iter().flatten() {
                query = query.bind(id);
            }
            for id in &filter.patients {
                query = query.bind(*id);
            }
            let texts = [&filter.action, &filter.study_instance_uid, &filter.calling_ae, &filter.source_address];
            for text in texts.into_iter().flatten() {
                query = query.bind(text.as_str());
            }
            if let Some(outcome) = filter.outcome {
                query = query.bind(outcome.as_str());
            }
            query.fetch_all(&engine.read).await?
        });
        found.into_iter().map(TryInto::try_into).collect()
    }
}

/// The conditions in the order in which their values are bound.
fn search_sql(filter: &AuditFilter) -> String {
    let conditions = [
        (filter.before.is_some(), "sequence <"),
        (filter.from.is_some(), "at >="),
        (filter.until.is_some(), "at <"),
        (filter.user_id.is_some(), "user_id ="),
        (filter.consultation_id.is_some(), "consultation_id ="),
        (!filter.patients.is_empty(), "patient IN ("),
        (filter.action.is_some(), "action ="),
        (filter.study_instance_uid.is_some(), "study_instance_uid <> '' AND study_instance_uid ="),
        (filter.calling_ae.is_some(), "calling_ae ="),
        (filter.source_address.is_some(), "source_address ="),
        (filter.outcome.is_some(), "outcome ="),
    ];
    let mut sql = format!("SELECT {COLUMNS} FROM audit WHERE 1 = 1");
    let mut number = 1;
    for (_, condition) in conditions.iter().filter(|(asked, _)| *asked) {
        number += 1;
        let _ = write!(sql, " AND {condition} ${number}");
        if condition.ends_with('(') {
            for _ in 1..filter.patients.len() {
                number += 1;
                let _ = write!(sql, ", ${number}");
            }
            sql.push(')');
        }
    }
    sql.push_str(" ORDER BY sequence DESC LIMIT $1");
    sql
}
