//! Keys in memory, and keys wrapped by keys (AES-256-GCM-SIV, RFC 8452).

use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey},
    rand,
};
use zeroize::Zeroizing;

use super::TAG_BYTES;
use crate::error::StorageError;

/// Bytes of every key here.
pub(crate) const KEY_BYTES: usize = 32;

/// Random bytes from the operating system's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], StorageError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| StorageError::KeysUnavailable("no random numbers".to_owned()))?;
    Ok(bytes)
}

/// 256 secret bits, wiped when dropped and never printed.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<[u8; KEY_BYTES]>);

impl Secret {
    pub(crate) fn generate() -> Result<Self, StorageError> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// `None` when there are not exactly 32 bytes.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

/// A key, its nonce and its tag, as they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrappedKey {
    pub(crate) nonce: [u8; 12],
    /// The key, encrypted, and the tag.
    pub(crate) sealed: [u8; KEY_BYTES + TAG_BYTES],
}

/// A key that wraps keys.
pub(crate) struct WrapKey(LessSafeKey);

impl WrapKey {
    pub(crate) fn new(secret: &Secret) -> Self {
        let key = UnboundKey::new(&AES_256_GCM_SIV, secret.bytes()).expect("32 bytes are a key");
        Self(LessSafeKey::new(key))
    }

    /// Wraps `secret` and binds it to `context`.
    pub(crate) fn wrap(&self, secret: &Secret, context: &[u8]) -> Result<WrappedKey, StorageError> {
        self.wrap_with_nonce(secret, context, random()?)
    }

    pub(super) fn wrap_with_nonce(
        &self,
        secret: &Secret,
        context: &[u8],
        nonce: [u8; 12],
    ) -> Result<WrappedKey, StorageError> {
        let mut sealed = [0; KEY_BYTES + TAG_BYTES];
        let (body, tag) = sealed.split_at_mut(KEY_BYTES);
        body.copy_from_slice(secret.bytes());
        let made = self
            .0
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), body)
            .map_err(|_| StorageError::KeysUnavailable("a key could not be wrapped".to_owned()))?;
        tag.copy_from_slice(made.as_ref());
        Ok(WrappedKey { nonce, sealed })
    }

    /// `None` when the key, the context or what wrapped it is another one.
    pub(crate) fn unwrap(&self, wrapped: &WrappedKey, context: &[u8]) -> Option<Secret> {
        let mut bytes = Zeroizing::new(wrapped.sealed);
        let nonce = Nonce::assume_unique_for_key(wrapped.nonce);
        let opened = self.0.open_in_place(nonce, Aad::from(context), bytes.as_mut_slice()).ok()?;
        Secret::from_slice(opened)
    }
}
