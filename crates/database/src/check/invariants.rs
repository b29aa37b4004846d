//! Sentences about the rows that hold at every moment between two transactions.

use chrono::{DateTime, Utc};
use model::event::Event;
use uuid::Uuid;

use crate::{Database, DatabaseError};

/// An event that tells of a new instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The instance.
    pub xray_id: Uuid,
    /// When its transaction was.
    pub at: DateTime<Utc>,
}

/// A study that is linked to a consultation of another patient.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct LinkedWrongly {
    /// The consultation.
    pub consultation_id: Uuid,
    /// The study.
    pub study_instance_uid: String,
}

impl Database {
    /// SOP Instance UIDs with versions of which not exactly one is current.
    pub async fn uids_without_one_current(&self, limit: u32) -> Result<Vec<String>, DatabaseError> {
        const SQL: &str = "SELECT sop_instance_uid FROM instance GROUP BY sop_instance_uid \
            HAVING SUM(CASE WHEN current THEN 1 ELSE 0 END) <> 1 ORDER BY sop_instance_uid LIMIT $1";
        Ok(on!(self, engine => sqlx::query_scalar(SQL)
            .bind(i64::from(limit))
            .fetch_all(&engine.read)
            .await?))
    }

    /// Instances without a header.
    pub async fn instances_without_header(&self, limit: u32) -> Result<Vec<Uuid>, DatabaseError> {
        const SQL: &str = "SELECT instance.id FROM instance WHERE NOT EXISTS \
            (SELECT 1 FROM instance_header WHERE instance_header.instance = instance.id) \
            ORDER BY instance.id LIMIT $1";
        Ok(on!(self, engine => sqlx::query_scalar(SQL)
            .bind(i64::from(limit))
            .fetch_all(&engine.read)
            .await?))
    }

    /// Links that tie a study to a consultation of another patient.
    pub async fn links_between_patients(&self, limit: u32) -> Result<Vec<LinkedWrongly>, DatabaseError> {
        const SQL: &str = "SELECT link.consultation_id, study.study_instance_uid FROM consultation_study link \
            JOIN consultation ON consultation.id = link.consultation_id JOIN study ON study.id = link.study \
            JOIN patient ON patient.id = study.patient \
            WHERE patient.patient_id <> consultation.patient_id OR (consultation.issuer_of_patient_id <> '' \
            AND patient.issuer_of_patient_id <> consultation.issuer_of_patient_id) LIMIT $1";
        Ok(on!(self, engine => sqlx::query_as(SQL).bind(i64::from(limit)).fetch_all(&engine.read).await?))
    }

    /// What the engine itself says about its file: one sentence for each thing that is wrong. Reads the whole file on
    /// SQLite; PostgreSQL has no such statement.
    pub async fn check_engine(&self) -> Result<Vec<String>, DatabaseError> {
        let Self::Sqlite(engine) = self else { return Ok(Vec::new()) };
        let said: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(20)").fetch_all(&engine.read).await?;
        let mut wrong: Vec<String> = said.into_iter().filter(|line| line != "ok").collect();
        let broken: Vec<(String, Option<i64>, String, i64)> =
            sqlx::query_as("PRAGMA foreign_key_check").fetch_all(&engine.read).await?;
        wrong.extend(
            broken
                .into_iter()
                .take(20)
                .map(|(table, _, parent, _)| format!("a row of {table} refers to no {parent}")),
        );
        Ok(wrong)
    }

    /// Events of new instances after `sequence`, and the sequence to go on from; none when there are no more. Every
    /// page is read in the order of the outbox.
    pub async fn stored_events(
        &self,
        sequence: i64,
        limit: u32,
    ) -> Result<Option<(i64, Vec<StoredEvent>)>, DatabaseError> {
        let page = self.outbox_after(sequence, limit).await?;
        let Some(last) = page.last().map(|event| event.sequence) else { return Ok(None) };
        let events = page.into_iter().filter_map(|envelope| match envelope.event {
            Event::InstanceStored { xray_id, .. } | Event::InstanceConflicted { xray_id, .. } => {
                Some(StoredEvent { xray_id, at: envelope.at })
            }
            _ => None,
        });
        Ok(Some((last, events.collect())))
    }

    /// Instances by their SOP Instance UID: id, SHA-256 of the data set, and whether it is current.
    pub async fn versions(
        &self,
        sop_instance_uid: &str,
    ) -> Result<Vec<(Uuid, [u8; 32], bool)>, DatabaseError> {
        const SQL: &str = "SELECT id, data_set_sha256, current FROM instance WHERE sop_instance_uid = $1";
        let found: Vec<(Uuid, Vec<u8>, bool)> =
            on!(self, engine => sqlx::query_as(SQL).bind(sop_instance_uid).fetch_all(&engine.read).await?);
        let version = |(id, sha256, current): (Uuid, Vec<u8>, bool)| {
            let sha256 = <[u8; 32]>::try_from(sha256);
            sha256
                .map(|sha256| (id, sha256, current))
                .map_err(|_| DatabaseError::Corrupt(format!("digest of instance {id}")))
        };
        found.into_iter().map(version).collect()
    }

    /// Whether the trail tells that an instance of this study was stored under this SOP Instance's id.
    pub async fn is_store_audited(
        &self,
        study_instance_uid: &str,
        xray_id: Uuid,
    ) -> Result<bool, DatabaseError> {
        const SQL: &str = "SELECT COUNT(*) FROM audit WHERE study_instance_uid = $1 AND subject = $2 \
            AND action = 'store_instance' AND outcome = 'success'";
        let found: i64 = on!(self, engine => sqlx::query_scalar(SQL)
            .bind(study_instance_uid)
            .bind(xray_id.to_string())
            .fetch_one(&engine.read)
            .await?);
        Ok(found > 0)
    }
}
