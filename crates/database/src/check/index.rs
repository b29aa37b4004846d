//! Removing the index before it is made again from the objects.

use crate::{
    AuditActor, Database, DatabaseError,
    deletion::{Remembered, put_back},
    engine::Tx,
};

/// What falls with its parent row is not named; the order is that of the references.
const TABLES: &[&str] = &["preview", "instance_header", "instance", "series", "consultation_study", "study"];

/// A link that is here now is not one that a deletion took before.
const LINKS: &str = "INSERT INTO remembered_link (consultation_id, study_instance_uid, linked_at) \
    SELECT link.consultation_id, study.study_instance_uid, link.linked_at FROM consultation_study link \
    JOIN study ON study.id = link.study WHERE true ON CONFLICT (consultation_id, study_instance_uid) \
    DO UPDATE SET linked_at = excluded.linked_at, deletion = NULL";

const FORWARDS: &str = "INSERT INTO remembered_forward (id, rule_id, sop_instance_uid, destination, \
    priority, state, attempts, refusals, due_at, last_error, created_at, ended_at) \
    SELECT forward.id, forward.rule_id, instance.sop_instance_uid, forward.destination, forward.priority, \
    forward.state, forward.attempts, forward.refusals, forward.due_at, forward.last_error, \
    forward.created_at, forward.ended_at FROM forward JOIN instance ON instance.id = forward.instance \
    WHERE forward.state <> 'sent' ON CONFLICT DO NOTHING";

const PATIENTS: &str = "INSERT INTO remembered_patient (key_id, patient) SELECT key_id, patient FROM patient_key \
    WHERE state IN ('active', 'retired') ON CONFLICT (key_id) DO UPDATE SET patient = excluded.patient";

/// Keys that wait for their destruction are not made again by an object, and those of what can be restored by none that is read.
const KEYS: &str = "DELETE FROM patient_key WHERE state IN ('active', 'retired') \
    AND key_id NOT IN (SELECT patient_key_id FROM deleted_instance)";

/// Patients who stay, without their studies: those with a legal hold, and those of whom something can be restored.
const STAYING: &str = "SELECT patient FROM legal_hold UNION SELECT k.patient FROM deleted_instance gone \
    JOIN patient_key k ON k.key_id = gone.patient_key_id";

impl Database {
    /// Removes everything that objects can give again: patients, studies, series, instances, headers, previews, whose objects are to
    /// be removed. Whom each patient key served, links of studies to consultations, and what has not arrived where it is sent on to,
    /// are remembered: patients come back under their ids, the others with [`Self::restore_links`]. Patients with a legal hold stay, and
    /// those of whom something can be restored. Accounts, consultations and the audit trail stay. One transaction: a crash leaves all or
    /// nothing.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn clear_index(&self) -> Result<(), DatabaseError> {
        const PICTURES: &str = "INSERT INTO dropped_object (object_key, remove_after) SELECT picture.id, $1 FROM \
            (SELECT preview_key AS id FROM preview UNION SELECT thumbnail_key FROM preview) AS picture \
            WHERE picture.id IS NOT NULL ON CONFLICT DO NOTHING";
        let mut tx = self.begin().await?;
        let now = tx.now;
        on_tx!(tx, connection => sqlx::query(PICTURES).bind(now).execute(connection).await.map(drop)?);
        for sql in [LINKS, FORWARDS, PATIENTS, KEYS] {
            on_tx!(tx, connection => sqlx::query(sql).execute(connection).await.map(drop)?);
        }
        let mut statements: Vec<String> = TABLES.iter().map(|table| format!("DELETE FROM {table}")).collect();
        for (table, column) in [("patient_demographics", "patient"), ("patient", "id")] {
            statements.push(format!("DELETE FROM {table} WHERE {column} NOT IN ({STAYING})"));
        }
        for sql in statements {
            let sql = sqlx::AssertSqlSafe(sql);
            on_tx!(tx, connection => sqlx::query(sql).execute(connection).await.map(drop)?);
        }
        self.commit(tx).await
    }

    /// Puts links back whose study is there again and of the same patient as the consultation, and what was to be sent on; gives how many
    /// links. What deletions took is their restoration's.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn restore_links(&self, actor: &AuditActor) -> Result<u64, DatabaseError> {
        const FORGET: [&str; 2] = [
            "DELETE FROM remembered_link WHERE deletion IS NULL AND EXISTS \
             (SELECT 1 FROM study WHERE study.study_instance_uid = remembered_link.study_instance_uid)",
            // Others are of objects that could not be read yet.
            "DELETE FROM remembered_patient WHERE key_id IN (SELECT key_id FROM patient_key)",
        ];
        let mut links = 0;
        while let Some(linked) = self.restore_some_links(actor).await? {
            links += linked;
        }
        let mut tx = self.begin().await?;
        for sql in FORGET {
            on_tx!(tx, connection => sqlx::query(sql).execute(connection).await.map(drop)?);
        }
        restore_forwards(&mut tx).await?;
        self.commit(tx).await?;
        Ok(links)
    }

    /// `None` when there are no more.
    async fn restore_some_links(&self, actor: &AuditActor) -> Result<Option<u64>, DatabaseError> {
        let mut tx = self.begin().await?;
        let put = put_back(&mut tx, Remembered::Index, actor).await?;
        if put.found == 0 {
            return Ok(None);
        }
        self.commit(tx).await?;
        Ok(Some(put.linked))
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
