//! Group commit: one task takes the instances that wait and commits them together, so that many senders share one
//! sync of the disk. It never waits for more to come: while one group is committed, the next one gathers.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{StoreInstanceError, StoreOutcome, known, prepare::Prepared, resolve, write};
use crate::{Database, DatabaseError};

/// Headers of one group at most, so that a group of large ones does not take the memory.
const GROUP_MAX_BYTES: usize = 16 << 20;
/// How often a transaction that lost a race, or its connection, is run again.
const ATTEMPTS_MAX: u32 = 6;
/// Wait before the first repetition; it doubles.
const RETRY_FIRST_MS: u64 = 10;

type Outcome = Result<StoreOutcome, StoreInstanceError>;

/// An instance in the queue, and who waits for it.
pub(crate) struct Waiting {
    pub(super) prepared: Prepared,
    pub(super) reply: oneshot::Sender<Outcome>,
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
        let mut bytes = first.prepared.weight_bytes();
        let mut group = vec![first];
        while group.len() < instances_max && bytes < GROUP_MAX_BYTES {
            let Ok(next) = queue.try_recv() else { break };
            bytes += next.prepared.weight_bytes();
            group.push(next);
        }
        metrics::histogram!("database_group_commit_instances").record(group.len() as f64);
        commit_group(&database, group).await;
    }
}

async fn commit_group(database: &Database, group: Vec<Waiting>) {
    let (instances, replies): (Vec<_>, Vec<_>) =
        group.into_iter().map(|waiting| (waiting.prepared, waiting.reply)).unzip();
    match commit_repeatedly(database, &instances).await {
        Ok(outcomes) => {
            for (reply, outcome) in replies.into_iter().zip(outcomes) {
                // Who waited may have gone: the instance is stored all the same.
                let _ = reply.send(outcome);
            }
        }
        Err(error) if instances.len() == 1 || is_of_the_server(&error) => {
            for reply in replies {
                let _ = reply.send(Err(StoreInstanceError::Database(repeat(&error))));
            }
        }
        // One instance may have spoilt the others' transaction: each alone, so that only that one fails.
        Err(_) => {
            for (instance, reply) in instances.iter().zip(replies) {
                let outcome = match commit_repeatedly(database, std::slice::from_ref(instance)).await {
                    Ok(mut outcomes) => outcomes.pop().unwrap_or(Err(DatabaseError::Busy.into())),
                    Err(error) => Err(error.into()),
                };
                let _ = reply.send(outcome);
            }
        }
    }
}

/// Whether it would meet every instance alike.
fn is_of_the_server(error: &DatabaseError) -> bool {
    matches!(error, DatabaseError::Unavailable(_))
}

/// The same error for another caller.
fn repeat(error: &DatabaseError) -> DatabaseError {
    match error {
        DatabaseError::Unavailable(why) => DatabaseError::Unavailable(why.clone()),
        DatabaseError::Busy => DatabaseError::Busy,
        other => DatabaseError::Corrupt(other.to_string()),
    }
}

/// Runs the transaction until it is known to be committed or known to have failed.
///
/// A connection that is lost in COMMIT leaves it open whether the rows are there. Running the transaction again
/// answers that: rows with our own ids are found if they are there, and written if not; should the lost COMMIT be
/// still under way, the unique indexes make us wait for its end.
async fn commit_repeatedly(database: &Database, group: &[Prepared]) -> Result<Vec<Outcome>, DatabaseError> {
    let mut wait = Duration::from_millis(RETRY_FIRST_MS);
    for attempt in 1.. {
        let error = match commit_once(database, group).await {
            Ok(outcomes) => return Ok(outcomes),
            Err(Failure::LostRace) => DatabaseError::Busy,
            Err(Failure::Database(error)) => error,
        };
        let passing = matches!(error, DatabaseError::Busy | DatabaseError::Unavailable(_));
        if !passing || attempt >= ATTEMPTS_MAX {
            return Err(error);
        }
        metrics::counter!("database_group_commit_repeated").increment(1);
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    Err(DatabaseError::Busy)
}

async fn commit_once(database: &Database, group: &[Prepared]) -> Result<Vec<Outcome>, Failure> {
    let mut tx = database.begin().await?;
    let known = known::read(&mut tx, group).await?;
    let mut plan = resolve::resolve(group, known);
    write::write(&mut tx, group, &mut plan).await?;
    database.commit(tx).await?;
    Ok(plan.outcomes)
}
