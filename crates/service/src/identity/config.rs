//! Section `[identity]`.

use std::fmt;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{oidc::OidcConfig, shared_secret::SharedSecret, token::TOKEN_LIFETIME_MAX_SECONDS};

/// Section `[identity]`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityConfig {
    /// `iss` of the tokens.
    pub issuer: String,
    /// `aud` of the tokens.
    pub audience: String,
    /// How long an access token is good.
    pub access_token_lifetime_seconds: u32,
    /// How long a sign-in lasts, however often it is refreshed.
    pub session_lifetime_seconds: u32,
    /// How long a refresh token may lie unused.
    pub session_idle_seconds: u32,
    /// How long a device token is good.
    pub device_token_lifetime_days: u32,
    /// 32 bytes in base64 of which the key is made that signs access tokens; then no file is used. The same on all nodes.
    pub token_secret: String,
    /// Another such secret whose tokens are taken, too: the one before, or the one to come.
    pub token_secret_other: String,
    /// 32 bytes in base64 of which doctors' signing keys are made; then no file is used. The same on all nodes, for ever.
    pub doctor_secret: String,
    /// For one start: the secret of the doctors' keys is another one than before, because that one is lost.
    pub doctor_secret_is_new: bool,
    /// Requests of one sign-in each second at this node, but of service accounts; 0: no limit.
    pub requests_per_second: u32,
    /// Requests that it may make at once after a pause.
    pub requests_burst: u32,
    /// Another issuer whose tokens are taken as well.
    pub oidc: OidcConfig,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self {
            issuer: "urn:maxray".into(),
            audience: "maxray".into(),
            access_token_lifetime_seconds: 900,
            session_lifetime_seconds: 43_200,
            session_idle_seconds: 3_600,
            device_token_lifetime_days: 365,
            token_secret: String::new(),
            token_secret_other: String::new(),
            doctor_secret: String::new(),
            doctor_secret_is_new: false,
            requests_per_second: 300,
            requests_burst: 3_000,
            oidc: OidcConfig::default(),
        }
    }
}

impl fmt::Debug for IdentityConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityConfig").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Settings that would make tokens of no use, or of too much.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("identity.{0}")]
pub struct IdentityConfigError(pub(super) &'static str);

impl IdentityConfig {
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// See [`IdentityConfigError`].
    pub fn check(&self) -> Result<(), IdentityConfigError> {
        let refuse = |why| Err(IdentityConfigError(why));
        if self.issuer.is_empty() || self.audience.is_empty() {
            return refuse("issuer and identity.audience must not be empty");
        }
        if !(60..=TOKEN_LIFETIME_MAX_SECONDS).contains(&self.access_token_lifetime_seconds) {
            return refuse("access_token_lifetime_seconds is between 60 and 86400");
        }
        if self.session_lifetime_seconds < self.access_token_lifetime_seconds
            || self.session_idle_seconds == 0
        {
            return refuse("session_lifetime_seconds must not be shorter than an access token's life");
        }
        if !(1..=3_650).contains(&self.device_token_lifetime_days) {
            return refuse("device_token_lifetime_days is between 1 and 3650");
        }
        let secrets = [&self.token_secret, &self.token_secret_other, &self.doctor_secret];
        if secrets.iter().any(|text| !text.is_empty() && SharedSecret::from_base64(text).is_none()) {
            return refuse(
                "token_secret, token_secret_other and doctor_secret are 32 bytes in base64, as `openssl rand -base64 \
                 32` prints them",
            );
        }
        if self.token_secret.is_empty() && !self.token_secret_other.is_empty() {
            return refuse("token_secret_other goes with identity.token_secret");
        }
        let given = secrets.iter().filter_map(|text| SharedSecret::from_base64(text)).collect::<Vec<_>>();
        let is_twice = |one: usize| given[..one].iter().any(|other| other.bytes() == given[one].bytes());
        if (0..given.len()).any(is_twice) {
            return refuse("token_secret, token_secret_other and doctor_secret are different secrets");
        }
        self.oidc.check()
    }

    /// How long a device token is good.
    pub fn device_token_lifetime(&self) -> TimeDelta {
        TimeDelta::days(self.device_token_lifetime_days.into())
    }

    /// How long a sign-in lasts.
    pub fn session_lifetime(&self) -> TimeDelta {
        TimeDelta::seconds(self.session_lifetime_seconds.into())
    }

    /// How long a refresh token may lie unused.
    pub fn session_idle(&self) -> TimeDelta {
        TimeDelta::seconds(self.session_idle_seconds.into())
    }
}
