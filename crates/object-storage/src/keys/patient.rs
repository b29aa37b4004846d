//! A patient key, and the key object that keeps it: 100 bytes, wrapped by the root key.

use std::fmt;

use uuid::Uuid;

use super::root::RootKey;
use crate::{
    error::StorageError,
    seal::{Secret, WrapKey, WrappedKey},
};

const MAGIC: &[u8; 4] = b"MXK1";
const VERSION: u8 = 1;
const ALGORITHM: u8 = 1;
/// What the wrapped key is for; bound into the wrapping.
const PURPOSE: &[u8; 18] = b"MXE1 patient key 1";
const HEAD_BYTES: usize = 40;
const KEY_OBJECT_BYTES: usize = 100;

/// A patient key, ready for use. Its secret part cannot be had.
pub struct PatientKey {
    id: Uuid,
    wrap: WrapKey,
}

impl PatientKey {
    pub(crate) fn new(id: Uuid, secret: &Secret) -> Self {
        Self { id, wrap: WrapKey::new(secret) }
    }

    /// A key that is kept nowhere.
    pub(crate) fn ephemeral() -> Result<Self, StorageError> {
        Ok(Self::new(Uuid::nil(), &Secret::generate()?))
    }

    /// Its name.
    pub fn id(&self) -> Uuid {
        self.id
    }

    pub(crate) fn wrap_key(&self) -> &WrapKey {
        &self.wrap
    }
}

impl fmt::Debug for PatientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PatientKey({})", self.id)
    }
}

fn head(id: Uuid, root: Uuid) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(MAGIC);
    head[4..6].copy_from_slice(&[VERSION, ALGORITHM]);
    head[8..24].copy_from_slice(id.as_bytes());
    head[24..40].copy_from_slice(root.as_bytes());
    head
}

fn context(head: &[u8; HEAD_BYTES]) -> [u8; 18 + HEAD_BYTES] {
    let mut context = [0; 18 + HEAD_BYTES];
    context[..18].copy_from_slice(PURPOSE);
    context[18..].copy_from_slice(head);
    context
}

/// The key object of a patient key.
pub(super) fn wrap(id: Uuid, secret: &Secret, root: &RootKey) -> Result<Vec<u8>, StorageError> {
    let head = head(id, root.id());
    let WrappedKey { nonce, sealed } = root.wrap_key().wrap(secret, &context(&head))?;
    Ok([&head[..], &nonce, &sealed].concat())
}

/// Which root key wraps a key object; `None` when it is none.
pub(super) fn root_of(bytes: &[u8]) -> Option<Uuid> {
    let object: &[u8; KEY_OBJECT_BYTES] = bytes.try_into().ok()?;
    let (id, root) = (Uuid::from_slice(&object[8..24]).ok()?, Uuid::from_slice(&object[24..40]).ok()?);
    (head(id, root) == object[..HEAD_BYTES]).then_some(root)
}

/// The secret in a key object; `None` when it is not the object of `id`, or `root` did not wrap it.
pub(super) fn unwrap_secret(id: Uuid, bytes: &[u8], root: &RootKey) -> Option<Secret> {
    let object: &[u8; KEY_OBJECT_BYTES] = bytes.try_into().ok()?;
    let head = head(id, root.id());
    if head != object[..HEAD_BYTES] {
        return None;
    }
    let wrapped =
        WrappedKey { nonce: object[40..52].try_into().ok()?, sealed: object[52..].try_into().ok()? };
    root.wrap_key().unwrap(&wrapped, &context(&head))
}

pub(super) fn unwrap(id: Uuid, bytes: &[u8], root: &RootKey) -> Option<PatientKey> {
    Some(PatientKey::new(id, &unwrap_secret(id, bytes, root)?))
}
