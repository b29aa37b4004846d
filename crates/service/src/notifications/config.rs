//! Section `[notifications]`.

use chrono::TimeDelta;
use database::REMINDER_MINUTES_BEFORE;
use serde::{Deserialize, Serialize};

use super::{AddressRules, MailConfig};

/// Reminders of one consultation at most.
const REMINDERS_MAX: usize = 10;
/// Longest time before a consultation at which somebody can be reminded: a year.
const MINUTES_BEFORE_MAX: u32 = 527_040;

/// Longest wait between two attempts, whatever the setting says: 30 days.
const WAIT_MAX_MS: u64 = 2_592_000_000;

/// Section `[notifications]`; every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotificationsConfig {
    /// How long before the start of a consultation `reminder.due` is told, in minutes; empty for no reminders. Those of
    /// consultations that are booked already stay as they were planned.
    pub reminder_minutes_before: Vec<u32>,
    /// Events over HTTP.
    pub webhooks: WebhooksConfig,
    /// E-mails to doctors.
    pub mail: MailConfig,
}

/// Section `[notifications.webhooks]`; every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhooksConfig {
    /// Webhooks at most.
    pub webhooks_max: u32,
    /// Sends to `http://` on other machines too. Only in a trusted network.
    pub allow_http: bool,
    /// Sends to private, shared and link-local addresses, and to names that stand for this machine.
    pub allow_private_addresses: bool,
    /// PEM: authorities that are trusted beside the system's; empty for none.
    pub ca_file: String,
    /// One attempt: connecting, sending, and the head of the answer.
    pub request_timeout_ms: u64,
    /// Attempts of one delivery; after the last it is dead.
    pub attempts_max: u32,
    /// Wait after the first failed attempt; it doubles with each further one.
    pub retry_first_ms: u64,
    /// Longest wait between two attempts.
    pub retry_max_ms: u64,
    /// Deliveries to one webhook at once.
    pub deliveries_parallel: usize,
    /// How long deliveries that ended can be looked at.
    pub delivery_days: u32,
}

/// A setting of the section makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("notifications.{0}")]
pub struct NotificationsConfigError(pub(super) &'static str);

impl Default for NotificationsConfig {
    fn default() -> Self {
        Self {
            reminder_minutes_before: REMINDER_MINUTES_BEFORE.to_vec(),
            webhooks: WebhooksConfig::default(),
            mail: MailConfig::default(),
        }
    }
}

impl Default for WebhooksConfig {
    fn default() -> Self {
        Self {
            webhooks_max: 100,
            allow_http: false,
            allow_private_addresses: false,
            ca_file: String::new(),
            request_timeout_ms: 10_000,
            attempts_max: 12,
            retry_first_ms: 10_000,
            retry_max_ms: 14_400_000,
            deliveries_parallel: 8,
            delivery_days: 30,
        }
    }
}

impl NotificationsConfig {
    /// Says which setting makes no sense.
    ///
    /// # Errors
    /// See [`NotificationsConfigError`].
    pub fn check(&self) -> Result<(), NotificationsConfigError> {
        if self.reminder_minutes_before.len() > REMINDERS_MAX {
            return Err(NotificationsConfigError("reminder_minutes_before has more than 10 entries"));
        }
        if self.reminder_minutes_before.iter().any(|minutes| !(1..=MINUTES_BEFORE_MAX).contains(minutes)) {
            return Err(NotificationsConfigError("reminder_minutes_before holds numbers from 1 to 527040"));
        }
        let webhooks = &self.webhooks;
        if webhooks.request_timeout_ms == 0 || webhooks.retry_first_ms == 0 {
            return Err(NotificationsConfigError(
                "webhooks: request_timeout_ms and retry_first_ms are at least 1",
            ));
        }
        if webhooks.attempts_max == 0 || webhooks.deliveries_parallel == 0 {
            return Err(NotificationsConfigError(
                "webhooks: attempts_max and deliveries_parallel are at least 1",
            ));
        }
        self.mail.check()
    }
}

/// A wait that doubles with each failed attempt.
pub(super) fn wait_after(attempts: u32, first_ms: u64, max_ms: u64) -> TimeDelta {
    let doublings = attempts.saturating_sub(1).min(40);
    let wait = first_ms.saturating_mul(1 << doublings).min(max_ms).min(WAIT_MAX_MS);
    TimeDelta::milliseconds(i64::try_from(wait).unwrap_or_default())
}

impl WebhooksConfig {
    /// Which addresses may be sent to.
    pub fn rules(&self) -> AddressRules {
        AddressRules { allow_http: self.allow_http, allow_private: self.allow_private_addresses }
    }

    /// The wait after this many failed attempts.
    pub fn wait_after(&self, attempts: u32) -> TimeDelta {
        wait_after(attempts, self.retry_first_ms, self.retry_max_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_add_up_to_hours() {
        let config = WebhooksConfig::default();
        let waits: Vec<i64> =
            (1..config.attempts_max).map(|one| config.wait_after(one).num_seconds()).collect();
        assert_eq!(waits[..4], [10, 20, 40, 80]);
        assert!(waits.windows(2).all(|pair| pair[0] < pair[1]));
        assert!((5..7).contains(&(waits.iter().sum::<i64>() / 3_600)), "{waits:?}");
        assert_eq!(config.wait_after(u32::MAX).num_milliseconds(), 14_400_000);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let mut config = NotificationsConfig::default();
        assert_eq!(config.check(), Ok(()));
        config.reminder_minutes_before = vec![0];
        assert!(config.check().is_err());
        config.reminder_minutes_before = (1..=11).collect();
        assert!(config.check().is_err());
        config.reminder_minutes_before = Vec::new();
        assert_eq!(config.check(), Ok(()), "no reminders");
        config.webhooks.attempts_max = 0;
        assert!(config.check().is_err());
    }
}
