//! The keys that sign access tokens: one signs, those before it only verify until no token of theirs can live any
//! more. They lie in one file (0600) that is replaced as a whole, so that a rotation at the command line and a crash
//! in it leave either the old file or the new.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use aws_lc_rs::{
    digest, hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, EncodingKey};
use model::clock::Clock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    config::IdentityConfig,
    shared_secret::{SharedSecret, derive_key_pair},
    token::{Claims, TOKEN_LIFETIME_MAX_SECONDS},
    verified::VerifiedTokens,
};

/// Keys that are kept after they were replaced.
const RETIRED_MAX: usize = 8;
/// When a key ends that the settings hold.
const NEVER: i64 = i64::MAX;

/// Why the signing keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("a signing key file cannot be used")]
    File(#[from] std::io::Error),
    /// The file is not what MaxRay wrote, or a key in it is no P-256 key.
    #[error("a signing key file does not hold what MaxRay wrote")]
    Malformed,
    /// Somebody else can read the file.
    #[error(
        "the token signing key file can be read by other users: chmod 600 it, then maxray key rotate-signing"
    )]
    Open,
    /// The machine gives no random bytes.
    #[error("no key could be made")]
    NotMade,
    /// The key comes from the settings, so that no command can replace it.
    #[error(
        "the key is made of identity.token_secret: rotate it in the settings of every node, as docs/identity.md says"
    )]
    InSettings,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    /// The first one signs.
    keys: Vec<StoredKey>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    /// PKCS#8 DER, base64.
    private_key: String,
    created_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retired_at: Option<i64>,
}

impl StoredKey {
    fn make(now: i64) -> Result<Self, KeyError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| KeyError::NotMade)?;
        Ok(Self { private_key: BASE64_STANDARD.encode(document.as_ref()), created_at: now, retired_at: None })
    }

    /// Until when one of its tokens can live; `None` while it signs.
    fn ends(&self) -> Option<i64> {
        self.retired_at.map(|at| at.saturating_add(i64::from(TOKEN_LIFETIME_MAX_SECONDS) + 60))
    }
}

/// A key that verifies.
pub(super) struct VerifyingKey {
    pub key_id: String,
    pub key: DecodingKey,
    jwk: Value,
    /// Seconds since 1970 after which it verifies nothing.
    ends: Option<i64>,
}

/// All keys of a file.
pub(super) struct KeyRing {
    pub signing: EncodingKey,
    pub signing_key_id: String,
    verifying: Vec<VerifyingKey>,
    /// Tokens that these keys have verified.
    pub verified: VerifiedTokens<Claims>,
}

impl KeyRing {
    /// A ring with one new key that is kept nowhere.
    pub(super) fn ephemeral(clock: &Clock) -> Result<Self, KeyError> {
        Self::of(&KeyFile { keys: vec![StoredKey::make(clock.now().timestamp())?] })
    }

    /// A ring with one key that is kept nowhere.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn of_key(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let private_key = BASE64_STANDARD.encode(pkcs8);
        Self::of(&KeyFile { keys: vec![StoredKey { private_key, created_at: 0, retired_at: None }] })
    }

    /// The keys that are made of the secrets of the settings: the same on every node.
    pub(super) fn of_secrets(config: &IdentityConfig) -> Result<Self, KeyError> {
        let made = |text: &str, retired_at: Option<i64>| {
            let secret = SharedSecret::from_base64(text).ok_or(KeyError::Malformed)?;
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.bytes());
            let pair = derive_key_pair(&key, &[b"MaxRay token key 1"])?;
            let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::NotMade)?;
            let private_key = BASE64_STANDARD.encode(pkcs8.as_ref());
            Ok::<_, KeyError>(StoredKey { private_key, created_at: 0, retired_at })
        };
        let mut keys = vec![made(&config.token_secret, None)?];
        if !config.token_secret_other.is_empty() {
            // It signs nothing; how long it verifies, the settings say.
            keys.push(made(&config.token_secret_other, Some(NEVER))?);
        }
        Self::of(&KeyFile { keys })
    }

    /// Reads the file, or makes it with one new key.
    pub(super) fn open(path: &Path, clock: &Clock) -> Result<Self, KeyError> {
        if !path.exists() {
            write(path, &KeyFile { keys: vec![StoredKey::make(clock.now().timestamp())?] })?;
        }
        Self::read(path)
    }

    /// Reads the file, which must be there.
    pub(super) fn read(path: &Path) -> Result<Self, KeyError> {
        Self::of(&read(path)?)
    }

    fn of(file: &KeyFile) -> Result<Self, KeyError> {
        let mut signing = None;
        let mut verifying = Vec::new();
        for stored in &file.keys {
            let pkcs8 = BASE64_STANDARD.decode(&stored.private_key).map_err(|_| KeyError::Malformed)?;
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
                .map_err(|_| KeyError::Malformed)?;
            let public_key = pair.public_key().as_ref();
            let (key_id, jwk) = describe(public_key)?;
            if signing.is_none() && stored.retired_at.is_none() {
                signing = Some((EncodingKey::from_ec_der(&pkcs8), key_id.clone()));
            }
            let key = DecodingKey::from_ec_der(public_key);
            verifying.push(VerifyingKey { key_id, key, jwk, ends: stored.ends() });
        }
        let (signing, signing_key_id) = signing.ok_or(KeyError::Malformed)?;
        Ok(Self { signing, signing_key_id, verifying, verified: VerifiedTokens::new() })
    }

    pub(super) fn verifying(&self, key_id: &str, now: i64) -> Option<&VerifyingKey> {
        self.verifying.iter().find(|key| key.key_id == key_id && key.ends.is_none_or(|ends| now < ends))
    }

    /// RFC 7517 5: the public halves of the keys that verify now.
    pub(super) fn jwks(&self, now: i64) -> Value {
        let live = self.verifying.iter().filter(|key| key.ends.is_none_or(|ends| now < ends));
        json!({ "keys": live.map(|key| key.jwk.clone()).collect::<Vec<_>>() })
    }
}

/// The key's id (RFC 7638) and its public half as a JWK.
fn describe(public_key: &[u8]) -> Result<(String, Value), KeyError> {
    let point = public_key.strip_prefix(&[4]).filter(|point| point.len() == 64).ok_or(KeyError::Malformed)?;
    let (x, y) = point.split_at(32);
    let (x, y) = (BASE64_URL_SAFE_NO_PAD.encode(x), BASE64_URL_SAFE_NO_PAD.encode(y));
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    let thumbprint = digest::digest(&digest::SHA256, canonical.as_bytes());
    let key_id = BASE64_URL_SAFE_NO_PAD.encode(thumbprint.as_ref());
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256", "use": "sig", "kid": key_id,
    });
    Ok((key_id, jwk))
}

fn read(path: &Path) -> Result<KeyFile, KeyError> {
    if fs::metadata(path)?.mode() & 0o077 != 0 {
        return Err(KeyError::Open);
    }
    serde_json::from_slice(&fs::read(path)?).map_err(|_| KeyError::Malformed)
}

fn write(path: &Path, file: &KeyFile) -> Result<(), KeyError> {
    let text = serde_json::to_vec_pretty(file).map_err(|_| KeyError::Malformed)?;
    let beside = path.with_extension("new");
    let _left_by_a_crash = fs::remove_file(&beside);
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    new.write_all(&text)?;
    new.sync_all()?;
    fs::rename(&beside, path)?;
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Makes a new key that signs from now on, and gives its id. The one before verifies on until its tokens have ended,
/// unless `drop_old`: then every access token of before is refused at once. A running server takes notice within
/// seconds.
///
/// # Errors
/// See [`KeyError`].
pub fn rotate_signing_key(path: &Path, clock: &Clock, drop_old: bool) -> Result<String, KeyError> {
    let now = clock.now().timestamp();
    let old = if path.exists() { read(path)?.keys } else { Vec::new() };
    let mut keys = vec![StoredKey::make(now)?];
    if !drop_old {
        let old = old.into_iter().map(|key| StoredKey { retired_at: key.retired_at.or(Some(now)), ..key });
        keys.extend(old.filter(|key| key.ends().is_some_and(|ends| now < ends)).take(RETIRED_MAX));
    }
    let file = KeyFile { keys };
    let key_id = KeyRing::of(&file)?.signing_key_id;
    write(path, &file)?;
    Ok(key_id)
}

#[cfg(test)]
mod tests;
