//! The audit trail: who did what. A write's record is a row of the transaction that it tells of, and every record is
//! chained to the one before it (`write.rs`), so that a change shows (`verify.rs`).

mod checkpoint;
mod encoding;
mod read;
mod record;
mod verify;
mod write;

use tokio::sync::oneshot;

use crate::{Database, DatabaseError, engine::Tx, ingest::Waiting};

pub use checkpoint::StoredCheckpoint;
pub use encoding::Encoder;
pub use read::{AuditFilter, AuditRow};
pub use record::{AuditActor, AuditOutcome, AuditRecord};
pub use verify::{AuditFinding, AuditFindingKind};
pub use write::ChainHead;
pub(crate) use write::{ChainMemory, write_chained, write_chained_together};

/// Adds records, in order, to the transaction they tell of. They are written last, by its commit: the chain is held
/// for no longer than that, and nothing is waited for while it is held.
pub(crate) async fn insert_audit(tx: &mut Tx, records: &[AuditRecord]) -> Result<(), DatabaseError> {
    let mut records = records.to_vec();
    read::name_patients(tx, &mut records).await?;
    tx.audit.append(&mut records);
    Ok(())
}

impl Database {
    /// Records something that changes nothing else here: a read, a login, a refusal.
    /// It is durable when this returns; concurrent calls share a transaction.
    pub async fn audit(&self, record: AuditRecord) -> Result<(), DatabaseError> {
        let queue = on!(self, engine => engine.ingest.as_ref()).ok_or_else(DatabaseError::closing)?;
        let (reply, recorded) = oneshot::channel();
        queue
            .send(Waiting::Audit { record: Box::new(record), reply })
            .await
            .map_err(|_| DatabaseError::closing())?;
        recorded.await.map_err(|_| DatabaseError::closing())?
    }
}
