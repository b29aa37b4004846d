//! The transaction that turns gather in, and its COMMIT.

use std::{
    collections::VecDeque,
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use fail_point::Point;
use sqlx_sqlite::Sqlite;
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use super::{
    Asked, Kept, NotDone, Taken, Turn, Work, rolled_back,
    together::{End, Together},
    undo::{ROLLBACK, give_up, is_disk_failure, run, undo},
};
use crate::{
    AuditRecord, DatabaseError,
    audit::{ChainMemory, Chained, HeadRow, begin_with_head},
    batch::Batch,
    commit::{before_commit, disk_failed},
    connections::{Borrowed, Connections},
};

/// Turns of one transaction at most.
const TURNS_MAX: usize = 64;
/// Turns whose statements are known that are carried out in one trip.
const TOGETHER: usize = 4;
/// After this time a transaction takes no more turns: its first waits for the last. Who comes too late waits for two of them, so
/// this is long enough for as many as usually come at once.
const GATHERING_MAX: Duration = Duration::from_millis(25);

/// Every statement that moves a transaction on is sent with the next one: each is a trip to the thread of the connection.
const NEXT: &str = "RELEASE turn; SAVEPOINT turn";
const TAKE_BACK: &str = "ROLLBACK TO turn";
const COMMIT: &str = "RELEASE turn; COMMIT";
/// After the records have released the savepoint.
const COMMIT_ALONE: &str = "COMMIT";

/// Serves whoever asks, until nobody can any more.
pub(super) async fn hand_out(
    connections: Connections<Sqlite>,
    chain: Arc<ChainMemory>,
    broken: watch::Sender<bool>,
    mut queue: mpsc::UnboundedReceiver<Asked>,
) {
    while let Some(first) = queue.recv().await {
        if *broken.borrow() {
            // It came while the disk failed under the COMMIT before.
            first.refuse(disk_failed());
            continue;
        }
        match Gathering::begin(&connections, &chain).await {
            Ok(gathering) => gathering.run(first, &mut queue, &chain, &broken).await,
            Err(error) => first.refuse(error),
        }
    }
}

fn waiting(queue: &mut mpsc::UnboundedReceiver<Asked>) -> impl Iterator<Item = Asked> {
    std::iter::from_fn(|| queue.try_recv().ok())
}

/// The work that waits behind this one, up to the first who waits for something else.
fn more_work(first: Work, queue: &mut mpsc::UnboundedReceiver<Asked>) -> (Vec<Work>, Option<Asked>) {
    let mut work = vec![first];
    while work.len() < TOGETHER {
        match queue.try_recv() {
            Ok(Asked::Work(next)) => work.push(*next),
            Ok(other) => return (work, Some(other)),
            Err(_) => break,
        }
    }
    (work, None)
}

/// A transaction that turns gather in.
struct Gathering {
    connection: Arc<Mutex<Borrowed<Sqlite>>>,
    began: Instant,
    /// The end of the audit trail.
    head: HeadRow,
    /// Nothing was done since the savepoint.
    fresh: bool,
    /// Who waits for the COMMIT.
    kept: Vec<oneshot::Sender<Result<(), NotDone>>>,
    /// What they are recorded as, and when: all in one statement, so that the trail costs a turn nothing.
    records: Vec<(Vec<AuditRecord>, DateTime<Utc>)>,
}

impl Gathering {
    async fn begin(connections: &Connections<Sqlite>, chain: &ChainMemory) -> Result<Self, DatabaseError> {
        let mut connection = connections.borrow().await?;
        let begun = begin_with_head(chain, &mut connection).await;
        if begun.is_err() {
            // Nothing of this transaction may be met by the next one.
            let _ = undo(&mut connection, ROLLBACK).await;
        }
        Ok(Self {
            head: begun?,
            connection: Arc::new(Mutex::new(connection)),
            began: Instant::now(),
            fresh: true,
            kept: Vec::new(),
            records: Vec::new(),
        })
    }

    async fn run(
        mut self,
        first: Asked,
        queue: &mut mpsc::UnboundedReceiver<Asked>,
        chain: &ChainMemory,
        broken: &watch::Sender<bool>,
    ) {
        let mut next = Some(first);
        let mut moved = Ok(());
        while let Some(asked) = next.take() {
            moved = match asked {
                Asked::Turn(reply) => self.give(reply).await,
                Asked::Work(work) => {
                    let (work, other) = more_work(*work, queue);
                    next = other;
                    self.carry_out(work).await
                }
            };
            let full = self.kept.len() >= TURNS_MAX || self.began.elapsed() >= GATHERING_MAX;
            if moved.is_ok() && next.is_none() && !full {
                // Who has stopped waiting is passed over: dropping what was sent to nobody would cost a turn.
                next = waiting(queue).find(|asked| !asked.is_given_up());
            }
            if moved.is_err() {
                break;
            }
            // Work brings it along.
            if matches!(next, Some(Asked::Turn(_))) && !mem::replace(&mut self.fresh, true) {
                moved = self.statement(NEXT).await;
                if moved.is_err() {
                    break;
                }
            }
        }
        self.end(moved, next, chain, broken).await;
    }

    /// One turn, from its first statement to its last.
    async fn give(&mut self, reply: oneshot::Sender<Result<Turn, DatabaseError>>) -> Result<(), sqlx::Error> {
        let (end, ended) = oneshot::channel();
        let connection = Arc::clone(&self.connection).lock_owned().await;
        self.fresh = false;
        let _ = reply.send(Ok(Turn::Taken(Taken { connection, end })));
        match ended.await {
            Ok(kept) => {
                self.keep(kept);
                Ok(())
            }
            // Dropped. When the engine has rolled back everything by itself, there is no savepoint to go back to.
            Err(_) => self.take_back().await,
        }
    }

    fn keep(&mut self, Kept { audit, at, committed }: Kept) {
        if !audit.is_empty() {
            self.records.push((audit, at));
        }
        self.kept.push(committed);
    }

    /// Turns whose statements are known, in one trip when there are many.
    async fn carry_out(&mut self, work: Vec<Work>) -> Result<(), sqlx::Error> {
        let mut waiting: VecDeque<(Batch, Kept)> = work.into_iter().filter_map(Work::begin).collect();
        while let Some((first, _)) = waiting.front() {
            if first.is_empty() {
                // Recorded, and nothing else.
                waiting.pop_front().into_iter().for_each(|(_, kept)| self.keep(kept));
                continue;
            }
            // One or many, and many alike, for each text is kept by the connection with all its statements.
            let alike = waiting.iter().take(TOGETHER).filter(|(statements, _)| statements.is_like(first));
            let together = if alike.count() == TOGETHER { TOGETHER } else { 1 };
            // Those behind one that fails are carried out again; one alone has none behind it.
            let take = |(statements, _): &mut (Batch, Kept)| {
                if together == 1 { mem::take(statements) } else { statements.clone() }
            };
            let statements = waiting.iter_mut().take(together).map(take);
            let statements = Together::of(statements, mem::take(&mut self.fresh));
            let (whole, end) = statements.run(&mut *self.connection.lock().await).await;
            for (_, kept) in waiting.drain(..whole) {
                self.keep(kept);
            }
            let lost = match end {
                End::Whole => continue,
                End::Lost(error) => Err(error),
                End::Stopped(error) => {
                    let taken_back = self.take_back().await;
                    if let Some((_, kept)) = waiting.pop_front() {
                        let _ = kept.committed.send(Err(NotDone::Statement(error)));
                    }
                    taken_back
                }
            };
            if lost.is_err() {
                // They hear what all hear.
                self.kept.extend(waiting.into_iter().map(|(_, kept)| kept.committed));
                return lost;
            }
        }
        Ok(())
    }

    async fn take_back(&self) -> Result<(), sqlx::Error> {
        undo(&mut *self.connection.lock().await, TAKE_BACK).await
    }

    async fn statement(&self, sql: &'static str) -> Result<(), sqlx::Error> {
        run(&mut *self.connection.lock().await, sql).await
    }

    /// The audit records of all turns in one statement, and COMMIT.
    async fn commit(
        &mut self,
        chain: &ChainMemory,
        broken: &watch::Sender<bool>,
    ) -> Result<(), DatabaseError> {
        let (records, head) = (mem::take(&mut self.records), mem::take(&mut self.head));
        let records = Chained::after(chain, head, records);
        let head = records.as_ref().map(Chained::head);
        if let Err((error, by_commit)) = self.write_and_commit(records).await {
            if by_commit && is_disk_failure(&error) {
                // What a failed fsync left behind may be read but not be on the disk: asking the same file
                // again proves nothing.
                broken.send_replace(true);
                tracing::error!("the disk failed under a commit: nothing more is stored until a restart");
            }
            return Err(rolled_back(error));
        }
        chain.committed(head);
        Ok(())
    }

    /// In one trip, unless a test wants to be in between. The error, and whether it is COMMIT's.
    async fn write_and_commit(&self, records: Option<Chained>) -> Result<(), (sqlx::Error, bool)> {
        let mut connection = self.connection.lock().await;
        let taken_apart = [Point::K16AuditWritten, Point::K17BeforeCommit].map(fail_point::is_armed);
        let mut commit = COMMIT;
        if let Some(records) = records {
            if taken_apart == [false; 2] {
                return records.write_and_commit(&mut connection).await;
            }
            records.write(&mut connection).await.map_err(|error| (error, false))?;
            commit = COMMIT_ALONE;
        }
        before_commit().map_err(|error| (error, false))?;
        run(&mut connection, commit).await.map_err(|error| (error, true))
    }

    async fn end(
        mut self,
        moved: Result<(), sqlx::Error>,
        left_over: Option<Asked>,
        chain: &ChainMemory,
        broken: &watch::Sender<bool>,
    ) {
        let committed = match moved {
            Ok(()) if self.kept.is_empty() => self.statement(ROLLBACK).await.map_err(DatabaseError::from),
            Ok(()) => self.commit(chain, broken).await,
            Err(error) => Err(rolled_back(error)),
        };
        let Err(error) = committed else {
            if let Some(connection) = Arc::into_inner(self.connection) {
                connection.into_inner().give_back().await;
            }
            metrics::histogram!("database_turns_of_a_commit").record(self.kept.len() as f64);
            for committed in self.kept {
                let _ = committed.send(Ok(()));
            }
            return;
        };
        give_up(&mut *self.connection.lock().await).await;
        tracing::warn!(%error, turns = self.kept.len(), "a transaction was not committed");
        for committed in self.kept {
            let _ = committed.send(Err(error.for_another().into()));
        }
        if let Some(asked) = left_over {
            asked.refuse(error.for_another());
        }
    }
}
