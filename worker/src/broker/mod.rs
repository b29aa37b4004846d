//! Events from the outbox to RabbitMQ: in order, at least once, and by one node at a time.
//!
//! A node holds the lease, publishes what comes after the kept cursor, and moves the cursor over what the broker has
//! confirmed. A crash between the two repeats events, and consumers drop known `event_id`s. Nobody who stores or books
//! ever waits for the broker: while it is away, the outbox grows.

mod behind;
mod config;
mod session;
mod signature;
mod socket;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use chrono::TimeDelta;
use database::{Database, DatabaseError, Lease};
use lapin::{tcp::OwnedTLSConfig, uri::AMQPUri};
use service::shutdown::Shutdown;
use tokio::{sync::watch, time::Instant};

pub use self::config::{BrokerConfig, BrokerConfigError};
use self::{session::Session, signature::SigningKey};
use crate::WorkerState;

/// Name of the lease.
const LEASE: &str = "broker";

/// Where events go besides the listeners of this process; cheap to clone.
#[derive(Debug, Clone)]
pub struct Broker {
    config: BrokerConfig,
    address: AMQPUri,
    tls: OwnedTLSConfig,
    signing_key: Option<SigningKey>,
}

impl Broker {
    /// The broker of the settings; none without an address.
    ///
    /// # Errors
    /// When a setting makes no sense or the file of the authorities cannot be read.
    pub fn new(config: &BrokerConfig) -> Result<Option<Self>, BrokerConfigError> {
        config.check()?;
        let Some(address) = config.address()? else { return Ok(None) };
        let (tls, signing_key) = (config.tls()?, config.signing_key()?);
        Ok(Some(Self { config: config.clone(), address, tls, signing_key }))
    }

    fn lease_time(&self) -> TimeDelta {
        TimeDelta::milliseconds(i64::try_from(self.config.lease_ms).unwrap_or(i64::MAX))
    }

    /// The lease is made longer, or asked for again, so often.
    fn lease_interval(&self) -> Duration {
        Duration::from_millis(self.config.lease_ms / 3)
    }
}

/// Why events do not reach the broker.
#[derive(Debug, thiserror::Error)]
enum BrokerFailed {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("the broker: {0}")]
    Broker(#[from] lapin::Error),
    #[error("the broker does not answer")]
    Silent,
    #[error("the broker is gone")]
    Gone,
    #[error("the broker took an event and gave it back: a queue may be full")]
    NotTaken,
    #[error("event {0} cannot be written")]
    Unreadable(i64),
}

/// Publishes until the shutdown begins.
pub(crate) async fn run(state: &WorkerState, shutdown: &Shutdown) {
    let Some(broker) = &state.broker else { return };
    let sends = AtomicBool::new(false);
    tokio::join!(
        relay(state, broker, &sends, shutdown),
        behind::watch(state.archive.database(), &sends, shutdown)
    );
}

async fn relay(state: &WorkerState, broker: &Broker, sends: &AtomicBool, shutdown: &Shutdown) {
    let mut relay = Relay::new(state, broker, sends);
    let mut failures = 0_u32;
    while !shutdown.has_begun() {
        let turn = relay.turn(shutdown, &mut failures).await;
        metrics::gauge!("maxray_broker_connected").set(0.0);
        metrics::gauge!("maxray_broker_blocked").set(0.0);
        let wait = match turn {
            Ok(()) => {
                // What waits is told by the node that sends.
                sends.store(false, Ordering::Relaxed);
                behind::say(0);
                broker.lease_interval()
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                relay.tell(&error, failures).await;
                broker.config.wait_after(failures)
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    if let Err(error) = relay.database.give_lease_back(&relay.lease).await {
        tracing::debug!(%error, "another node takes over when the lease is over");
    }
}

struct Relay<'a> {
    broker: &'a Broker,
    database: Database,
    commits: watch::Receiver<u64>,
    poll: Duration,
    mark_interval: Duration,
    lease: Lease,
    leased: Instant,
    /// Whether the lease is held, as far as is known.
    sends: &'a AtomicBool,
}

impl<'a> Relay<'a> {
    fn new(state: &WorkerState, broker: &'a Broker, sends: &'a AtomicBool) -> Self {
        let database = state.archive.database().clone();
        Self {
            broker,
            sends,
            commits: database.subscribe_commits(),
            database,
            poll: Duration::from_millis(state.config.poll_interval_ms.max(10)),
            mark_interval: Duration::from_millis(state.config.relay_mark_interval_ms),
            lease: Lease::new(LEASE),
            leased: Instant::now(),
        }
    }

    /// Publishes for as long as the lease is held; returns at the shutdown, and when another node holds the lease.
    async fn turn(&mut self, shutdown: &Shutdown, failures: &mut u32) -> Result<(), BrokerFailed> {
        if !self.hold_lease().await? {
            return Ok(());
        }
        // Before the broker is reached: its first day begins now, and not when it first answers.
        let kept = self.database.broker_cursor().await?;
        let mut session = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            session = Session::open(self.broker) => session?,
        };
        tracing::info!(exchange = self.broker.config.exchange, "events go to the broker");
        metrics::gauge!("maxray_broker_connected").set(1.0);
        let mut place = Place { confirmed: kept, kept, moved: Instant::now() };
        let end = self.publish(&mut session, &mut place, shutdown, failures).await;
        // What was confirmed before it failed is not sent again.
        let kept = self.keep(&mut place).await;
        end.and(kept.map(drop))
    }

    async fn publish(
        &mut self,
        session: &mut Session,
        place: &mut Place,
        shutdown: &Shutdown,
        failures: &mut u32,
    ) -> Result<(), BrokerFailed> {
        loop {
            if !session.is_open() {
                return Err(BrokerFailed::Gone);
            }
            // After a failure one by one: what other queues took of a batch of which one takes nothing, they take again.
            let batch_max = if *failures > 0 { 1 } else { self.broker.config.unconfirmed_max };
            if self.leased.elapsed() >= self.broker.lease_interval() && !self.hold_lease().await? {
                return Ok(());
            }
            let batch = self.database.outbox_after(place.confirmed, batch_max).await?;
            if !batch.is_empty() {
                tokio::select! {
                    () = shutdown.cancelled() => return Ok(()),
                    sent = session.publish(self.broker, &batch, &mut place.confirmed) => sent?,
                }
                metrics::counter!("maxray_broker_confirmed_total").increment(batch.len() as u64);
            }
            // The broker answers: the next failure is the first again.
            *failures = 0;
            let full = batch.len() >= batch_max as usize;
            if place.moved.elapsed() >= self.mark_interval && !self.keep(place).await? {
                return Ok(());
            }
            if full {
                continue;
            }
            let wait = self.wait(place);
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                Ok(()) = self.commits.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// How long nothing needs to be done if nothing is committed.
    fn wait(&self, place: &Place) -> Duration {
        let until_lease = self.broker.lease_interval().saturating_sub(self.leased.elapsed());
        let mut wait = self.poll.min(until_lease);
        if place.confirmed > place.kept {
            wait = wait.min(self.mark_interval.saturating_sub(place.moved.elapsed()));
        }
        wait + Duration::from_millis(1)
    }

    async fn hold_lease(&mut self) -> Result<bool, DatabaseError> {
        // From before the question: the answer may take long.
        self.leased = Instant::now();
        let held = self.database.take_lease(&self.lease, self.broker.lease_time()).await?;
        self.sends.store(held, Ordering::Relaxed);
        Ok(held)
    }

    /// Notes what the broker has; says no when another node sends meanwhile.
    async fn keep(&self, place: &mut Place) -> Result<bool, BrokerFailed> {
        if place.confirmed == place.kept {
            return Ok(true);
        }
        let held = self.database.move_broker_cursor(place.confirmed, &self.lease).await?;
        (place.kept, place.moved) = (place.confirmed, Instant::now());
        Ok(held)
    }

    /// Says once what is wrong, and how much waits.
    async fn tell(&self, error: &BrokerFailed, failures: u32) {
        metrics::counter!("maxray_broker_failures_total").increment(1);
        // Unknown when the database does not answer.
        let behind = behind::count(&self.database).await.ok();
        if let Some(behind) = behind {
            behind::say(behind);
        }
        if failures == 1 {
            tracing::warn!(%error, behind, "events do not reach the broker; they wait, and are sent again");
        } else {
            tracing::debug!(%error, behind, failures, "events still do not reach the broker");
        }
    }
}

/// Where the relay is in the outbox.
struct Place {
    /// The last event that the broker confirmed.
    confirmed: i64,
    /// The last of which that is noted.
    kept: i64,
    /// When it was noted.
    moved: Instant,
}
