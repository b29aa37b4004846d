//! Events inside the process: the relay publishes what it read from the outbox, listeners subscribe.

use std::sync::Arc;

use model::event::EventEnvelope;
use tokio::sync::broadcast;

/// How many events a slow listener may lag behind before it is told to read the outbox instead.
pub const EVENTS_BUFFERED_MAX: usize = 4096;

/// Fans events out to all listeners in the process; cheap to clone.
#[derive(Debug, Clone)]
pub struct EventBus(broadcast::Sender<Arc<EventEnvelope>>);

impl EventBus {
    /// A bus without listeners.
    pub fn new() -> Self {
        Self(broadcast::Sender::new(EVENTS_BUFFERED_MAX))
    }

    /// Hands an event to whoever listens now. The outbox keeps it for the others.
    pub fn publish(&self, event: EventEnvelope) {
        // An error means that nobody listens: nothing is lost, the outbox has it.
        let _ = self.0.send(Arc::new(event));
    }

    /// Whether anybody listens now.
    pub fn has_listeners(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Listens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<EventEnvelope>> {
        self.0.subscribe()
    }
}

impl Default for EventBus {
    fn default() -> Self {
        Self::new()
    }
}
