//! The keys with which doctors sign (ES256). Each doctor's key is derived from one secret, in a file (0600) or in the settings,
//! and the doctor's id: nothing that could sign is in the database, and there is one thing to keep a copy of.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    sync::Arc,
};

use aws_lc_rs::{
    digest, hmac,
    rand::{SecureRandom as _, SystemRandom},
    signature::{ECDSA_P256_SHA256_FIXED, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    KeyError,
    config::IdentityConfig,
    shared_secret::{SECRET_BYTES, SharedSecret, derive_key_pair},
};
use crate::notifications::WebhookSecret;

/// Bytes of a code by which somebody without an account finds out whether a document is genuine.
const CODE_BYTES: usize = 16;
/// Bytes of [`DoctorKeys::fingerprint`].
const FINGERPRINT_BYTES: usize = 16;

/// Makes the doctors' keys; cheap to clone.
#[derive(Clone)]
pub struct DoctorKeys(Arc<hmac::Key>);

/// A signed document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedDocument {
    /// JSON Web Signature (RFC 7515) in its compact form: header, document and signature.
    pub jws: String,
    /// SHA-256 of the document.
    pub sha256: [u8; 32],
    /// The key's id (RFC 7638).
    pub key_id: String,
}

impl DoctorKeys {
    /// Keys that are kept nowhere.
    ///
    /// # Errors
    /// [`KeyError::NotMade`].
    pub fn ephemeral() -> Result<Self, KeyError> {
        Ok(Self::of(random()?.as_slice()))
    }

    /// The secret of the settings, which all nodes share; without one, as [`Self::open`].
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn configured(config: &IdentityConfig, path: &Path) -> Result<Self, KeyError> {
        if config.doctor_secret.is_empty() {
            return Self::open(path);
        }
        let secret = SharedSecret::from_base64(&config.doctor_secret).ok_or(KeyError::Malformed)?;
        Ok(Self::of(secret.bytes()))
    }

    /// Tells this secret from another one, and nothing else of it: nodes compare it, for another secret would say that every
    /// prescription signed before is forged.
    pub fn fingerprint(&self) -> String {
        let tag = hmac::sign(&self.0, b"MaxRay doctor secret fingerprint 1");
        BASE64_URL_SAFE_NO_PAD.encode(&tag.as_ref()[..FINGERPRINT_BYTES])
    }

    /// Reads the file of the secret, or makes it.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        if !path.exists() {
            make(path)?;
        }
        if fs::metadata(path)?.mode() & 0o077 != 0 {
            return Err(KeyError::Open);
        }
        let secret = Zeroizing::new(fs::read(path)?);
        if secret.len() == SECRET_BYTES { Ok(Self::of(&secret)) } else { Err(KeyError::Malformed) }
    }

    fn of(secret: &[u8]) -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    fn key_of(&self, doctor: Uuid) -> Result<EcdsaKeyPair, KeyError> {
        derive_key_pair(&self.0, &[b"MaxRay doctor key 1", doctor.as_bytes()])
    }

    /// Signs a document with the doctor's key.
    ///
    /// # Errors
    /// [`KeyError::NotMade`] when the machine gives no random bytes.
    pub fn sign(&self, doctor: Uuid, document: &[u8]) -> Result<SignedDocument, KeyError> {
        let pair = self.key_of(doctor)?;
        let key_id = key_id(pair.public_key().as_ref())?;
        let header = json!({ "alg": "ES256", "kid": key_id, "typ": "JOSE" }).to_string();
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(document));
        let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|_| KeyError::NotMade)?;
        Ok(SignedDocument {
            jws: format!("{signed}.{}", encode(signature.as_ref())),
            sha256: super::sha256_of(document),
            key_id,
        })
    }

    /// The document of a JWS, when it is this doctor's signature and as it was signed.
    pub fn verify(&self, doctor: Uuid, jws: &str) -> Option<Vec<u8>> {
        let pair = self.key_of(doctor).ok()?;
        let (signed, signature) = jws.rsplit_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
        key.verify(signed.as_bytes(), &signature).ok()?;
        BASE64_URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()
    }

    /// The public half of the doctor's key as a JWK, for those who verify a signature themselves.
    ///
    /// # Errors
    /// [`KeyError::NotMade`].
    pub fn public_jwk(&self, doctor: Uuid) -> Result<Value, KeyError> {
        let pair = self.key_of(doctor)?;
        let (x, y) = coordinates(pair.public_key().as_ref())?;
        let kid = key_id(pair.public_key().as_ref())?;
        Ok(json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256", "use": "sig", "kid": kid }))
    }

    /// The code that is printed on a document, by which anybody who has it finds out whether it is genuine.
    pub fn code_of(&self, document: Uuid) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"MaxRay verification code 1");
        context.update(document.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(&context.sign().as_ref()[..CODE_BYTES])
    }

    /// By which a request is known again. Keyed: whoever reads the database alone cannot try guesses at what was in it.
    pub fn fingerprint_of(&self, request: &[u8]) -> [u8; 32] {
        self.code_over("MaxRay request fingerprint 1", request)
    }

    /// A code (HMAC-SHA-256) that nobody else can make. A purpose begins no other purpose, so that none stands for another.
    pub fn code_over(&self, purpose: &str, text: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose.as_bytes());
        context.update(text);
        let mut code = [0; 32];
        code.copy_from_slice(context.sign().as_ref());
        code
    }

    /// Whether this is the code over a text.
    pub fn is_code_over(&self, purpose: &str, text: &[u8], code: &[u8]) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.code_over(purpose, text), code).is_ok()
    }

    /// The secret that signs what is sent to a webhook.
    pub fn webhook_secret_of(&self, webhook: Uuid) -> WebhookSecret {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"MaxRay webhook secret 1");
        context.update(webhook.as_bytes());
        WebhookSecret::new(context.sign().as_ref())
    }

    /// Whether this is the code of a document.
    pub fn is_code_of(&self, document: Uuid, code: &str) -> bool {
        let right = self.code_of(document);
        aws_lc_rs::constant_time::verify_slices_are_equal(right.as_bytes(), code.as_bytes()).is_ok()
    }
}

fn random() -> Result<Zeroizing<[u8; SECRET_BYTES]>, KeyError> {
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    SystemRandom::new().fill(secret.as_mut_slice()).map_err(|_| KeyError::NotMade)?;
    Ok(secret)
}

/// Written beside and linked into place, so that of two that start at once one makes it and both read the same.
fn make(path: &Path) -> Result<(), KeyError> {
    let beside = path.with_extension(format!("new-{}", Uuid::now_v7().simple()));
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    new.write_all(random()?.as_slice())?;
    new.sync_all()?;
    let linked = fs::hard_link(&beside, path);
    fs::remove_file(&beside)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn coordinates(public_key: &[u8]) -> Result<(String, String), KeyError> {
    let point = public_key.strip_prefix(&[4]).filter(|point| point.len() == 64).ok_or(KeyError::Malformed)?;
    let (x, y) = point.split_at(32);
    Ok((BASE64_URL_SAFE_NO_PAD.encode(x), BASE64_URL_SAFE_NO_PAD.encode(y)))
}

/// RFC 7638.
fn key_id(public_key: &[u8]) -> Result<String, KeyError> {
    let (x, y) = coordinates(public_key)?;
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    let thumbprint = digest::digest(&digest::SHA256, canonical.as_bytes());
    Ok(BASE64_URL_SAFE_NO_PAD.encode(thumbprint.as_ref()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use base64::prelude::BASE64_STANDARD;
    use jsonwebtoken::{DecodingKey, crypto};

    use super::*;

    #[test]
    fn a_signature_is_its_doctors_and_of_its_document() {
        let keys = DoctorKeys::ephemeral().expect("keys");
        let (ada, ben) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let signed = keys.sign(ada, b"{\"a\":1}").expect("signed");
        assert_eq!(keys.verify(ada, &signed.jws).as_deref(), Some(&b"{\"a\":1}"[..]));
        assert_eq!(keys.verify(ben, &signed.jws), None);
        let mut altered = signed.jws.clone();
        let middle = altered.find('.').expect("a dot") + 2;
        altered.replace_range(middle..=middle, if &altered[middle..=middle] == "A" { "B" } else { "A" });
        assert_eq!(keys.verify(ada, &altered), None);
        assert_eq!(DoctorKeys::ephemeral().expect("keys").verify(ada, &signed.jws), None);
        assert!(keys.is_code_of(ada, &keys.code_of(ada)) && !keys.is_code_of(ben, &keys.code_of(ada)));
        assert!(!keys.is_code_of(ada, ""));
    }

    #[test]
    fn a_fingerprint_tells_nothing_without_the_secret() {
        let (keys, others) = (DoctorKeys::ephemeral().expect("keys"), DoctorKeys::ephemeral().expect("keys"));
        let fingerprint = keys.fingerprint_of(b"password");
        assert_eq!(fingerprint, keys.fingerprint_of(b"password"));
        assert_ne!(fingerprint, keys.fingerprint_of(b"passwore"));
        assert_ne!(fingerprint, others.fingerprint_of(b"password"));
        assert_ne!(fingerprint, super::super::sha256_of(b"password"));
    }

    /// With the key that anybody gets.
    #[test]
    fn others_can_verify_it() {
        let keys = DoctorKeys::ephemeral().expect("keys");
        let doctor = Uuid::from_u128(1);
        let signed = keys.sign(doctor, b"x").expect("signed");
        let jwk = keys.public_jwk(doctor).expect("a key");
        let text = |name: &str| jwk[name].as_str().expect(name).to_owned();
        assert_eq!(text("kid"), signed.key_id);
        let key = DecodingKey::from_ec_components(&text("x"), &text("y")).expect("a key");
        let (message, signature) = signed.jws.rsplit_once('.').expect("parts");
        let good = crypto::verify(signature, message.as_bytes(), &key, jsonwebtoken::Algorithm::ES256);
        assert!(good.expect("verified"));
    }

    /// Two nodes have no file in common: what one signs, the other verifies.
    #[test]
    fn a_secret_of_the_settings_is_the_same_on_every_node() {
        let nodes = [tempfile::tempdir().expect("directory"), tempfile::tempdir().expect("directory")];
        let secret = BASE64_STANDARD.encode([7; SECRET_BYTES]);
        let config = IdentityConfig { doctor_secret: secret, ..IdentityConfig::default() };
        let keys = nodes.each_ref().map(|node| node.path().join("doctor-keys.secret"));
        let [one, other] = keys.each_ref().map(|path| DoctorKeys::configured(&config, path).expect("keys"));
        let signed = one.sign(Uuid::nil(), b"x").expect("signed");
        assert_eq!(other.verify(Uuid::nil(), &signed.jws).as_deref(), Some(&b"x"[..]));
        assert!(!keys[0].exists(), "nothing is written");
        assert_eq!(one.fingerprint(), other.fingerprint());
        assert_ne!(one.fingerprint(), DoctorKeys::open(&keys[1]).expect("keys").fingerprint());
    }

    #[test]
    fn the_secret_is_made_once_and_private() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("doctor-keys.secret");
        let code = DoctorKeys::open(&path).expect("made").code_of(Uuid::nil());
        assert_eq!(DoctorKeys::open(&path).expect("read").code_of(Uuid::nil()), code);
        assert_eq!(fs::metadata(&path).expect("file").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).expect("directory").count(), 1);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("opened");
        assert!(matches!(DoctorKeys::open(&path), Err(KeyError::Open)));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("closed");
        fs::write(&path, "short").expect("damaged");
        assert!(matches!(DoctorKeys::open(&path), Err(KeyError::Malformed)));
    }
}
