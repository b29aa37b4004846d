//! The keys of another issuer: fetched when they are needed, kept while it cannot be reached, and asked for at most
//! once in a while, whatever tokens strangers send.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use reqwest::{Client, redirect};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::config::{OidcConfig, algorithm, is_protected};

/// Keys are asked for again after this time.
const FRESH_FOR: Duration = Duration::from_mins(10);
/// Keys are used for this long when the issuer cannot be reached.
const KEPT_FOR: Duration = Duration::from_hours(24);
/// Longest answer.
const ANSWER_LENGTH_MAX_BYTES: usize = 1 << 20;
/// Keys that are looked at.
const KEYS_MAX: usize = 100;
/// Shortest RSA modulus.
const RSA_BITS_MIN: usize = 2048;

/// A key that verifies, and the one algorithm that it is for.
pub(super) struct IssuerKey {
    key_id: String,
    pub algorithm: Algorithm,
    pub key: DecodingKey,
}

#[derive(Default)]
struct Known {
    keys: Vec<Arc<IssuerKey>>,
    /// When `keys` came.
    since: Option<Instant>,
    /// When the issuer was last asked, with or without success.
    asked: Option<Instant>,
}

/// Why the keys could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the issuer does not answer")]
    Unreachable(#[from] reqwest::Error),
    #[error("the issuer answers {0}")]
    Status(u16),
    #[error("the issuer's answer is too long")]
    TooLong,
    #[error("the issuer's answer cannot be read")]
    Malformed,
    #[error("the issuer's document is for another issuer, or names keys that are not protected")]
    Untrusted,
    #[error("the issuer names no key that could be used")]
    NoKeys,
}

/// The keys of one issuer.
pub(super) struct IssuerKeys {
    config: OidcConfig,
    client: Client,
    known: Mutex<Known>,
    asking: tokio::sync::Mutex<()>,
}

impl IssuerKeys {
    pub(super) fn new(config: OidcConfig) -> Result<Self, reqwest::Error> {
        let timeout = Duration::from_millis(config.request_timeout_ms);
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(timeout)
            .timeout(timeout)
            .user_agent("maxray")
            .build()?;
        Ok(Self { config, client, known: Mutex::default(), asking: tokio::sync::Mutex::default() })
    }

    /// The key of that id. An id that is not known asks the issuer, but not more often than every
    /// `key_requests_interval_ms`.
    pub(super) async fn find(&self, key_id: &str) -> Option<Arc<IssuerKey>> {
        if let Some(key) = self.look(key_id, FRESH_FOR) {
            return Some(key);
        }
        let turn = self.asking.lock().await;
        if self.may_ask() {
            match self.fetch().await {
                Ok(keys) => self.learn(keys),
                Err(error) => tracing::warn!(%error, "the keys of identity.oidc.issuer could not be fetched"),
            }
        }
        drop(turn);
        self.look(key_id, KEPT_FOR)
    }

    fn look(&self, key_id: &str, age_max: Duration) -> Option<Arc<IssuerKey>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.since.filter(|since| since.elapsed() < age_max)?;
        known.keys.iter().find(|key| key.key_id == key_id).cloned()
    }

    /// Notes that the issuer is being asked, unless that was a moment ago.
    fn may_ask(&self) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let interval = Duration::from_millis(self.config.key_requests_interval_ms);
        let may = known.asked.is_none_or(|asked| asked.elapsed() >= interval);
        if may {
            known.asked = Some(Instant::now());
        }
        may
    }

    fn learn(&self, keys: Vec<Arc<IssuerKey>>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.keys = keys;
        known.since = Some(Instant::now());
    }

    async fn fetch(&self) -> Result<Vec<Arc<IssuerKey>>, FetchError> {
        let url = if self.config.jwks_url.is_empty() {
            self.discover().await?
        } else {
            self.config.jwks_url.clone()
        };
        let set = self.get(&url).await?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(FetchError::Malformed)?;
        let keys: Vec<_> =
            keys.iter().take(KEYS_MAX).filter_map(|key| self.usable(key)).map(Arc::new).collect();
        // Junk does not displace good keys.
        if keys.is_empty() { Err(FetchError::NoKeys) } else { Ok(keys) }
    }

    /// OpenID Connect Discovery 4.3: the document must be the issuer's own.
    async fn discover(&self) -> Result<String, FetchError> {
        #[derive(Deserialize)]
        struct Document {
            issuer: String,
            jwks_uri: String,
        }
        let url = format!("{}/.well-known/openid-configuration", self.config.issuer.trim_end_matches('/'));
        let document: Document =
            serde_json::from_value(self.get(&url).await?).map_err(|_| FetchError::Malformed)?;
        if document.issuer != self.config.issuer || !is_protected(&document.jwks_uri) {
            return Err(FetchError::Untrusted);
        }
        Ok(document.jwks_uri)
    }

    async fn get(&self, url: &str) -> Result<Value, FetchError> {
        let mut answer = self.client.get(url).header("accept", "application/json").send().await?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(answer.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > ANSWER_LENGTH_MAX_BYTES {
                return Err(FetchError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|_| FetchError::Malformed)
    }

    /// A signing key with an id and exactly one algorithm that is allowed here.
    fn usable(&self, value: &Value) -> Option<IssuerKey> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        let signs = jwk.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let algorithm = match value.get("alg").and_then(Value::as_str) {
            Some(name) => algorithm(name)?,
            // RFC 7517 4.4: the algorithm may be left out. Then the kind of the key decides.
            None => match &jwk.algorithm {
                AlgorithmParameters::RSA(_) => Algorithm::RS256,
                AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                    Algorithm::ES256
                }
                AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => {
                    Algorithm::ES384
                }
                AlgorithmParameters::OctetKeyPair(_) => Algorithm::EdDSA,
                _ => return None,
            },
        };
        if let AlgorithmParameters::RSA(key) = &jwk.algorithm
            && key.n.len() * 6 < RSA_BITS_MIN
        {
            return None;
        }
        if !signs || !self.config.allows(algorithm) {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        (key.family() == algorithm.family()).then_some(())?;
        Some(IssuerKey { key_id: jwk.common.key_id?, algorithm, key })
    }
}
