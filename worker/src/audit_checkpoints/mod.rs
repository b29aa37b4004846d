//! Signs the heads of the audit trail's chains every few seconds, in the database and in a file beside it: records
//! that are cut off the end, and a database that was put back to an old state, are found by these.

mod checkpoint;
mod config;
mod key;
mod witness;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use database::{Database, DatabaseError, StoredCheckpoint};
use fail_point::Point;
use model::clock::Clock;
use service::shutdown::Shutdown;
use tokio::sync::Mutex;

pub use checkpoint::{Checkpoint, Head, NotACheckpoint};
pub use config::AuditConfig;
pub use key::{KeyError, SigningKey};
pub use witness::{WITNESS_FILE, WitnessError, read_witness, witness_copy};

/// How often it is looked whether there is something to sign.
const LOOK_MS: u64 = 1_000;

/// Why no checkpoint was made.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The witness file.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The last checkpoint in the database or the file is none.
    #[error("the last checkpoint cannot be read: {0}; maxray audit verify says more")]
    Last(#[from] NotACheckpoint),
}

/// Makes the checkpoints of this node; cheap to clone.
#[derive(Clone)]
pub struct Checkpointer(Arc<Shared>);

struct Shared {
    database: Database,
    clock: Clock,
    config: AuditConfig,
    key: SigningKey,
    /// Where lines are written to: the data directory, and wherever else was asked for.
    files: Vec<PathBuf>,
    state: Mutex<State>,
}

struct State {
    last: Option<Checkpoint>,
    signed_at: Instant,
}

impl Checkpointer {
    /// Reads or makes the key, and mends what a crash left: a line that was half written, lines that the database
    /// has and a file has not.
    pub async fn open(
        database: Database,
        directory: &Path,
        config: AuditConfig,
        clock: Clock,
    ) -> Result<Self, CheckpointError> {
        let key = SigningKey::open(directory)?;
        let node_id = database.node_id();
        let mut files = vec![directory.join(WITNESS_FILE)];
        files.extend(witness_copy(&config, node_id));
        let stored = database.last_checkpoint(node_id).await?;
        let mut last = stored.map(|stored| Checkpoint::parse(&stored.line)).transpose()?;
        for file in &files {
            let witnessed = mend(&database, file).await?;
            let newer = |found: &Checkpoint| last.as_ref().is_none_or(|last| last.number < found.number);
            if let Some(found) = witnessed.filter(newer) {
                metrics::counter!("audit_chain_broken").increment(1);
                tracing::error!(
                    number = found.number,
                    "the database is older than its last audit checkpoint: run maxray audit verify"
                );
                last = Some(found);
            }
        }
        let state = Mutex::new(State { last, signed_at: Instant::now() });
        Ok(Self(Arc::new(Shared { database, clock, config, key, files, state })))
    }

    /// Signs until the shutdown begins. What fails is tried again: the trail itself does not depend on it.
    pub async fn run(self, shutdown: Shutdown) {
        let wait = Duration::from_millis(LOOK_MS.min(self.0.config.checkpoint_interval_ms.max(1)));
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            if let Err(error) = self.sign_when_due(false).await {
                tracing::error!(%error, "the audit trail could not be signed");
            }
        }
    }

    /// Signs what is not signed yet.
    pub async fn sign(&self) -> Result<(), CheckpointError> {
        self.sign_when_due(true).await
    }

    async fn sign_when_due(&self, now: bool) -> Result<(), CheckpointError> {
        let Shared { database, config, .. } = &*self.0;
        let mut state = self.0.state.lock().await;
        let node_id = database.node_id();
        let Some(own) = database.audit_head(node_id).await? else { return Ok(()) };
        let signed = state.last.as_ref().and_then(|last| last.head(node_id));
        let new = own.sequence - signed.map_or(0, |head| head.sequence);
        if signed.is_some_and(|head| head.sequence == own.sequence && head.hash == own.hash) {
            return Ok(());
        }
        if new < 0 {
            metrics::counter!("audit_chain_broken").increment(1);
            tracing::error!(found = own.sequence, "records are gone from the end of the audit trail");
        }
        let due = now
            || new >= i64::from(config.checkpoint_records_max)
            || state.signed_at.elapsed() >= Duration::from_millis(config.checkpoint_interval_ms);
        if !due {
            return Ok(());
        }
        let heads = database.audit_heads().await?.into_iter().map(Head::from).collect();
        let checkpoint =
            Checkpoint::sign(&self.0.key, node_id, state.last.as_ref(), self.0.clock.now(), heads);
        self.store(&checkpoint).await?;
        fail_point::pass(Point::K40CheckpointStored);
        state.signed_at = Instant::now();
        state.last = Some(checkpoint.clone());
        for file in &self.0.files {
            witness::append(file, &checkpoint.line()).await?;
        }
        metrics::counter!("audit_checkpoints").increment(1);
        Ok(())
    }

    /// The database first: a line that a file lacks is taken from there at the next start.
    async fn store(&self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        let stored = StoredCheckpoint {
            node_id: checkpoint.node_id,
            number: checkpoint.number,
            at: checkpoint.at,
            line: checkpoint.line(),
        };
        Ok(self.0.database.insert_checkpoint(&stored).await?)
    }
}

/// Brings a witness file up to the database; gives the last checkpoint of this node in it.
async fn mend(database: &Database, file: &Path) -> Result<Option<Checkpoint>, CheckpointError> {
    /// Lines fetched at once.
    const PAGE: u32 = 1_000;
    let node_id = database.node_id();
    let last = witness::repair(file).await?;
    let mut last = last.map(|line| Checkpoint::parse(&line)).transpose()?;
    loop {
        let after = last.as_ref().map_or(0, |last| last.number);
        let page = database.checkpoints_after(node_id, after, PAGE).await?;
        let mut missing = page.into_iter().filter(|stored| stored.node_id == node_id).peekable();
        if missing.peek().is_none() {
            return Ok(last);
        }
        for stored in missing {
            witness::append(file, &stored.line).await?;
            last = Some(Checkpoint::parse(&stored.line)?);
        }
    }
}
