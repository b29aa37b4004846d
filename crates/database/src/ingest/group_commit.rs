//! Group commit: one task takes the instances and audit records that wait and commits them together, so that many senders share one
//! sync of the disk. It never waits for more to come: while one group is committed, the next one gathers.

use std::time::Duration;

use fail_point::Point;
use tokio::sync::{mpsc, oneshot};

use super::{StoreInstanceError, StoreOutcome, known, prepare::Prepared, resolve, write};
use crate::{
    AuditRecord, Database, DatabaseError,
    audit::{commit_records, insert_audit},
};

/// Headers of one group at most, so that a group of large ones does not take the memory.
const GROUP_MAX_BYTES: usize = 16 << 20;
/// How often a transaction that lost a race, or its connection, is run again.
const ATTEMPTS_MAX: u32 = 8;
/// Wait before the first repetition; it doubles.
const RETRY_FIRST_MS: u64 = 20;

type Outcome = Result<StoreOutcome, StoreInstanceError>;

/// Work in the queue, and who waits for it.
pub(crate) enum Waiting {
    /// An instance to store.
    Instance { prepared: Box<Prepared>, reply: oneshot::Sender<Outcome> },
    /// An audit record that belongs to no other write: a read is answered once it is durable. On PostgreSQL alone; on
    /// SQLite turns share a transaction (`turn.rs`).
    Audit { record: Box<AuditRecord>, reply: oneshot::Sender<Result<(), DatabaseError>> },
}

/// What is committed together.
#[derive(Default)]
struct Group {
    instances: Vec<Prepared>,
    outcomes: Vec<oneshot::Sender<Outcome>>,
    records: Vec<AuditRecord>,
    recorded: Vec<oneshot::Sender<Result<(), DatabaseError>>>,
    bytes: usize,
}

impl Group {
    fn len(&self) -> usize {
        self.instances.len() + self.records.len()
    }

    fn add(&mut self, waiting: Waiting) {
        match waiting {
            Waiting::Instance { prepared, reply } => {
                self.bytes += prepared.weight_bytes();
                self.instances.push(*prepared);
                self.outcomes.push(reply);
            }
            Waiting::Audit { record, reply } => {
                self.records.push(*record);
                self.recorded.push(reply);
            }
        }
    }
}

/// Why a transaction was not committed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another node wrote one of the rows first: what was decided no longer holds.
    LostRace,
    Database(DatabaseError),
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Runs until the last clone of the database is dropped.
pub(crate) async fn commit_in_groups(database: Database, mut queue: mpsc::Receiver<Waiting>) {
    let instances_max = database.shared().config.group_commit_instances_max.max(1);
    while let Some(first) = queue.recv().await {
        let mut group = Group::default();
        group.add(first);
        while group.len() < instances_max && group.bytes < GROUP_MAX_BYTES {
            let Ok(next) = queue.try_recv() else { break };
            group.add(next);
        }
        metrics::histogram!("database_group_commit_instances").record(group.len() as f64);
        commit_group(&database, group).await;
    }
}

/// Commits and answers. Who waited for an answer may have gone: what was queued is stored all the same.
async fn commit_group(database: &Database, group: Group) {
    let Group { instances, outcomes, records, recorded, .. } = group;
    let alone = instances.len() + records.len() == 1;
    match commit_repeatedly(database, &instances, &records).await {
        Ok(found) => {
            if !found.is_empty() {
                fail_point::pass(Point::K19Committed);
            }
            for (reply, outcome) in outcomes.into_iter().zip(found) {
                let _ = reply.send(outcome);
            }
            for reply in recorded {
                let _ = reply.send(Ok(()));
            }
        }
        Err(error) if alone || is_of_the_server(&error) => {
            for reply in outcomes {
                let _ = reply.send(Err(error.for_another().into()));
            }
            for reply in recorded {
                let _ = reply.send(Err(error.for_another()));
            }
        }
        // One of them may have spoilt the others' transaction: each alone, so that only that one fails.
        Err(_) => {
            for (instance, reply) in instances.into_iter().zip(outcomes) {
                let found = commit_repeatedly(database, &[instance], &[]).await;
                let outcome = found
                    .map_err(StoreInstanceError::from)
                    .and_then(|mut found| found.pop().unwrap_or(Err(DatabaseError::Busy.into())));
                let _ = reply.send(outcome);
            }
            for (record, reply) in records.into_iter().zip(recorded) {
                let _ = reply.send(record_repeatedly(database, &[record]).await);
            }
        }
    }
}

/// Whether it would meet every instance alike.
fn is_of_the_server(error: &DatabaseError) -> bool {
    matches!(error, DatabaseError::Unavailable(_))
}

/// Runs the transaction until it is known to be committed or known to have failed.
///
/// A connection that is lost in COMMIT leaves it open whether the rows are there. Running the transaction again
/// answers that: rows with our own ids are found if they are there, and written if not; should the lost COMMIT be
/// still under way, the unique indexes make us wait for its end.
async fn commit_repeatedly(
    database: &Database,
    instances: &[Prepared],
    records: &[AuditRecord],
) -> Result<Vec<Outcome>, DatabaseError> {
    let mut wait = Duration::from_millis(RETRY_FIRST_MS);
    for attempt in 1.. {
        let error = match commit_once(database, instances, records).await {
            Ok(outcomes) => return Ok(outcomes),
            Err(Failure::LostRace) => DatabaseError::Busy,
            Err(Failure::Database(error)) => error,
        };
        let passing = matches!(error, DatabaseError::Busy | DatabaseError::Unavailable(_));
        if !passing || attempt >= ATTEMPTS_MAX || database.has_disk_failed() {
            return Err(error);
        }
        metrics::counter!("database_group_commit_repeated").increment(1);
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    Err(DatabaseError::Busy)
}

/// As [`commit_repeatedly`], for records alone.
pub(crate) async fn record_repeatedly(
    database: &Database,
    records: &[AuditRecord],
) -> Result<(), DatabaseError> {
    commit_repeatedly(database, &[], records).await.map(|_| ())
}

async fn commit_once(
    database: &Database,
    instances: &[Prepared],
    records: &[AuditRecord],
) -> Result<Vec<Outcome>, Failure> {
    if instances.is_empty() {
        commit_records(database, records).await?;
        return Ok(Vec::new());
    }
    let mut tx = database.begin_holding_keys().await?;
    fail_point::reach(Point::K12TransactionBegun).map_err(sqlx::Error::Io)?;
    let known = known::read(&mut tx, instances).await?;
    let plan = resolve::resolve(instances, known);
    let outcomes = write::write(&mut tx, instances, plan).await?;
    insert_audit(&mut tx, records).await?;
    database.commit(tx).await?;
    Ok(outcomes)
}
