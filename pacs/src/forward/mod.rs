//! PS3.4 Annex B as user, without anybody asking: what rules say of instances that were stored is sent on, again and again until it
//! has arrived, over any restart.

mod config;
mod plan;
mod rest;
mod send;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use database::{AuditActor, Database};
use model::{
    AeTitle,
    access::{Action, Principal, Role, Scope},
};
use service::shutdown::Shutdown;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use self::config::ForwardingConfig;
use self::{plan::Planner, rest::Resting};
use crate::{archive_backend::House, backoff::milliseconds, caller::Caller, config::PacsConfig};

/// Time between two looks for what is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time between two looks for what can be forgotten.
const FORGET_EVERY: Duration = Duration::from_mins(10);
/// Sent instances forgotten in one transaction.
const FORGET_MAX: u32 = 1_000;
/// Who acts, in the audit trail.
const ROLE: &str = "server";

/// Sends on what rules ask for.
pub struct Forwarder {
    house: Arc<House>,
    config: ForwardingConfig,
    caller: Caller,
    /// Reads every study.
    scope: Scope,
    /// Destinations that are being sent to by this process.
    busy: Mutex<HashSet<AeTitle>>,
    resting: Resting,
    /// Something was queued, or a destination is free again.
    awake: Notify,
}

impl Forwarder {
    /// For the rules in the archive's database. `None` when nobody may read for it, which no policy says.
    pub fn new(house: House, config: &PacsConfig, caller: Caller) -> Option<Self> {
        let reader = Principal::new(Uuid::nil(), Role::Service, None);
        let scope = reader.authorize(Action::ReadStudy).ok()?;
        let (busy, awake) = (Mutex::default(), Notify::new());
        let config = config.forwarding.clone();
        let resting = Resting::new(&config);
        Some(Self { house: Arc::new(house), config, caller, scope, busy, resting, awake })
    }

    fn database(&self) -> &Database {
        self.house.archive().database()
    }

    fn actor() -> AuditActor {
        AuditActor { role: ROLE.to_owned(), ..AuditActor::default() }
    }

    /// Works until the shutdown begins. An instance that it cuts off is sent again after the next start.
    pub async fn run(self, shutdown: &Shutdown) {
        // An alarm that asks for an increase needs a number before it.
        for outcome in ["sent", "again", "dead"] {
            metrics::counter!("maxray_forwards_total", "outcome" => outcome).increment(0);
        }
        let forwarder = Arc::new(self);
        tokio::join!(forwarder.plan(shutdown), forwarder.send(shutdown), forwarder.forget(shutdown));
    }

    async fn plan(&self, shutdown: &Shutdown) {
        let mut planner = Planner::new(self.database().clone(), self.scope.clone());
        let mut failing = false;
        while !shutdown.has_begun() {
            match planner.round().await {
                Ok(queued) => {
                    failing = false;
                    if queued {
                        self.awake.notify_one();
                    }
                }
                Err(error) => {
                    if !failing {
                        tracing::warn!(%error, "it cannot be seen what is to be forwarded; trying again");
                    }
                    failing = true;
                }
            }
            wait(LOOK_EVERY, shutdown).await;
        }
        planner.finish().await;
    }

    async fn send(self: &Arc<Self>, shutdown: &Shutdown) {
        let sending = TaskTracker::new();
        while !shutdown.has_begun() {
            let due = self.database().forward_destinations().await.unwrap_or_else(|error| {
                tracing::debug!(%error, "it cannot be seen what is due to be forwarded");
                Vec::new()
            });
            for destination in due {
                if !self.begin(&destination) {
                    continue;
                }
                let (forwarder, shutdown) = (Arc::clone(self), shutdown.clone());
                sending.spawn(async move {
                    forwarder.send_to(&destination, &shutdown).await;
                    forwarder.end(&destination);
                });
            }
            tokio::select! {
                () = self.awake.notified() => {}
                () = wait(LOOK_EVERY, shutdown) => {}
            }
        }
        sending.close();
        sending.wait().await;
    }

    /// Says no when it is being sent to or rests, or enough others are being sent to.
    fn begin(&self, destination: &AeTitle) -> bool {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let room = busy.len() < self.config.destinations_max.max(1) && !self.resting.is_resting(destination);
        room && busy.insert(destination.clone())
    }

    fn end(&self, destination: &AeTitle) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(destination);
        self.awake.notify_one();
    }

    async fn forget(&self, shutdown: &Shutdown) {
        while !shutdown.has_begun() {
            let before = self.house.archive().clock().now() - milliseconds(self.config.remember_ms);
            match self.database().forget_forwards(before, FORGET_MAX).await {
                Ok(forgotten) if forgotten == u64::from(FORGET_MAX) => continue,
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "what was forwarded long ago cannot be forgotten now"),
            }
            wait(FORGET_EVERY, shutdown).await;
        }
    }
}

async fn wait(time: Duration, shutdown: &Shutdown) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}
