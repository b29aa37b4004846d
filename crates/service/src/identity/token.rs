//! Access tokens: JWT profile of RFC 9068, signed with ES256, 15 minutes, algorithm and key pinned by us and never
//! taken from the token.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use model::{
    access::{Principal, Role},
    clock::Clock,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest token that is looked at.
const TOKEN_LENGTH_MAX_BYTES: usize = 8 * 1024;
/// RFC 9068 2.1: the type that keeps other JWTs from being taken for access tokens.
const TOKEN_TYPE: &str = "at+jwt";
/// How far clocks may be apart.
const LEEWAY_SECONDS: u64 = 30;

/// Section `[identity]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityConfig {
    /// `iss` of the tokens.
    pub issuer: String,
    /// `aud` of the tokens.
    pub audience: String,
    /// How long an access token is good.
    pub access_token_lifetime_seconds: u32,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self { issuer: "urn:maxray".into(), audience: "maxray".into(), access_token_lifetime_seconds: 900 }
    }
}

/// Why the signing key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("the token signing key file cannot be used")]
    File(#[from] std::io::Error),
    /// The file holds no P-256 key in PKCS#8.
    #[error("the token signing key file holds no P-256 private key in PKCS#8 form")]
    Malformed,
}

/// Why a token was refused: for the log at debug level, never for the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TokenRefused(String);

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    exp: u64,
    iat: u64,
    jti: Uuid,
    role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    doctor_id: Option<Uuid>,
}

/// An access token and how long it is good.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The compact JWT.
    pub access_token: String,
    /// Lifetime in seconds.
    pub expires_in: u32,
}

/// Signs access tokens.
#[derive(Clone)]
pub struct Issuer(Arc<IssuerInner>);

struct IssuerInner {
    config: IdentityConfig,
    key: EncodingKey,
    key_id: String,
    public_key: Vec<u8>,
    clock: Clock,
}

impl Issuer {
    /// Reads the key file, or makes key and file (0600) when it is not there.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn open(path: &Path, config: IdentityConfig, clock: Clock) -> Result<Self, KeyError> {
        let pkcs8 = if path.exists() {
            fs::read(path)?
        } else {
            let pkcs8 = new_key()?;
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(&pkcs8)?;
            file.sync_all()?;
            pkcs8
        };
        Self::from_pkcs8(&pkcs8, config, clock)
    }

    /// An issuer with a key that is forgotten with it: for tests.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn ephemeral(config: IdentityConfig, clock: Clock) -> Result<Self, KeyError> {
        Self::from_pkcs8(&new_key()?, config, clock)
    }

    pub(crate) fn from_pkcs8(pkcs8: &[u8], config: IdentityConfig, clock: Clock) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
            .map_err(|_| KeyError::Malformed)?;
        let public_key = pair.public_key().as_ref().to_vec();
        let fingerprint = digest::digest(&digest::SHA256, &public_key);
        let key_id = URL_SAFE_NO_PAD.encode(&fingerprint.as_ref()[..8]);
        let key = EncodingKey::from_ec_der(pkcs8);
        Ok(Self(Arc::new(IssuerInner { config, key, key_id, public_key, clock })))
    }

    /// A token for an account.
    ///
    /// # Errors
    /// When signing fails.
    pub fn issue(&self, principal: &Principal) -> Result<IssuedToken, TokenRefused> {
        let inner = &self.0;
        let now = inner.clock.now().timestamp().max(0) as u64;
        let expires_in = inner.config.access_token_lifetime_seconds;
        let claims = Claims {
            iss: inner.config.issuer.clone(),
            aud: inner.config.audience.clone(),
            sub: principal.user_id,
            exp: now + u64::from(expires_in),
            iat: now,
            jti: Uuid::now_v7(),
            role: principal.role,
            doctor_id: principal.doctor_id,
        };
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(TOKEN_TYPE.into());
        header.kid = Some(inner.key_id.clone());
        let access_token = jsonwebtoken::encode(&header, &claims, &inner.key)
            .map_err(|error| TokenRefused(error.to_string()))?;
        Ok(IssuedToken { access_token, expires_in })
    }

    /// The authenticator that takes this issuer's tokens.
    pub fn authenticator(&self) -> Authenticator {
        Authenticator(self.clone())
    }
}

fn new_key() -> Result<Vec<u8>, KeyError> {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map_err(|_| KeyError::Malformed)?;
    Ok(document.as_ref().to_vec())
}

/// Checks access tokens; cheap to clone.
#[derive(Clone)]
pub struct Authenticator(Issuer);

impl Authenticator {
    /// Who the token belongs to.
    ///
    /// # Errors
    /// When anything about the token is not as this issuer would have made it.
    pub fn authenticate(&self, token: &str) -> Result<Principal, TokenRefused> {
        let refuse = |reason: &str| TokenRefused(reason.to_owned());
        if token.len() > TOKEN_LENGTH_MAX_BYTES {
            return Err(refuse("the token is too long"));
        }
        let inner = &self.0.0;
        let header = jsonwebtoken::decode_header(token).map_err(|error| TokenRefused(error.to_string()))?;
        if header.typ.as_deref() != Some(TOKEN_TYPE) || header.kid.as_ref() != Some(&inner.key_id) {
            return Err(refuse("the token's type or key is not ours"));
        }
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[&inner.config.audience]);
        validation.set_issuer(&[&inner.config.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The clock that tests can set decides below.
        validation.validate_exp = false;
        let key = DecodingKey::from_ec_der(&inner.public_key);
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
            .map_err(|error| TokenRefused(error.to_string()))?
            .claims;
        let now = inner.clock.now().timestamp().max(0) as u64;
        if claims.exp.saturating_add(LEEWAY_SECONDS) < now {
            return Err(refuse("the token has expired"));
        }
        if claims.iat > now.saturating_add(LEEWAY_SECONDS) {
            return Err(refuse("the token comes from the future"));
        }
        Ok(Principal::new(claims.sub, claims.role, claims.doctor_id))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::PermissionsExt,
        sync::atomic::{AtomicI64, Ordering},
    };

    use chrono::DateTime;

    use super::*;

    fn principal() -> Principal {
        Principal::new(Uuid::from_u128(5), Role::Doctor, Some(Uuid::from_u128(6)))
    }

    fn issuer_at(time: &Arc<AtomicI64>) -> Issuer {
        let time = Arc::clone(time);
        let clock =
            Clock::from_fn(move || DateTime::from_timestamp(time.load(Ordering::SeqCst), 0).expect("time"));
        Issuer::ephemeral(IdentityConfig::default(), clock).expect("key")
    }

    #[test]
    fn a_token_lives_fifteen_minutes() {
        let time = Arc::new(AtomicI64::new(1_800_000_000));
        let issuer = issuer_at(&time);
        let token = issuer.issue(&principal()).expect("token").access_token;
        assert_eq!(issuer.authenticator().authenticate(&token), Ok(principal()));
        time.fetch_add(960, Ordering::SeqCst);
        assert!(issuer.authenticator().authenticate(&token).is_err());
    }

    #[test]
    fn forged_tokens_are_refused() {
        let time = Arc::new(AtomicI64::new(1_800_000_000));
        let (ours, theirs) = (issuer_at(&time), issuer_at(&time));
        let authenticator = ours.authenticator();
        let foreign = theirs.issue(&principal()).expect("token").access_token;
        assert!(authenticator.authenticate(&foreign).is_err());
        let good = ours.issue(&principal()).expect("token").access_token;
        let parts: Vec<&str> = good.split('.').collect();
        // {"typ":"at+jwt","alg":"none"}
        let none = format!("eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJub25lIn0.{}.", parts[1]);
        let spliced = format!("{}.{}.{}", parts[0], parts[1], foreign.rsplit('.').next().expect("signature"));
        for token in [none.as_str(), &spliced, "", "a.b.c", &"x".repeat(9000)] {
            assert!(authenticator.authenticate(token).is_err());
        }
    }

    #[test]
    fn the_key_file_is_private_and_read_again() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("token.key");
        let first = Issuer::open(&path, IdentityConfig::default(), Clock::system()).expect("made");
        let token = first.issue(&principal()).expect("token").access_token;
        let second = Issuer::open(&path, IdentityConfig::default(), Clock::system()).expect("read");
        assert!(second.authenticator().authenticate(&token).is_ok());
        assert_eq!(fs::metadata(&path).expect("file").permissions().mode() & 0o777, 0o600);
    }
}
