//! Background work beside the doors: events out of the outbox, previews of what was stored, signatures under the audit trail.
//!
//! Every step may be interrupted and done again: nothing is remembered outside of the database.

pub mod audit_checkpoints;
mod config;
mod key_jobs;
mod orphans;
mod outbox_relay;
mod previews;
#[cfg(test)]
mod tests;

use archive::Archive;
use model::clock::Clock;
use service::{decoder::DecoderPool, events::EventBus, shutdown::Shutdown};

pub use config::WorkerConfig;

/// What the worker works with; cheap to clone.
#[derive(Clone)]
pub struct WorkerState {
    /// Where instances, previews and the outbox are.
    pub archive: Archive,
    /// Where events go.
    pub events: EventBus,
    /// Where codecs run.
    pub decoder: DecoderPool,
    /// The settings.
    pub config: WorkerConfig,
    /// The time.
    pub clock: Clock,
}

/// Works until the shutdown begins and what was begun is finished or given up for the next start.
pub async fn run(state: WorkerState, shutdown: Shutdown) {
    tokio::join!(
        outbox_relay::run(&state, &shutdown),
        previews::run(&state, &shutdown),
        orphans::run(&state, &shutdown),
        key_jobs::run(&state, &shutdown)
    );
}
