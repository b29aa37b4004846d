//! What is owed to other AEs and kept in the database: each of them is told, again and again until it has heard, over any restart.
//! Every attempt is claimed, so that no two nodes make the same one.

use std::time::Duration;

use archive::Archive;
use chrono::{DateTime, TimeDelta, Utc};
use database::{AuditActor, DatabaseError};
use futures_util::future::join_all;
use model::AeTitle;
use service::shutdown::Shutdown;
use tokio::sync::Notify;

use crate::{
    archive_commitment::LookError,
    backoff::{milliseconds, wait_after},
    store_scu::ScuError,
};

/// Time between two looks for what is due: it may be of other nodes, too.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// An attempt that has not ended by then is lost, with the node that made it.
const LEASE: TimeDelta = TimeDelta::minutes(5);
/// Who acts, in the audit trail.
const ROLE: &str = "server";

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// What is to be told cannot be read or looked at now, or what was told cannot be written down.
    #[error(transparent)]
    Look(#[from] LookError),
    /// Who is where cannot be read.
    #[error("the registry cannot be read")]
    Registry,
    /// Nobody knows where it is.
    #[error("it is not registered with a host and a port for it any more, or not enabled")]
    NotRegistered,
    /// It does not answer.
    #[error("no association: {0}")]
    Unreachable(ScuError),
    /// It broke off.
    #[error(transparent)]
    Scu(#[from] ScuError),
    /// It did not take it.
    #[error("it answered with status {0:#06x}")]
    Status(u16),
}

impl From<DatabaseError> for DeliveryError {
    fn from(error: DatabaseError) -> Self {
        Self::Look(error.into())
    }
}

impl DeliveryError {
    /// Whether other attempts to tell the same AE would fail as well. One that it breaks off over may be something that it
    /// cannot take.
    fn is_of_the_ae(&self) -> bool {
        matches!(self, Self::NotRegistered | Self::Unreachable(_))
    }
}

/// How long somebody is looked for, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Wait after the first attempt that failed; doubled after each further one.
    pub retry_first: u64,
    /// Longest such wait.
    pub retry_longest: u64,
    /// Time after which nothing more is tried.
    pub give_up_after: u64,
}

/// To whom an item is owed, since when, and which attempt it is.
#[derive(Debug, Clone, Copy)]
pub struct Debt<'a> {
    /// AE title.
    pub ae_title: &'a AeTitle,
    /// What it is about: a UID, for the log.
    pub about: &'a str,
    /// When it began to be owed.
    pub since: DateTime<Utc>,
    /// Attempts, the one that runs included.
    pub attempts: u32,
}

/// A queue of what is owed.
pub trait Owed: Sync {
    /// One thing that one AE is to be told.
    type Item: Send + Sync;
    /// What it is, in the log.
    const WHAT: &'static str;
    /// The counter of attempts that failed.
    const FAILED: &'static str;

    /// Where it is kept.
    fn archive(&self) -> &Archive;
    /// How long is tried.
    fn patience(&self) -> Patience;
    /// Of an item.
    fn debt<'a>(&self, item: &'a Self::Item) -> Debt<'a>;
    /// Takes what is due the longest, for so long.
    fn claim(
        &self,
        lease: TimeDelta,
    ) -> impl Future<Output = Result<Option<Self::Item>, DatabaseError>> + Send;
    /// Tells it and writes down that it was told.
    fn tell(&self, item: &Self::Item) -> impl Future<Output = Result<(), DeliveryError>> + Send;
    /// Puts it off.
    fn postpone(
        &self,
        item: &Self::Item,
        until: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), DatabaseError>> + Send;
    /// Puts everything off that is due to the AE.
    fn postpone_all(
        &self,
        ae_title: &AeTitle,
        until: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), DatabaseError>> + Send;
    /// Writes down that it could not be told.
    fn give_up(&self, item: &Self::Item) -> impl Future<Output = Result<(), DatabaseError>> + Send;
}

/// Who tells, in the audit trail.
pub fn teller() -> AuditActor {
    AuditActor { role: ROLE.to_owned(), ..AuditActor::default() }
}

/// Tells what is due, `at_once` together, until the shutdown begins. `awake` says that there is something new. An attempt that the
/// shutdown cuts off is made again after the next start.
pub async fn deliver<O: Owed>(owed: &O, at_once: usize, awake: &Notify, shutdown: &Shutdown) {
    join_all((0..at_once.max(1)).map(|_| work(owed, awake, shutdown))).await;
}

async fn work<O: Owed>(owed: &O, awake: &Notify, shutdown: &Shutdown) {
    while !shutdown.has_begun() {
        match owed.claim(LEASE).await {
            Ok(Some(item)) => tokio::select! {
                () = attempt(owed, &item) => {}
                () = shutdown.cancelled() => {
                    // The next start makes the attempt at once. What is not given back is taken when the lease ends.
                    let _ = owed.postpone(&item, owed.archive().clock().now()).await;
                }
            },
            Ok(None) => wait(awake, shutdown).await,
            Err(error) => {
                tracing::warn!(%error, "{} that is due cannot be read", O::WHAT);
                wait(awake, shutdown).await;
            }
        }
    }
}

async fn wait(awake: &Notify, shutdown: &Shutdown) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = awake.notified() => {}
        () = tokio::time::sleep(LOOK_EVERY) => {}
    }
}

/// One attempt, and what is to come after it.
async fn attempt<O: Owed>(owed: &O, item: &O::Item) {
    let Err(error) = owed.tell(item).await else { return };
    let Debt { ae_title, about, since, attempts } = owed.debt(item);
    let (now, patience) = (owed.archive().clock().now(), owed.patience());
    let wait = wait_after(attempts, patience.retry_first, patience.retry_longest);
    let until = now + milliseconds(wait);
    let kept = async {
        if error.is_of_the_ae() {
            owed.postpone_all(ae_title, until).await?;
        }
        if now - since >= milliseconds(patience.give_up_after) {
            return owed.give_up(item).await;
        }
        owed.postpone(item, until).await
    };
    let kept = kept.await;
    // Said when it is kept: whoever reads of an attempt that failed can count on the next one.
    metrics::counter!(O::FAILED).increment(1);
    tracing::warn!(%error, attempts, %ae_title, about, "{} not reported", O::WHAT);
    if let Err(error) = kept {
        // The lease ends by itself, and the attempt is made again.
        tracing::error!(%error, "what came of {} cannot be kept", O::WHAT);
    }
}
