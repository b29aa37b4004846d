//! Access tokens: JWT profile of RFC 9068, signed with ES256. Algorithm and keys are pinned by us and never taken
//! from the token: `jku`, `x5u`, `jwk` and the like are not even read.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant, SystemTime},
};

use database::Database;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use model::{
    access::{Grant, Principal, Role},
    clock::Clock,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    authenticator::Authenticator,
    config::IdentityConfig,
    jws::{TokenRefused, check_times, read_header},
    keys::{KeyError, KeyRing, rotate_signing_key},
    oidc::OidcError,
};

/// Longest life of a token; keys that were replaced verify that much longer.
pub const TOKEN_LIFETIME_MAX_SECONDS: u32 = 86_400;
/// RFC 9068 2.1: the type that keeps other JWTs from being taken for access tokens.
const TOKEN_TYPE: &str = "at+jwt";
/// How often the key file is looked at: a rotation at the command line is known after this time.
const KEY_FILE_CHECK: Duration = Duration::from_secs(2);

/// The token could not be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token could not be signed")]
pub struct NotSigned;

/// RFC 9068 2.2. Types are exact: an `exp` that is a string or a fraction is no `exp`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    client_id: String,
    exp: u64,
    iat: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    jti: Uuid,
    role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    doctor_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grant: Option<Grant>,
}

/// An access token and how long it is good.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The compact JWT.
    pub access_token: String,
    /// Lifetime in seconds.
    pub expires_in: u32,
}

/// Signs access tokens; cheap to clone.
#[derive(Clone)]
pub struct Issuer(Arc<IssuerInner>);

struct IssuerInner {
    config: IdentityConfig,
    clock: Clock,
    keys: RwLock<Arc<KeyRing>>,
    file: Option<PathBuf>,
    /// When the file was looked at, and which one was found.
    looked: Mutex<(Instant, Option<FileVersion>)>,
}

type FileVersion = (SystemTime, u64);

impl Issuer {
    /// The key of the settings, which all nodes share. Without one: reads the key file, or makes key and file (0600) when
    /// it is not there.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn open(path: &Path, config: IdentityConfig, clock: Clock) -> Result<Self, KeyError> {
        if !config.token_secret.is_empty() {
            return Ok(Self::with(KeyRing::of_secrets(&config)?, None, config, clock));
        }
        let keys = KeyRing::open(path, &clock)?;
        Ok(Self::with(keys, Some(path.to_owned()), config, clock))
    }

    /// An issuer with a key that is forgotten with it: for tests.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn ephemeral(config: IdentityConfig, clock: Clock) -> Result<Self, KeyError> {
        let keys = KeyRing::ephemeral(&clock)?;
        Ok(Self::with(keys, None, config, clock))
    }

    /// An issuer with this key.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn from_pkcs8(pkcs8: &[u8], config: IdentityConfig, clock: Clock) -> Result<Self, KeyError> {
        Ok(Self::with(KeyRing::of_key(pkcs8)?, None, config, clock))
    }

    fn with(keys: KeyRing, file: Option<PathBuf>, config: IdentityConfig, clock: Clock) -> Self {
        let looked = Mutex::new((Instant::now(), file.as_deref().and_then(version_of)));
        Self(Arc::new(IssuerInner { config, clock, keys: RwLock::new(Arc::new(keys)), file, looked }))
    }

    /// Settings.
    pub fn config(&self) -> &IdentityConfig {
        &self.0.config
    }

    /// A token for an account, for the usual time.
    ///
    /// # Errors
    /// When signing fails.
    pub fn issue(&self, principal: &Principal) -> Result<IssuedToken, NotSigned> {
        self.issue_for(principal, self.0.config.access_token_lifetime_seconds)
    }

    /// A token for an account, for that many seconds (at most [`TOKEN_LIFETIME_MAX_SECONDS`]).
    ///
    /// # Errors
    /// When signing fails.
    pub fn issue_for(&self, principal: &Principal, lifetime_seconds: u32) -> Result<IssuedToken, NotSigned> {
        let inner = &self.0;
        let now = self.now();
        let expires_in = lifetime_seconds.min(TOKEN_LIFETIME_MAX_SECONDS);
        let claims = Claims {
            iss: inner.config.issuer.clone(),
            aud: inner.config.audience.clone(),
            sub: principal.user_id,
            client_id: "maxray".into(),
            exp: now + u64::from(expires_in),
            iat: now,
            nbf: None,
            jti: Uuid::now_v7(),
            role: principal.role,
            doctor_id: principal.doctor_id,
            sid: principal.session_id,
            grant: principal.grant,
        };
        let keys = self.keys();
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(TOKEN_TYPE.into());
        header.kid = Some(keys.signing_key_id.clone());
        let access_token = jsonwebtoken::encode(&header, &claims, &keys.signing).map_err(|_| NotSigned)?;
        Ok(IssuedToken { access_token, expires_in })
    }

    /// The keys that verify this issuer's tokens, as a JWK set (RFC 7517 5).
    pub fn jwks(&self) -> Value {
        self.keys().jwks(self.0.clock.now().timestamp())
    }

    /// Signs with a new key from now on; see [`rotate_signing_key`]. Nothing happens to a key that is kept nowhere.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn rotate(&self, drop_old: bool) -> Result<String, KeyError> {
        if !self.0.config.token_secret.is_empty() {
            return Err(KeyError::InSettings);
        }
        let Some(path) = &self.0.file else { return Ok(self.keys().signing_key_id.clone()) };
        let key_id = rotate_signing_key(path, &self.0.clock, drop_old)?;
        self.read_again(path)?;
        Ok(key_id)
    }

    /// The authenticator that takes this issuer's tokens and asks nobody whether they were taken back.
    pub fn authenticator(&self) -> Authenticator {
        Authenticator::offline(self.clone())
    }

    /// The authenticator that takes this issuer's tokens while their sessions live in this database, device tokens,
    /// and the tokens of the other issuer when one is configured.
    ///
    /// # Errors
    /// When the other issuer cannot be asked at all.
    pub fn authenticator_with(&self, database: Database) -> Result<Authenticator, OidcError> {
        Authenticator::online(self.clone(), database)
    }

    /// Who the token belongs to, as far as the token itself tells.
    pub(crate) fn verify(&self, token: &str) -> Result<Principal, TokenRefused> {
        let refuse = |reason| Err(TokenRefused::Invalid(reason));
        let header = read_header(token)?;
        let Some(key_id) = header.kid.filter(|_| header.alg == "ES256") else {
            return refuse("the algorithm or the key is not ours");
        };
        if header.typ.as_deref() != Some(TOKEN_TYPE) {
            return refuse("it is no access token");
        }
        let now = self.now();
        let keys = self.keys();
        let Some(key) = keys.verifying(&key_id, i64::try_from(now).unwrap_or(i64::MAX)) else {
            return refuse("the key is not ours");
        };
        let Ok(claims) = keys.verified.claims_or_else(token, || self.decode(token, &key.key)) else {
            return refuse("the signature or a claim is wrong");
        };
        check_times(now, claims.iat, claims.exp, claims.nbf)?;
        if claims.exp - claims.iat > u64::from(TOKEN_LIFETIME_MAX_SECONDS) {
            return refuse("it lives longer than any of ours");
        }
        Ok(Principal {
            user_id: claims.sub,
            role: claims.role,
            doctor_id: claims.doctor_id,
            session_id: claims.sid,
            grant: claims.grant,
        })
    }

    /// What the token claims, when this key has signed it for us.
    fn decode(&self, token: &str, key: &DecodingKey) -> jsonwebtoken::errors::Result<Claims> {
        let config = &self.0.config;
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[&config.audience]);
        validation.set_issuer(&[&config.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The clock that tests can set decides, with every request.
        validation.validate_exp = false;
        Ok(jsonwebtoken::decode::<Claims>(token, key, &validation)?.claims)
    }

    pub(super) fn now(&self) -> u64 {
        self.0.clock.now().timestamp().max(0) as u64
    }

    /// The keys as they are in the file now, give or take [`KEY_FILE_CHECK`].
    fn keys(&self) -> Arc<KeyRing> {
        if let Some(path) = self.0.file.as_deref()
            && self.file_has_changed(path)
            && let Err(error) = self.read_again(path)
        {
            tracing::error!(%error, "the token keys stay as they were");
        }
        Arc::clone(&self.0.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn file_has_changed(&self, path: &Path) -> bool {
        let mut looked = self.0.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.0.elapsed() < KEY_FILE_CHECK {
            return false;
        }
        let version = version_of(path);
        let changed = version != looked.1;
        *looked = (Instant::now(), version);
        changed
    }

    fn read_again(&self, path: &Path) -> Result<(), KeyError> {
        let keys = Arc::new(KeyRing::read(path)?);
        *self.0.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        *self.0.looked.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), version_of(path));
        Ok(())
    }
}

/// A file that was replaced is another inode.
fn version_of(path: &Path) -> Option<FileVersion> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.ino()))
}

#[cfg(test)]
mod tests;
