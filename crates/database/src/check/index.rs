//! Removing the index before it is made again from the objects.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Database, DatabaseError, engine::Tx};

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
    /// Removes everything that objects can give again: patients, studies, series, instances, headers, previews, whose objects are to
    /// be removed. Links of studies to consultations, and what has not arrived where it is sent on to, are remembered for
    /// [`Self::restore_links`]. Accounts, consultations and the audit trail stay. One transaction: a crash leaves all or nothing.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn clear_index(&self) -> Result<(), DatabaseError> {
        const REMEMBER: &str = "INSERT INTO remembered_link (consultation_id, study_instance_uid, linked_at) \
            SELECT link.consultation_id, study.study_instance_uid, link.linked_at FROM consultation_study link \
            JOIN study ON study.id = link.study WHERE true ON CONFLICT DO NOTHING";
        const FORWARDS: &str = "INSERT INTO remembered_forward (id, rule_id, sop_instance_uid, destination, \
            priority, state, attempts, refusals, due_at, last_error, created_at, ended_at) \
            SELECT forward.id, forward.rule_id, instance.sop_instance_uid, forward.destination, forward.priority, \
            forward.state, forward.attempts, forward.refusals, forward.due_at, forward.last_error, \
            forward.created_at, forward.ended_at FROM forward JOIN instance ON instance.id = forward.instance \
            WHERE forward.state <> 'sent' ON CONFLICT DO NOTHING";
        const PICTURES: &str = "INSERT INTO dropped_object (object_key, remove_after) SELECT picture.id, $1 FROM \
            (SELECT preview_key AS id FROM preview UNION SELECT thumbnail_key FROM preview) AS picture \
            WHERE picture.id IS NOT NULL ON CONFLICT DO NOTHING";
        const KEYS: &str = "DELETE FROM patient_key WHERE state IN ('active', 'retired')";
        let mut tx = self.begin().await?;
        let now = tx.now;
        on_tx!(tx, connection => sqlx::query(PICTURES).bind(now).execute(connection).await.map(drop)?);
        // Keys that wait for their destruction are not made again by an object.
        for sql in [REMEMBER, FORWARDS, KEYS] {
            on_tx!(tx, connection => sqlx::query(sql).execute(connection).await.map(drop)?);
        }
        for table in TABLES {
            let sql = sqlx::AssertSqlSafe(format!("DELETE FROM {table}"));
            on_tx!(tx, connection => sqlx::query(sql).execute(connection).await.map(drop)?);
        }
        self.commit(tx).await
    }

    /// Puts links back whose study is there again, and what was to be sent on; gives how many links.
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
        restore_forwards(&mut tx).await?;
        self.commit(tx).await?;
        Ok(links.len() as u64)
    }
}

/// What comes back is not stored for the first time, so that no rule asks for it: what had not arrived goes on to wait.
async fn restore_forwards(tx: &mut Tx) -> Result<(), DatabaseError> {
    const WAIT: &str = "INSERT INTO forward (id, rule_id, instance, destination, priority, state, attempts, refusals, \
        due_at, last_error, created_at, ended_at) SELECT kept.id, kept.rule_id, instance.id, kept.destination, \
        kept.priority, kept.state, kept.attempts, kept.refusals, kept.due_at, kept.last_error, kept.created_at, \
        kept.ended_at FROM remembered_forward kept JOIN instance \
        ON instance.sop_instance_uid = kept.sop_instance_uid AND instance.current WHERE true ON CONFLICT DO NOTHING";
    const FORGET: &str = "DELETE FROM remembered_forward WHERE EXISTS (SELECT 1 FROM instance \
        WHERE instance.sop_instance_uid = remembered_forward.sop_instance_uid AND instance.current)";
    for sql in [WAIT, FORGET] {
        on_tx!(tx, connection => sqlx::query(sql).execute(connection).await.map(drop)?);
    }
    Ok(())
}
