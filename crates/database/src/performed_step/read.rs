//! Performed steps as they were said, for modalities, people and programs.

use std::{collections::HashMap, fmt::Write as _};

use chrono::{DateTime, Utc};
use model::{
    AeTitle, SopInstanceUid, StudyInstanceUid,
    access::Scope,
    performed_step::{PerformedStep, PerformedStepStatus, ScheduledReference},
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    Database, DatabaseError,
    statement::{spell, text_rows, uuid_rows},
    text::clean,
};

const COLUMNS: &str = "p.id, p.sop_instance_uid, p.ae_title, p.status, p.modality, p.patient_id, \
    p.issuer_of_patient_id, p.attributes, p.version, p.created_at, p.updated_at";

/// Steps that are in memory at once: each may have some MiB.
const ROWS_MAX: usize = 16;

/// A step as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerformedStepRow {
    /// What was said.
    pub step: PerformedStep,
    /// When it was said first.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

/// Which steps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PerformedStepFilter {
    /// Of one of these studies; none for whatever they are of.
    pub study_instance_uids: Vec<String>,
    /// This step alone.
    pub sop_instance_uid: Option<String>,
    /// Said by this AE.
    pub ae_title: Option<String>,
    /// Where they stand.
    pub status: Option<PerformedStepStatus>,
    /// Rows at most.
    pub limit: u32,
    /// Rows skipped.
    pub offset: u64,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    sop_instance_uid: String,
    ae_title: String,
    status: String,
    modality: String,
    patient_id: String,
    issuer_of_patient_id: String,
    attributes: String,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Step, Study Instance UID, Accession Number, Scheduled Procedure Step ID.
type Scheduled = (Uuid, String, String, String);

fn corrupt(id: Uuid) -> DatabaseError {
    DatabaseError::Corrupt(format!("performed step {id}"))
}

fn reference((id, study, accession_number, step_id): Scheduled) -> Result<ScheduledReference, DatabaseError> {
    let study_instance_uid = StudyInstanceUid::parse(&study).map_err(|_| corrupt(id))?;
    Ok(ScheduledReference { study_instance_uid, accession_number, step_id })
}

impl Row {
    fn with(self, scheduled: Vec<ScheduledReference>) -> Result<PerformedStepRow, DatabaseError> {
        let step = PerformedStep {
            sop_instance_uid: SopInstanceUid::parse(&self.sop_instance_uid).map_err(|_| corrupt(self.id))?,
            ae_title: AeTitle::parse(&self.ae_title).map_err(|_| corrupt(self.id))?,
            status: PerformedStepStatus::parse(&self.status).ok_or_else(|| corrupt(self.id))?,
            modality: self.modality,
            patient_id: self.patient_id,
            issuer_of_patient_id: self.issuer_of_patient_id,
            scheduled,
            attributes: self.attributes,
            version: self.version,
        };
        Ok(PerformedStepRow { step, created_at: self.created_at, updated_at: self.updated_at })
    }
}

impl Database {
    /// A performed step by its SOP Instance UID, whoever asks.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn performed_step(
        &self,
        sop_instance_uid: &SopInstanceUid,
    ) -> Result<Option<PerformedStep>, DatabaseError> {
        let sql =
            AssertSqlSafe(format!("SELECT {COLUMNS} FROM performed_step p WHERE p.sop_instance_uid = $1"));
        let uid = sop_instance_uid.as_str();
        let found: Option<Row> =
            on!(self, engine => sqlx::query_as(sql).bind(uid).fetch_optional(&engine.read).await?);
        let mut found = self.with_scheduled(found.into_iter().collect()).await?;
        Ok(found.pop().map(|row| row.step))
    }

    /// Steps in reach, the newest first, each as `each` shows it: a step may have some MiB, and few are in memory at once. Whoever
    /// may not see everything sees those of which all studies are stored, in reach, and of the patient whom the step names.
    ///
    /// # Errors
    /// Failures of the database; what `each` makes of a step that it cannot read.
    pub async fn performed_steps<T>(
        &self,
        scope: &Scope,
        filter: &PerformedStepFilter,
        each: impl Fn(PerformedStepRow) -> Result<T, DatabaseError>,
    ) -> Result<Vec<T>, DatabaseError> {
        let ids = self.performed_step_ids(scope, filter).await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM performed_step p JOIN ROWS($1: id uuid) AS r ON r.id = p.id ORDER BY p.id DESC"
        );
        let sql = spell(&sql, self.dialect());
        let mut shown = Vec::with_capacity(ids.len());
        for few in ids.chunks(ROWS_MAX) {
            let (sql, list) = (AssertSqlSafe(sql.as_str()), uuid_rows(few.iter().copied()));
            let found: Vec<Row> =
                on!(self, engine => sqlx::query_as(sql).bind(list).fetch_all(&engine.read).await?);
            for row in self.with_scheduled(found).await? {
                shown.push(each(row)?);
            }
        }
        Ok(shown)
    }

    async fn performed_step_ids(
        &self,
        scope: &Scope,
        filter: &PerformedStepFilter,
    ) -> Result<Vec<Uuid>, DatabaseError> {
        let reach = self.study_reach(scope, 1).await?;
        let (before, after) = self.dialect().any_of();
        let mut sql = "SELECT p.id FROM performed_step p WHERE 1 = 1".to_owned();
        if reach.is_bounded() {
            // Beginning with the studies in reach, which are few, and not with every step.
            let _ = write!(
                sql,
                " AND p.id {before}SELECT s.performed_step FROM study \
                 JOIN performed_step_schedule s ON s.study_instance_uid = study.study_instance_uid \
                 JOIN performed_step q ON q.id = s.performed_step JOIN patient ON patient.id = study.patient \
                 WHERE q.patient_id = patient.patient_id AND q.patient_id <> '' \
                 AND q.issuer_of_patient_id IN ('', patient.issuer_of_patient_id){} GROUP BY s.performed_step \
                 HAVING COUNT(DISTINCT s.study_instance_uid) = (SELECT COUNT(DISTINCT t.study_instance_uid) \
                 FROM performed_step_schedule t WHERE t.performed_step = s.performed_step){after}",
                reach.sql
            );
        }
        let (mut parameter, mut texts) = (reach.next_parameter(), Vec::new());
        for (column, value) in [
            ("sop_instance_uid", filter.sop_instance_uid.as_deref()),
            ("ae_title", filter.ae_title.as_deref()),
            ("status", filter.status.map(PerformedStepStatus::as_str)),
        ] {
            if let Some(value) = value {
                let _ = write!(sql, " AND p.{column} = ${parameter}");
                texts.push(clean(value));
                parameter += 1;
            }
        }
        if !filter.study_instance_uids.is_empty() {
            let _ = write!(
                sql,
                " AND p.id {before}SELECT s.performed_step FROM performed_step_schedule s \
                 JOIN ROWS(${parameter}: uid text) AS r ON r.uid = s.study_instance_uid{after}"
            );
            texts.push(text_rows(filter.study_instance_uids.iter().map(String::as_str)));
            parameter += 1;
        }
        let _ = write!(sql, " ORDER BY p.id DESC LIMIT {} OFFSET ${parameter}", filter.limit);
        let sql = AssertSqlSafe(spell(&sql, self.dialect()));
        Ok(on!(self, engine => {
            let mut query = bind_reach!(sqlx::query_scalar(sql), reach);
            for text in texts {
                query = query.bind(text);
            }
            query.bind(i64::try_from(filter.offset).unwrap_or(i64::MAX)).fetch_all(&engine.read).await?
        }))
    }

    async fn with_scheduled(&self, found: Vec<Row>) -> Result<Vec<PerformedStepRow>, DatabaseError> {
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let (before, after) = self.dialect().any_of();
        let sql = format!(
            "SELECT performed_step, study_instance_uid, accession_number, step_id FROM performed_step_schedule \
             WHERE performed_step {before}SELECT r.id FROM ROWS($1: id uuid) AS r{after} \
             ORDER BY performed_step, number"
        );
        let sql = AssertSqlSafe(spell(&sql, self.dialect()));
        let list = uuid_rows(found.iter().map(|row| row.id));
        let scheduled: Vec<Scheduled> =
            on!(self, engine => sqlx::query_as(sql).bind(list).fetch_all(&engine.read).await?);
        let mut of_step: HashMap<Uuid, Vec<ScheduledReference>> = HashMap::new();
        for one in scheduled {
            of_step.entry(one.0).or_default().push(reference(one)?);
        }
        let with = |row: Row| {
            let scheduled = of_step.remove(&row.id).unwrap_or_default();
            row.with(scheduled)
        };
        found.into_iter().map(with).collect()
    }
}
