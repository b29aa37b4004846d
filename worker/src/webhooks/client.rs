//! One attempt at a webhook: to an address that may be sent to, once, within a time, without following where it points.

use std::{error::Error, fs, net::SocketAddr, sync::Arc, time::Duration};

use database::Delivery;
use reqwest::{
    Certificate, Client, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header, redirect,
};
use service::notifications::{AddressRefused, AddressRules, WebhookAddress, WebhookSecret, WebhooksConfig};

/// Longest text that is kept of why an attempt failed, in characters.
const REASON_LENGTH_MAX: usize = 200;

/// Sends to webhooks; cheap to clone.
#[derive(Clone)]
pub struct WebhookClient {
    client: Client,
    rules: AddressRules,
}

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum WebhookClientError {
    /// The file of authorities cannot be read.
    #[error("notifications.webhooks.ca_file cannot be read")]
    Unreadable(#[from] std::io::Error),
    /// The file holds no certificate, or there is no TLS.
    #[error("notifications.webhooks: no HTTP client")]
    Unusable(#[from] reqwest::Error),
}

/// Why an attempt gave no success.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttemptFailed {
    #[error("the address {0}")]
    Refused(#[from] AddressRefused),
    #[error("answered {0}")]
    Status(StatusCode),
    #[error("{0}")]
    Unreachable(String),
}

impl WebhookClient {
    /// A client that keeps to the settings.
    ///
    /// # Errors
    /// See [`WebhookClientError`].
    pub fn new(config: &WebhooksConfig) -> Result<Self, WebhookClientError> {
        let timeout = Duration::from_millis(config.request_timeout_ms);
        let rules = config.rules();
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(Resolver(rules)))
            .connect_timeout(timeout)
            .timeout(timeout)
            .user_agent("MaxRay");
        if !config.ca_file.is_empty() {
            builder = builder.tls_certs_merge(Certificate::from_pem_bundle(&fs::read(&config.ca_file)?)?);
        }
        Ok(Self { client: builder.build()?, rules })
    }

    /// Sends once. Success is any 2xx; the body of the answer is not read.
    pub(super) async fn send(
        &self,
        address: &str,
        delivery: &Delivery,
        timestamp_seconds: i64,
        secret: &WebhookSecret,
    ) -> Result<StatusCode, AttemptFailed> {
        let address = WebhookAddress::parse(address, self.rules)?;
        let request = self
            .client
            .post(address.url().clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", delivery.event_id.to_string())
            .header("webhook-timestamp", timestamp_seconds)
            .header("webhook-signature", secret.sign(delivery.event_id, timestamp_seconds, &delivery.body))
            .body(delivery.body.clone());
        let answer = request.send().await.map_err(|error| AttemptFailed::Unreachable(reason(error)))?;
        let status = answer.status();
        if status.is_success() { Ok(status) } else { Err(AttemptFailed::Status(status)) }
    }
}

/// The innermost cause, in a bounded text without the address, which may hold a secret.
fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().chars().filter(|one| !one.is_control()).take(REASON_LENGTH_MAX).collect()
}

/// Resolves names, and gives only addresses that may be sent to: the connection goes to one of them.
struct Resolver(AddressRules);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = self.0;
        Box::pin(async move {
            let name = name.as_str();
            let found = tokio::net::lookup_host((name, 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|found| rules.allows(found.ip())).collect();
            if allowed.is_empty() {
                return Err(Box::new(AttemptFailed::Refused(AddressRefused::Private)).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_resolved() {
        let resolve = async |rules: AddressRules, name: &str| {
            Resolver(rules).resolve(name.parse().expect("a name")).await.map(Iterator::count)
        };
        let strict = AddressRules::default();
        assert!(resolve(strict, "localhost").await.is_err());
        // Every resolver takes an address in numbers, which is as a name that stands for it.
        let refused = resolve(strict, "127.0.0.1").await.expect_err("refused");
        assert!(refused.to_string().contains("is a private"), "{refused}");
        assert!(resolve(AddressRules { allow_private: true, ..strict }, "127.0.0.1").await.is_ok());
    }
}
