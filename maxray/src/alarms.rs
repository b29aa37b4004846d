//! Counters that alarms look at exist from the start: Prometheus sees no growth in one that is born with its first event.

use metrics::counter;
use model::event::Event;

/// Counters without labels of `deploy/prometheus/alerts.yml`.
const COUNTERS: [&str; 5] = [
    "audit_chain_broken",
    "audit_checkpoints",
    "maxray_objects_altered_total",
    "maxray_orphan_sweeps_refused_total",
    "maxray_previews_failed_total",
];

/// Makes them, at nought. Those of a broker only where there is one.
pub fn register(broker: bool) {
    for name in COUNTERS {
        counter!(name).increment(0);
    }
    counter!("maxray_security_alerts_total", "kind" => "associations_refused").increment(0);
    counter!("maxray_webhook_deliveries_total", "outcome" => "dead").increment(0);
    counter!("maxray_mails_total", "outcome" => "dead").increment(0);
    // Success, processing failure and out of resources: what is not the sender's doing.
    for status in ["0000", "0110", "A700"] {
        counter!("maxray_dimse_c_store_total", "status" => status).increment(0);
    }
    if broker {
        for name in ["maxray_broker_failures_total", "maxray_broker_confirmed_total"] {
            counter!(name).increment(0);
        }
        for event in Event::NAMES {
            counter!("maxray_broker_unroutable_total", "event" => event).increment(0);
        }
    }
}
