//! Removing the index before it is made again from the objects.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Database, DatabaseError};

/// What falls with its parent row is not named; the order is that of the references.
const TABLES: &[&str] = &[
    "preview",
    "instance_header",
    "instance",
    "series",
    "consultation_study",
    "study",
    "patient_demographics",
    "patient",
];

impl Database {
    /// Removes everything that objects can give again: patients, studies, series, instances, headers, previews. Links
    /// of studies to consultations are remembered for [`Self::restore_links`]. Accounts, consultations and the audit
    /// trail stay. One transaction: a crash leaves all or nothing.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn clear_index(&self) -> Result<(), DatabaseError> {
        const REMEMBER: &str = "INSERT INTO remembered_link (consultation_id, study_instance_uid, linked_at) \
            SELECT link.consultation_id, study.study_instance_uid, link.linked_at FROM consultation_study link \
            JOIN study ON study.id = link.study WHERE true ON CONFLICT DO NOTHING";
        const KEYS: &str = "DELETE FROM patient_key WHERE state IN ('active', 'retired')";
        let mut tx = self.begin().await?;
        on_tx!(tx, connection => sqlx::query(REMEMBER).execute(connection).await.map(drop)?);
        // Keys that wait for their destruction are not made again by an object.
        on_tx!(tx, connection => sqlx::query(KEYS).execute(connection).await.map(drop)?);
        for table in TABLES {
            let sql = sqlx::AssertSqlSafe(format!("DELETE FROM {table}"));
            on_tx!(tx, connection => sqlx::query(sql).execute(connection).await.map(drop)?);
        }
        self.commit(tx).await
    }

    /// Puts links back whose study is there again; gives how many.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn restore_links(&self) -> Result<u64, DatabaseError> {
        const FIND: &str = "SELECT link.consultation_id, study.id, link.linked_at FROM remembered_link link \
            JOIN study ON study.study_instance_uid = link.study_instance_uid";
        const LINK: &str = "INSERT INTO consultation_study (consultation_id, study, linked_at) \
            VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        const FORGET: &str = "DELETE FROM remembered_link WHERE EXISTS \
            (SELECT 1 FROM study WHERE study.study_instance_uid = remembered_link.study_instance_uid)";
        let mut tx = self.begin().await?;
        let links: Vec<(Uuid, Uuid, DateTime<Utc>)> =
            on_tx!(tx, connection => sqlx::query_as(FIND).fetch_all(connection).await?);
        for (consultation, study, linked_at) in &links {
            on_tx!(tx, connection => sqlx::query(LINK)
                .bind(consultation)
                .bind(study)
                .bind(linked_at)
                .execute(connection)
                .await
                .map(drop)?);
        }
        on_tx!(tx, connection => sqlx::query(FORGET).execute(connection).await.map(drop)?);
        self.commit(tx).await?;
        Ok(links.len() as u64)
    }
}
