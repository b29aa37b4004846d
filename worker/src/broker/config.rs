//! Section `[broker]` of the configuration.

use std::{collections::BTreeMap, fs, time::Duration};

use lapin::{
    tcp::OwnedTLSConfig,
    uri::{AMQPScheme, AMQPUri},
};
use model::{event::Event, host::is_this_machine};
use serde::{Deserialize, Serialize};

use super::signature::SigningKey;

/// Longest name of an exchange or a queue, in bytes: what AMQP 0-9-1 has room for, less the endings that we put behind it.
const NAME_LENGTH_MAX_BYTES: usize = 200;
/// Queues at most.
const QUEUES_MAX: usize = 100;

/// Settings of the way to RabbitMQ; every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerConfig {
    /// `amqps://user:password@host/vhost`; empty for no broker.
    pub url: String,
    /// Reach a broker on another machine without TLS. Only in a trusted network.
    pub insecure: bool,
    /// PEM: authorities that are trusted beside the system's; empty for none.
    pub ca_file: String,
    /// The topic exchange that events go to.
    pub exchange: String,
    /// Queues that are made and bound at start: which events each takes, as `prescription.*` or `#`.
    pub queues: BTreeMap<String, Vec<String>>,
    /// Times that a consumer may give an event back before it goes to the queue of the dead.
    pub delivery_limit: u32,
    /// Events that wait for the broker's confirmation at once.
    pub unconfirmed_max: u32,
    /// 32 bytes in base64 that every message is signed with; empty for no signature.
    pub signing_key: String,
    /// Longest wait for the broker: for a connection, and for the confirmation of what was sent to it.
    pub request_timeout_ms: u64,
    /// Wait after the first failure; it doubles with each further one.
    pub retry_first_ms: u64,
    /// Longest wait between two attempts.
    pub retry_max_ms: u64,
    /// A node that says nothing for so long loses the work of sending to another.
    pub lease_ms: u64,
}

/// A setting of the section makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("broker.{0}")]
pub struct BrokerConfigError(String);

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            insecure: false,
            ca_file: String::new(),
            exchange: "maxray.events".to_owned(),
            queues: BTreeMap::new(),
            delivery_limit: 5,
            unconfirmed_max: 500,
            signing_key: String::new(),
            request_timeout_ms: 30_000,
            retry_first_ms: 1_000,
            retry_max_ms: 30_000,
            lease_ms: 30_000,
        }
    }
}

impl BrokerConfig {
    /// Says which setting makes no sense.
    ///
    /// # Errors
    /// See [`BrokerConfigError`].
    pub fn check(&self) -> Result<(), BrokerConfigError> {
        let numbers = [
            u64::from(self.delivery_limit),
            u64::from(self.unconfirmed_max),
            self.request_timeout_ms,
            self.retry_first_ms,
        ];
        if numbers.contains(&0) {
            return Err(refused(
                "delivery_limit, unconfirmed_max, request_timeout_ms and retry_first_ms are at least 1",
            ));
        }
        if !(1_000..=3_600_000).contains(&self.lease_ms) {
            return Err(refused("lease_ms is from 1000 to 3600000"));
        }
        if self.queues.len() > QUEUES_MAX {
            return Err(refused(&format!("queues has more than {QUEUES_MAX} entries")));
        }
        for name in self.queues.keys().chain([&self.exchange]) {
            if name.is_empty() || name.len() > NAME_LENGTH_MAX_BYTES || name.starts_with("amq.") {
                return Err(refused(&format!(
                    "exchange and queues have names of 1 to {NAME_LENGTH_MAX_BYTES} bytes that do not begin with \
                     amq.; {name:?} is none"
                )));
            }
        }
        self.queues.iter().try_for_each(|(queue, keys)| check_keys(queue, keys))?;
        self.signing_key()?;
        self.address().map(drop)
    }

    /// Where the broker is; none without one.
    pub(super) fn address(&self) -> Result<Option<AMQPUri>, BrokerConfigError> {
        if self.url.is_empty() {
            return Ok(None);
        }
        // What the parser complains of may hold the password.
        let address: AMQPUri =
            self.url.parse().map_err(|_| refused("url is no URL as amqps://user:password@host/vhost"))?;
        let own = is_this_machine(&address.authority.host);
        if address.scheme == AMQPScheme::AMQP && !own && !self.insecure {
            return Err(refused("url sends without TLS: use amqps://, or set broker.insecure"));
        }
        Ok(Some(address))
    }

    /// Whom we trust.
    pub(super) fn tls(&self) -> Result<OwnedTLSConfig, BrokerConfigError> {
        if self.ca_file.is_empty() {
            return Ok(OwnedTLSConfig::default());
        }
        let text = fs::read_to_string(&self.ca_file)
            .map_err(|error| refused(&format!("ca_file {} cannot be read: {error}", self.ca_file)))?;
        if !text.contains("BEGIN CERTIFICATE") {
            return Err(refused(&format!("ca_file {} holds no certificate in PEM", self.ca_file)));
        }
        Ok(OwnedTLSConfig { identity: None, cert_chain: Some(text) })
    }

    /// What messages are signed with; none without one.
    pub(super) fn signing_key(&self) -> Result<Option<SigningKey>, BrokerConfigError> {
        if self.signing_key.is_empty() {
            return Ok(None);
        }
        let key = SigningKey::from_base64(&self.signing_key);
        let refusal = || refused("signing_key is not 32 bytes in base64: openssl rand -base64 32 makes one");
        key.map(Some).ok_or_else(refusal)
    }

    pub(super) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    /// The wait after this many failures.
    pub(super) fn wait_after(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        Duration::from_millis(
            self.retry_first_ms.saturating_mul(1 << doublings).min(self.retry_max_ms.max(1)),
        )
    }
}

/// A binding that no event can ever match is a slip of the pen.
fn check_keys(queue: &str, keys: &[String]) -> Result<(), BrokerConfigError> {
    if keys.is_empty() {
        return Err(refused(&format!("queues: {queue} takes no events; \"#\" takes all")));
    }
    let strange = keys.iter().find(|key| !reaches_events(key));
    match strange {
        Some(key) => Err(refused(&format!("queues: {queue} takes {key:?}, which no event is called"))),
        None => Ok(()),
    }
}

/// Whether some event could come by this key.
fn reaches_events(key: &str) -> bool {
    Event::NAMES.into_iter().chain(Event::DETAILED_NAMES).any(|name| matches_topic(key, name))
}

/// Whether a topic exchange gives an event of this name to who bound with this key.
fn matches_topic(key: &str, name: &str) -> bool {
    fn words(key: &[&str], name: &[&str]) -> bool {
        match (key, name) {
            ([], []) => true,
            (["#", rest @ ..], _) => (0..=name.len()).any(|skipped| words(rest, &name[skipped..])),
            (["*", rest @ ..], [_, others @ ..]) => words(rest, others),
            ([word, rest @ ..], [other, others @ ..]) => word == other && words(rest, others),
            _ => false,
        }
    }
    let (key, name): (Vec<&str>, Vec<&str>) = (key.split('.').take(16).collect(), name.split('.').collect());
    words(&key, &name)
}

fn refused(reason: &str) -> BrokerConfigError {
    BrokerConfigError(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_leave_this_machine_protected_or_not_at_all() {
        let check = |url: &str, insecure: bool| {
            BrokerConfig { url: url.to_owned(), insecure, ..BrokerConfig::default() }.check().is_ok()
        };
        for url in
            ["", "amqps://me:secret@rabbit.example.org/clinic", "amqp://[::1]:5672", "amqp://127.0.0.1"]
        {
            assert!(check(url, false), "{url}");
        }
        for url in ["amqp://me:secret@rabbit.example.org", "amqp://10.0.0.1/%2f"] {
            assert!(!check(url, false) && check(url, true), "{url}");
        }
        assert!(!check("rabbit.example.org", true) && !check("http://rabbit.example.org", true));
    }

    #[test]
    fn an_error_keeps_the_password_to_itself() {
        let config = BrokerConfig { url: "amqps//me:hunter2@host".to_owned(), ..BrokerConfig::default() };
        assert!(!config.check().expect_err("no URL").to_string().contains("hunter2"));
    }

    #[test]
    fn a_queue_that_no_event_can_reach_is_refused() {
        let with = |queue: &str, key: &str| {
            let queues = BTreeMap::from([(queue.to_owned(), vec![key.to_owned()])]);
            BrokerConfig { queues, ..BrokerConfig::default() }.check()
        };
        for key in [
            "#",
            "study.*",
            "*.stored",
            "instance.stored",
            "instance.#",
            "#.stored",
            "consultation.ended.cancelled",
            "consultation.*.no_show",
        ] {
            assert_eq!(with("ris", key), Ok(()), "{key}");
        }
        for key in ["", "studies.*", "study", "*", "instance.stored.*", "consultation.ended.proposed"] {
            assert!(with("ris", key).is_err(), "{key}");
        }
        assert!(with("amq.gen", "#").is_err() && with("", "#").is_err());
    }

    #[test]
    fn waits_double_up_to_a_limit() {
        let config = BrokerConfig { retry_first_ms: 1_000, retry_max_ms: 5_000, ..BrokerConfig::default() };
        let waits: Vec<u64> = (1..=5).map(|failures| config.wait_after(failures).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
    }
}
