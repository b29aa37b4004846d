//! How a consumer knows that a message is ours: a header with HMAC-SHA-256 over what the message says, as docs/broker.md describes it. Who
//! may publish to the exchange, or to a queue of it, can still make nothing that passes for an event.

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};
use model::event::EventEnvelope;

/// The header.
pub(super) const HEADER: &str = "maxray-signature";
/// Length of a key.
const KEY_BYTES: usize = 32;

/// The key of the site; cheap to clone, and says nothing of itself.
#[derive(Debug, Clone)]
pub(super) struct SigningKey(hmac::Key);

impl SigningKey {
    /// 32 bytes in base64, with white space around it.
    pub(super) fn from_base64(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text.trim()).ok()?;
        (bytes.len() == KEY_BYTES).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The value of the header for a body that is sent with this `timestamp`.
    pub(super) fn sign(&self, envelope: &EventEnvelope, timestamp_seconds: u64, body: &[u8]) -> String {
        let (id, name) = (envelope.event_id, envelope.event.name());
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}\n{name}\n{timestamp_seconds}\n").as_bytes());
        context.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(context.sign().as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use model::event::Event;
    use uuid::Uuid;

    use super::*;

    /// Computed with Python's hmac.
    #[test]
    fn the_signature_is_that_of_others() {
        let key = SigningKey::from_base64(&format!(" {}\n", BASE64_STANDARD.encode([7_u8; KEY_BYTES])));
        let key = key.expect("a key");
        let event = Event::PreviewMade { xray_id: Uuid::nil(), study_instance_uid: String::new() };
        let at = DateTime::from_timestamp(1_767_225_600, 0).expect("a time");
        let envelope = EventEnvelope { sequence: 1, event_id: Uuid::from_u128(9), at, event };
        assert_eq!(
            key.sign(&envelope, 1_767_225_600, b"{\"a\":1}"),
            "v1,IIWWbz1lm2T+Devd8YZQ/b6eQoG2349pN5X1UGT8KVQ="
        );
        assert!(SigningKey::from_base64("c2hvcnQ=").is_none() && SigningKey::from_base64("no key").is_none());
    }
}
