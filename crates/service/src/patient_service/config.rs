//! Section `[patient_service]`.

use std::{collections::BTreeMap, fmt};

use model::host::is_this_machine;
use reqwest::Url;
use serde::{Deserialize, Serialize};

/// Longest time for one question: somebody waits for the answer.
const TIMEOUT_MAX_MS: u64 = 30_000;
/// Longest time that an answer is kept: a day.
const CACHE_MAX_SECONDS: u64 = 86_400;

/// Section `[patient_service]`; every field has a default.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PatientServiceConfig {
    /// Base URL of a FHIR R4 server; empty for none.
    pub url: String,
    /// System of Patient IDs without an issuer; empty when nobody is asked for those.
    pub identifier_system: String,
    /// System for each Issuer of Patient ID (0010,0021). Nobody is asked for the IDs of others.
    pub issuer_systems: BTreeMap<String, String>,
    /// Bearer token; empty for none.
    pub token: String,
    /// Reaches a server on another machine without TLS. Only in a trusted network.
    pub insecure: bool,
    /// PEM: authorities that are trusted beside the system's; empty for none.
    pub ca_file: String,
    /// One question: connecting, sending, and the whole answer.
    pub timeout_ms: u64,
    /// How long a patient who was found is known.
    pub cache_seconds: u64,
    /// Answers that are kept at once.
    pub cache_entries_max: u64,
}

impl Default for PatientServiceConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            identifier_system: String::new(),
            issuer_systems: BTreeMap::new(),
            token: String::new(),
            insecure: false,
            ca_file: String::new(),
            timeout_ms: 2_000,
            cache_seconds: 300,
            cache_entries_max: 10_000,
        }
    }
}

impl fmt::Debug for PatientServiceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PatientServiceConfig").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A setting of the section makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("patient_service.{0}")]
pub struct PatientServiceConfigError(&'static str);

impl PatientServiceConfig {
    /// Whether there is a server to ask.
    pub fn is_on(&self) -> bool {
        !self.url.is_empty()
    }

    /// Says which setting makes no sense.
    ///
    /// # Errors
    /// See [`PatientServiceConfigError`].
    pub fn check(&self) -> Result<(), PatientServiceConfigError> {
        if !self.is_on() {
            return Ok(());
        }
        let require =
            |holds: bool, why: &'static str| if holds { Ok(()) } else { Err(PatientServiceConfigError(why)) };
        self.base()?;
        let systems = || self.issuer_systems.values().chain(Some(&self.identifier_system));
        require(
            systems().any(|system| !system.is_empty()),
            "url goes with patient_service.identifier_system or issuer_systems: a Patient ID alone names nobody",
        )?;
        require(
            self.issuer_systems.iter().all(|(issuer, system)| !issuer.is_empty() && !system.is_empty())
                && systems().all(|system| !system.contains(char::is_whitespace)),
            "identifier_system and issuer_systems hold URIs",
        )?;
        require(
            self.token.bytes().all(|byte| byte.is_ascii_graphic()),
            "token holds characters of no token",
        )?;
        require((1..=TIMEOUT_MAX_MS).contains(&self.timeout_ms), "timeout_ms is between 1 and 30000")?;
        require(self.cache_seconds <= CACHE_MAX_SECONDS, "cache_seconds is at most 86400")?;
        require(self.cache_entries_max > 0, "cache_entries_max is at least 1")
    }

    /// The base URL, when nobody between us and the server can read along.
    pub(super) fn base(&self) -> Result<Url, PatientServiceConfigError> {
        const WHY: PatientServiceConfigError = PatientServiceConfigError(
            "url is an https URL without query and password; http goes to this machine, or with patient_service.insecure",
        );
        let url = Url::parse(&self.url).map_err(|_| WHY)?;
        let host = url.host_str().unwrap_or_default();
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let is_protected = match url.scheme() {
            "https" => true,
            "http" => self.insecure || is_this_machine(host),
            _ => false,
        };
        if is_plain && is_protected && !host.is_empty() { Ok(url) } else { Err(WHY) }
    }

    /// The system of an issuer's Patient IDs; `None` when nobody is asked for them.
    pub(super) fn system_of(&self, issuer: &str) -> Option<&str> {
        let system =
            if issuer.is_empty() { Some(&self.identifier_system) } else { self.issuer_systems.get(issuer) };
        system.map(String::as_str).filter(|system| self.is_on() && !system.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> PatientServiceConfig {
        PatientServiceConfig {
            url: "https://fhir.example.org/r4".into(),
            identifier_system: "urn:oid:1.2.3".into(),
            ..PatientServiceConfig::default()
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert_eq!(PatientServiceConfig::default().check(), Ok(()));
        assert_eq!(good().check(), Ok(()));
        let here = PatientServiceConfig { url: "http://127.0.0.1:9/fhir".into(), ..good() };
        assert_eq!(here.check(), Ok(()));
        let there = PatientServiceConfig { url: "http://fhir.example.org".into(), ..good() };
        assert!(there.check().is_err());
        assert_eq!(PatientServiceConfig { insecure: true, ..there }.check(), Ok(()));
        for url in ["fhir", "ftp://localhost/x", "https://a:b@c/d", "https://a/b?c=d", "https://a/b#c"] {
            let bad = PatientServiceConfig { url: url.into(), insecure: true, ..good() };
            assert!(bad.check().is_err(), "{url}");
        }
        let systems = |issuer: &str, system: &str| BTreeMap::from([(issuer.to_owned(), system.to_owned())]);
        for bad in [
            PatientServiceConfig { identifier_system: String::new(), ..good() },
            PatientServiceConfig { identifier_system: "a b".into(), ..good() },
            PatientServiceConfig { issuer_systems: systems("", "urn:a"), ..good() },
            PatientServiceConfig { issuer_systems: systems("A", ""), ..good() },
            PatientServiceConfig { token: "a\nb".into(), ..good() },
            PatientServiceConfig { timeout_ms: 0, ..good() },
            PatientServiceConfig { timeout_ms: 30_001, ..good() },
            PatientServiceConfig { cache_seconds: 86_401, ..good() },
            PatientServiceConfig { cache_entries_max: 0, ..good() },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn each_issuer_has_its_system_and_others_have_none() {
        let issuer_systems = BTreeMap::from([("A".to_owned(), "urn:a".to_owned())]);
        let config = PatientServiceConfig { issuer_systems, ..good() };
        assert_eq!(config.system_of(""), Some("urn:oid:1.2.3"));
        assert_eq!(config.system_of("A"), Some("urn:a"));
        assert_eq!(config.system_of("B"), None);
        let named_alone = PatientServiceConfig { identifier_system: String::new(), ..config.clone() };
        assert_eq!(named_alone.system_of(""), None);
        assert_eq!(PatientServiceConfig { url: String::new(), ..config }.system_of("A"), None);
        assert!(
            !format!("{:?}", PatientServiceConfig { token: "hunter2".into(), ..good() }).contains("hunter2")
        );
    }
}
