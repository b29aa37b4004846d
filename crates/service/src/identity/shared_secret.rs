//! A secret that the settings give to every node alike, and the P-256 keys that are made of it: what one node signs, all
//! others verify, and no node has to hand a file to another.

use aws_lc_rs::{
    agreement::{ECDH_P256, PrivateKey},
    hmac,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use super::KeyError;

/// Length of a secret.
pub(super) const SECRET_BYTES: usize = 32;
/// A scalar that is no key comes once in 2^32 tries.
const TRIES_MAX: u8 = 8;

/// 32 bytes of which keys are made.
pub(super) struct SharedSecret(Zeroizing<Vec<u8>>);

impl SharedSecret {
    /// 32 bytes in base64, with white space around it.
    pub(super) fn from_base64(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(text.trim()).ok()?);
        (bytes.len() == SECRET_BYTES).then_some(Self(bytes))
    }

    /// The secret itself.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The P-256 key for one purpose, always the same one. A purpose begins no other purpose.
pub(super) fn derive_key_pair(key: &hmac::Key, purpose: &[&[u8]]) -> Result<EcdsaKeyPair, KeyError> {
    for attempt in 0..TRIES_MAX {
        let mut context = hmac::Context::with_key(key);
        for part in purpose {
            context.update(part);
        }
        context.update(&[attempt]);
        let scalar = context.sign();
        let Ok(private) = PrivateKey::from_private_key(&ECDH_P256, scalar.as_ref()) else { continue };
        let public = private.compute_public_key().map_err(|_| KeyError::NotMade)?;
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            scalar.as_ref(),
            public.as_ref(),
        );
        return pair.map_err(|_| KeyError::NotMade);
    }
    Err(KeyError::NotMade)
}
