//! Section `[identity.oidc]`.

use std::collections::BTreeMap;

use jsonwebtoken::Algorithm;
use model::host::is_this_machine;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::identity::config::IdentityConfigError;

/// Section `[identity.oidc]`: another issuer whose access tokens are taken as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OidcConfig {
    /// `iss` of its tokens, to the letter; empty for none.
    pub issuer: String,
    /// `aud` that its tokens must name.
    pub audience: String,
    /// Where its keys are; empty to ask the issuer's discovery document.
    pub jwks_url: String,
    /// Algorithms that are taken; the key decides which of them.
    pub algorithms: Vec<String>,
    /// Where the roles stand in a token, as in `realm_access.roles`.
    pub role_claim: String,
    /// Which of our roles each of its roles is. What is not listed gives nothing.
    pub role_map: BTreeMap<String, String>,
    /// Where the doctor's id stands in a token; empty when accounts are linked to doctors by an administrator.
    pub doctor_claim: String,
    /// `at_first_sight` makes an account for a subject with a role; `required` takes only subjects that have one.
    pub accounts: String,
    /// Takes `typ: JWT` too, from issuers that do not follow RFC 9068.
    pub accept_plain_jwt: bool,
    /// Between two requests for its keys, whatever key ids strangers send.
    pub key_requests_interval_ms: u64,
    /// One request to the issuer.
    pub request_timeout_ms: u64,
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: "maxray".into(),
            jwks_url: String::new(),
            algorithms: vec!["ES256".into(), "RS256".into(), "PS256".into(), "EdDSA".into()],
            role_claim: "roles".into(),
            role_map: BTreeMap::new(),
            doctor_claim: String::new(),
            accounts: "at_first_sight".into(),
            accept_plain_jwt: false,
            key_requests_interval_ms: 30_000,
            request_timeout_ms: 5_000,
        }
    }
}

impl OidcConfig {
    /// Whether another issuer is configured at all.
    pub fn is_on(&self) -> bool {
        !self.issuer.is_empty()
    }

    pub(crate) fn check(&self) -> Result<(), IdentityConfigError> {
        if !self.is_on() {
            return Ok(());
        }
        let require =
            |holds: bool, why: &'static str| if holds { Ok(()) } else { Err(IdentityConfigError(why)) };
        require(!self.audience.is_empty(), "oidc.audience must not be empty")?;
        require(is_protected(&self.issuer), "oidc.issuer is an https URL (http only on this machine)")?;
        let keys = self.jwks_url.is_empty() || is_protected(&self.jwks_url);
        require(keys, "oidc.jwks_url is an https URL (http only on this machine)")?;
        let known = self.algorithms.iter().all(|name| algorithm(name).is_some());
        require(
            known && !self.algorithms.is_empty(),
            "oidc.algorithms may name ES256, ES384, RS256, PS256, EdDSA",
        )?;
        let roles = self.role_map.values().all(|role| role.parse::<model::access::Role>().is_ok());
        require(
            roles && !self.role_map.is_empty(),
            "oidc.role_map maps the issuer's roles to ours and is not empty",
        )?;
        let accounts = matches!(self.accounts.as_str(), "at_first_sight" | "required");
        require(accounts, "oidc.accounts is at_first_sight or required")
    }

    pub(super) fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.iter().any(|name| self::algorithm(name) == Some(algorithm))
    }
}

/// The asymmetric algorithms that are taken. No HMAC: whoever verifies could sign.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    match name {
        "ES256" => Some(Algorithm::ES256),
        "ES384" => Some(Algorithm::ES384),
        "RS256" => Some(Algorithm::RS256),
        "PS256" => Some(Algorithm::PS256),
        "EdDSA" => Some(Algorithm::EdDSA),
        _ => None,
    }
}

/// Whether nobody between us and the URL's host can change what it answers.
pub(super) fn is_protected(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default();
    let here = is_this_machine(host);
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    plain && !host.is_empty() && (url.scheme() == "https" || (url.scheme() == "http" && here))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        for good in
            ["https://id.example.org/realms/x", "http://127.0.0.1:9", "http://[::1]:9/x", "http://localhost"]
        {
            assert!(is_protected(good), "{good}");
        }
        for bad in [
            "http://id.example.org",
            "http://127.0.0.1.example.org",
            "file:///etc/passwd",
            "https://user:secret@id.example.org",
            "id.example.org",
            "",
            "ftp://localhost",
        ] {
            assert!(!is_protected(bad), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let good = OidcConfig {
            issuer: "https://id.example.org".into(),
            role_map: BTreeMap::from([("radiologist".into(), "doctor".into())]),
            ..OidcConfig::default()
        };
        assert!(good.check().is_ok());
        for bad in [
            OidcConfig { role_map: BTreeMap::new(), ..good.clone() },
            OidcConfig { role_map: BTreeMap::from([("x".into(), "everything".into())]), ..good.clone() },
            OidcConfig { algorithms: vec!["HS256".into()], ..good.clone() },
            OidcConfig { algorithms: Vec::new(), ..good.clone() },
            OidcConfig { audience: String::new(), ..good.clone() },
            OidcConfig { issuer: "http://id.example.org".into(), ..good.clone() },
            OidcConfig { accounts: "all".into(), ..good },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
