//! Background work beside the doors: events out of the outbox to listeners, a broker, webhooks and doctors' mailboxes, reminders, previews of what was
//! stored, signatures under the audit trail.
//!
//! Every step may be interrupted and done again: nothing is remembered outside of the database.

pub mod audit_checkpoints;
mod broker;
mod config;
mod deliveries;
mod forget;
mod key_jobs;
mod mail;
mod orphans;
mod outbox_age;
mod outbox_relay;
mod previews;
mod quiet_studies;
mod reminders;
mod store_beat;
#[cfg(test)]
mod tests;
mod webhooks;

use archive::Archive;
use model::clock::Clock;
use service::{
    decoder::DecoderPool, events::EventBus, identity::DoctorKeys, notifications::NotificationsConfig,
    shutdown::Shutdown,
};
use tokio::sync::Notify;

pub use broker::{Broker, BrokerConfig, BrokerConfigError};
pub use config::WorkerConfig;
pub use mail::{Mailer, MailerError};
pub use webhooks::{WebhookClient, WebhookClientError};

/// What the worker works with; cheap to clone.
#[derive(Clone)]
pub struct WorkerState {
    /// Where instances, previews and the outbox are.
    pub archive: Archive,
    /// Where events go.
    pub events: EventBus,
    /// Where codecs run.
    pub decoder: DecoderPool,
    /// Makes the secrets that sign what is sent to webhooks.
    pub doctor_keys: DoctorKeys,
    /// Sends to webhooks.
    pub webhooks: WebhookClient,
    /// Sends e-mails; none without a mail server.
    pub mailer: Option<Mailer>,
    /// Where events go besides; none without one.
    pub broker: Option<Broker>,
    /// The settings.
    pub config: WorkerConfig,
    /// The settings of what is told to the outside.
    pub notifications: NotificationsConfig,
    /// The time.
    pub clock: Clock,
}

/// Rung when there is something to deliver.
#[derive(Default)]
struct Bells {
    webhooks: Notify,
    mail: Notify,
}

/// Only tells the listeners of this process of events, until the shutdown begins: another node does the work.
pub async fn tell_listeners(state: WorkerState, shutdown: Shutdown) {
    tokio::join!(outbox_relay::run(&state, &shutdown), outbox_age::run(&state, &shutdown));
}

/// Works until the shutdown begins and what was begun is finished or given up for the next start.
pub async fn run(state: WorkerState, shutdown: Shutdown) {
    let bells = Bells::default();
    tokio::join!(
        outbox_relay::run(&state, &shutdown),
        outbox_age::run(&state, &shutdown),
        broker::run(&state, &shutdown),
        reminders::run(&state, &shutdown),
        deliveries::run(&state, &bells, &shutdown),
        webhooks::run(&state, &bells.webhooks, &shutdown),
        mail::run(&state, &bells.mail, &shutdown),
        previews::run(&state, &shutdown),
        quiet_studies::run(&state, &shutdown),
        orphans::run(&state, &shutdown),
        store_beat::run(&state, &shutdown),
        key_jobs::run(&state, &shutdown)
    );
}
