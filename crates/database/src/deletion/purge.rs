//! The end of the grace period.

use uuid::Uuid;

use super::{links::forget_links, restore::drop_unless_named};
use crate::{AuditActor, AuditRecord, Database, DatabaseError, audit::insert_audit, engine::Tx};

/// Deletions that are looked at together.
const AT_ONCE: i64 = 100;

impl Database {
    /// Lets go of what was deleted longer ago than its grace period, unless a legal hold came meanwhile: the objects are
    /// removed with the next sweep.
    /// Gives how many deletions ended.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn purge_deleted(&self) -> Result<u64, DatabaseError> {
        const DUE: &str = "SELECT id FROM deletion WHERE state = 'deleted' AND purge_after <= $1 AND NOT EXISTS \
            (SELECT 1 FROM legal_hold WHERE legal_hold.patient = deletion.patient) ORDER BY purge_after LIMIT $2";
        let now = self.shared().clock.now();
        let due: Vec<Uuid> = on!(self, engine =>
            sqlx::query_scalar(DUE).bind(now).bind(AT_ONCE).fetch_all(&engine.read).await?);
        let mut ended = 0;
        for id in due {
            let mut tx = self.begin().await?;
            if purge(&mut tx, id).await? {
                self.commit(tx).await?;
                ended += 1;
            }
        }
        Ok(ended)
    }
}

/// False when it was restored, or purged by another node.
async fn purge(tx: &mut Tx, id: Uuid) -> Result<bool, DatabaseError> {
    const END: &str = "UPDATE deletion SET state = 'purged' WHERE id = $1 AND state = 'deleted' \
        AND purge_after <= $2 AND NOT EXISTS \
        (SELECT 1 FROM legal_hold WHERE legal_hold.patient = deletion.patient) \
        RETURNING patient, study_instance_uid";
    const TAKE: &str = "DELETE FROM deleted_instance WHERE deletion = $1 RETURNING object_key";
    let now = tx.now;
    let ended: Option<(Uuid, String)> =
        on_tx!(tx, connection => sqlx::query_as(END).bind(id).bind(now).fetch_optional(connection).await?);
    let Some((patient, study_instance_uid)) = ended else { return Ok(false) };
    let objects: Vec<Uuid> =
        on_tx!(tx, connection => sqlx::query_scalar(TAKE).bind(id).fetch_all(connection).await?);
    drop_unless_named(tx, &objects).await?;
    forget_links(tx, &study_instance_uid, id).await?;
    let actor = AuditActor { role: "archive".to_owned(), ..AuditActor::default() };
    let mut record = AuditRecord::success(&actor, "purge_instances")
        .of_patient(patient)
        .of_study(&study_instance_uid)
        .about(id);
    record.detail = format!("{} objects", objects.len());
    insert_audit(tx, &[record]).await?;
    Ok(true)
}
