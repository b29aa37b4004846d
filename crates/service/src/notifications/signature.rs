//! How a webhook knows that we sent what it gets: Standard Webhooks 1.0.0, symmetric signatures. HMAC-SHA-256 over
//! `id.timestamp.body`, so that neither a body nor its time can be changed, nor one event pass for another.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};
use uuid::Uuid;
use zeroize::Zeroizing;

/// The secret of one webhook.
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

impl WebhookSecret {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// As it is shown: `whsec_` and base64.
    pub fn text(&self) -> String {
        format!("whsec_{}", BASE64_STANDARD.encode(self.0.as_slice()))
    }

    /// The value of `webhook-signature` for a body that is sent at that time, in seconds since 1970.
    pub fn sign(&self, event_id: Uuid, timestamp_seconds: i64, body: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut context = hmac::Context::with_key(&key);
        context.update(format!("{event_id}.{timestamp_seconds}.").as_bytes());
        context.update(body.as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(context.sign().as_ref()))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's hmac.
    #[test]
    fn the_signature_is_that_of_others() {
        let secret = WebhookSecret::new(&[7; 32]);
        assert_eq!(secret.text(), "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
        let id = Uuid::from_u128(9);
        assert_eq!(
            secret.sign(id, 1_767_225_600, "{\"a\":1}"),
            "v1,KKug3FsrPoFTJwsutsIjU34pLJVDJUc6pKivFE7glG0="
        );
        assert_ne!(secret.sign(id, 1_767_225_601, "{\"a\":1}"), secret.sign(id, 1_767_225_600, "{\"a\":1}"));
    }
}
