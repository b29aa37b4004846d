//! Section `[notifications.mail]`.

use chrono::TimeDelta;
use model::host::is_this_machine;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::{NotificationsConfigError, config::wait_after};

/// Section `[notifications.mail]`; every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// The mail server: `smtps://user:password@host`, or `smtp://host?tls=required`; empty for no e-mails.
    pub smtp_url: String,
    /// Reach a mail server on another machine without TLS. Only in a trusted network.
    pub insecure: bool,
    /// Who writes, as `MaxRay <maxray@example.org>`.
    pub from: String,
    /// Put before the id of a consultation; empty for the id alone.
    pub link: String,
    /// One e-mail: connecting and sending.
    pub request_timeout_ms: u64,
    /// Attempts of one e-mail; after the last it is given up.
    pub attempts_max: u32,
    /// Wait after the first failed attempt; it doubles with each further one.
    pub retry_first_ms: u64,
    /// Longest wait between two attempts.
    pub retry_max_ms: u64,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            smtp_url: String::new(),
            insecure: false,
            from: String::new(),
            link: String::new(),
            request_timeout_ms: 30_000,
            attempts_max: 10,
            retry_first_ms: 30_000,
            retry_max_ms: 3_600_000,
        }
    }
}

impl MailConfig {
    pub(super) fn check(&self) -> Result<(), NotificationsConfigError> {
        if self.smtp_url.is_empty() {
            return Ok(());
        }
        let url = Url::parse(&self.smtp_url);
        let url = url.map_err(|_| NotificationsConfigError("mail.smtp_url is no URL"))?;
        let required = url.query_pairs().any(|(name, value)| name == "tls" && value == "required");
        let protected = url.scheme() == "smtps" || (url.scheme() == "smtp" && required);
        let own = is_this_machine(url.host_str().unwrap_or_default());
        if !protected && !own && !self.insecure {
            return Err(NotificationsConfigError(
                "mail.smtp_url sends without TLS: use smtps://, or smtp:// with ?tls=required, or set mail.insecure",
            ));
        }
        if self.request_timeout_ms == 0 || self.attempts_max == 0 || self.retry_first_ms == 0 {
            return Err(NotificationsConfigError(
                "mail: request_timeout_ms, attempts_max and retry_first_ms are at least 1",
            ));
        }
        Ok(())
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
    fn mail_leaves_this_machine_protected_or_not_at_all() {
        let check = |url: &str, insecure: bool| {
            MailConfig { smtp_url: url.to_owned(), insecure, ..MailConfig::default() }.check().is_ok()
        };
        for url in [
            "",
            "smtps://me:secret@mail.example.org",
            "smtp://mail.example.org?tls=required",
            "smtp://[::1]:25",
        ] {
            assert!(check(url, false), "{url}");
        }
        for url in ["smtp://mail.example.org", "smtp://mail.example.org?tls=opportunistic", "smtp://10.0.0.1"]
        {
            assert!(!check(url, false) && check(url, true), "{url}");
        }
        assert!(!check("mail.example.org", true));
    }
}
