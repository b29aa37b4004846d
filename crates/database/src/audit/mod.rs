//! The audit trail: who did what. A write's record is a row of the transaction that it tells of, and every record is
//! chained to the one before it (`write.rs`), so that a change shows (`verify.rs`).

mod checkpoint;
mod encoding;
mod patients;
mod read;
mod record;
mod row;
mod verify;
mod write;

use tokio::sync::oneshot;

use crate::{
    Database, DatabaseError,
    batch::Batch,
    engine::Tx,
    ingest::{Waiting, record_repeatedly},
};

pub use checkpoint::StoredCheckpoint;
pub use encoding::Encoder;
pub use read::{AuditFilter, AuditRow};
pub use record::{AuditActor, AuditOutcome, AuditRecord};
pub use verify::{AuditFinding, AuditFindingKind};
pub use write::ChainHead;
pub(crate) use write::{ChainMemory, Chained, HeadRow, begin_with_head, write_chained};

/// Adds records, in order, to the transaction they tell of. They are written last, by its commit: the chain is held
/// for no longer than that, and nothing is waited for while it is held.
pub(crate) async fn insert_audit(tx: &mut Tx, records: &[AuditRecord]) -> Result<(), DatabaseError> {
    let mut records = records.to_vec();
    patients::name_patients(tx, &mut records).await?;
    tx.audit.append(&mut records);
    Ok(())
}

/// Commits records that belong to no other write. On SQLite the writing connection has two trips of it: whose studies they name is
/// known before.
pub(crate) async fn commit_records(
    database: &Database,
    records: &[AuditRecord],
) -> Result<(), DatabaseError> {
    if records.iter().any(|record| record.actor.claim.is_some()) {
        let mut tx = database.begin().await?;
        insert_audit(&mut tx, records).await?;
        return database.commit(tx).await;
    }
    let mut records = records.to_vec();
    patients::name_known_patients(database, &mut records).await?;
    let mut tx = database.begin_batch().await?;
    tx.audit.append(&mut records);
    Ok(database.commit_batch(tx, Batch::default()).await?)
}

impl Database {
    /// Records something that changes nothing else here: a read, a login, a refusal.
    /// It is durable when this returns; concurrent calls share a transaction.
    pub async fn audit(&self, record: AuditRecord) -> Result<(), DatabaseError> {
        if let Self::Sqlite(_) = self {
            // Who waits for a turn shares its transaction anyway. Who asked may go away: what was to be recorded is.
            let database = self.clone();
            let recorded = tokio::spawn(async move { record_repeatedly(&database, &[record]).await });
            return recorded.await.map_err(|_| DatabaseError::closing())?;
        }
        let queue = on!(self, engine => engine.ingest.as_ref()).ok_or_else(DatabaseError::closing)?;
        let (reply, recorded) = oneshot::channel();
        queue
            .send(Waiting::Audit { record: Box::new(record), reply })
            .await
            .map_err(|_| DatabaseError::closing())?;
        recorded.await.map_err(|_| DatabaseError::closing())?
    }
}
