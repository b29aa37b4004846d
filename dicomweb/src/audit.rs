//! Records of who read what. A read is not held up by its record: a task of its own writes them, and when it falls
//! behind, readers wait for room in its queue.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use database::{AuditActor, AuditRecord, Database};
use futures_util::future::join_all;
use model::StudyInstanceUid;
use service::http::{bearer::Authenticated, request_id};
use tokio::sync::mpsc;
use uuid::Uuid;

/// Records that may wait to be written.
const QUEUE_MAX: usize = 1024;
/// Records that are written at once.
const BATCH_MAX: usize = 64;
/// A viewer reads a study frame by frame: within this time one record tells of all of them.
const REPEAT_AFTER: Duration = Duration::from_mins(5);
/// Accounts and studies whose last record is remembered.
const REMEMBERED_MAX: usize = 10_000;

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Read {
    /// Whole instances: one record a request.
    Instances,
    /// A rendered picture: one record a request.
    Rendered,
    /// Headers, frames, bulk data: one record an account and study in five minutes.
    Content,
}

impl Read {
    fn action(self) -> &'static str {
        match self {
            Self::Instances => "retrieve_instances",
            Self::Rendered => "render_instance",
            Self::Content => "read_study",
        }
    }
}

/// The way to the audit trail.
pub(crate) struct ReadAudit {
    queue: mpsc::Sender<(Read, AuditRecord)>,
}

impl ReadAudit {
    /// Starts the task that writes; it ends when this is dropped and the queue is empty.
    pub fn start(database: Database) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(write(database, waiting));
        Self { queue }
    }

    /// Records that somebody read something of a study; `subject` says what of it.
    pub async fn record(&self, read: Read, who: &Authenticated, study: &StudyInstanceUid, subject: &str) {
        let record = AuditRecord::success(&actor(who), read.action()).of_study(study).about(subject);
        if self.queue.send((read, record)).await.is_err() {
            tracing::error!("the audit task has ended; a read was not recorded");
        }
    }
}

/// The account of a request, for records.
pub(crate) fn actor(who: &Authenticated) -> AuditActor {
    AuditActor {
        user_id: Some(who.principal.user_id),
        role: who.principal.role.as_str().to_owned(),
        source_address: who.source_address.clone(),
        request_id: request_id::current().unwrap_or_default(),
        ..AuditActor::default()
    }
}

async fn write(database: Database, mut waiting: mpsc::Receiver<(Read, AuditRecord)>) {
    let mut seen = Seen::default();
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let new = batch.drain(..).filter(|(read, record)| {
            *read != Read::Content
                || !seen.lately(record.actor.user_id, &record.study_instance_uid, Instant::now())
        });
        // Written at once, they share a transaction.
        let written = join_all(new.map(|(_, record)| database.audit(record))).await;
        for error in written.into_iter().filter_map(Result::err) {
            tracing::error!(%error, "a read could not be recorded in the audit trail");
        }
    }
}

#[derive(Default)]
struct Seen(HashMap<(Option<Uuid>, String), Instant>);

impl Seen {
    /// Whether there was a record lately; if not, there is one from now on.
    fn lately(&mut self, user: Option<Uuid>, study: &str, now: Instant) -> bool {
        let fresh = |at: &Instant| now.duration_since(*at) < REPEAT_AFTER;
        let key = (user, study.to_owned());
        if self.0.get(&key).is_some_and(fresh) {
            return true;
        }
        if self.0.len() >= REMEMBERED_MAX {
            self.0.retain(|_, at| fresh(at));
            if self.0.len() >= REMEMBERED_MAX {
                self.0.clear();
            }
        }
        self.0.insert(key, now);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_in_five_minutes() {
        let mut seen = Seen::default();
        let start = Instant::now();
        let user = Some(Uuid::from_u128(1));
        assert!(!seen.lately(user, "1.2", start));
        assert!(seen.lately(user, "1.2", start + Duration::from_secs(299)));
        assert!(!seen.lately(user, "1.3", start));
        assert!(!seen.lately(Some(Uuid::from_u128(2)), "1.2", start));
        assert!(!seen.lately(user, "1.2", start + REPEAT_AFTER));
    }

    #[test]
    fn what_is_remembered_has_a_limit() {
        let mut seen = Seen::default();
        let start = Instant::now();
        for study in 0..=REMEMBERED_MAX {
            seen.lately(None, &study.to_string(), start);
        }
        assert!(seen.0.len() <= REMEMBERED_MAX);
    }
}
