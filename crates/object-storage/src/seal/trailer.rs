//! The last 128 bytes of an object, its seal: which patient key wraps the data key, and how long the object is.

use std::fmt;

use uuid::Uuid;

use super::{
    ALGORITHM, CHUNK_LOG2, Header, NONCE_PREFIX_BYTES, ObjectKind, SEAL_BYTES, Secret, VERSION, WrappedKey,
    secret::WrapKey,
};
use crate::{error::StorageError, key::ObjectKey};

const MAGIC: &[u8; 4] = b"MXS1";
/// What the wrapped key is for; bound into the wrapping.
const PURPOSE: &[u8; 16] = b"MXE1 data key v1";
/// The part of the seal that is bound into the wrapping.
const BOUND_BYTES: usize = 40;

/// What differs from what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ObjectAltered(pub(crate) &'static str);

/// What is needed to read one object besides the object and its patient's key. It is no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Seal {
    kind: ObjectKind,
    patient_key_id: Uuid,
    nonce_prefix: [u8; NONCE_PREFIX_BYTES],
    length_bytes: u64,
    wrapped: WrappedKey,
}

/// The data key of an object that is being written.
pub(crate) struct DataKey {
    pub(crate) header: Header,
    pub(crate) secret: Secret,
}

impl DataKey {
    /// A new key for a new object.
    pub(crate) fn generate(object: ObjectKey, kind: ObjectKind) -> Result<Self, StorageError> {
        let header = Header { object, kind, nonce_prefix: super::random()? };
        Ok(Self { header, secret: Secret::generate()? })
    }

    /// Wraps the key, once the patient and the length are known.
    pub(crate) fn seal(
        &self,
        patient_key_id: Uuid,
        patient_key: &WrapKey,
        length_bytes: u64,
    ) -> Result<Seal, StorageError> {
        self.seal_with_nonce(patient_key_id, patient_key, length_bytes, super::random()?)
    }

    pub(super) fn seal_with_nonce(
        &self,
        patient_key_id: Uuid,
        patient_key: &WrapKey,
        length_bytes: u64,
        nonce: [u8; 12],
    ) -> Result<Seal, StorageError> {
        let mut seal = Seal {
            kind: self.header.kind,
            patient_key_id,
            nonce_prefix: self.header.nonce_prefix,
            length_bytes,
            wrapped: WrappedKey { nonce, sealed: [0; 48] },
        };
        seal.wrapped = patient_key.wrap_with_nonce(&self.secret, &seal.context(&self.header), nonce)?;
        Ok(seal)
    }
}

impl Seal {
    /// As it stands at the end of the object and in the database.
    pub fn to_bytes(&self) -> [u8; SEAL_BYTES] {
        let mut bytes = [0; SEAL_BYTES];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4..8].copy_from_slice(&[VERSION, ALGORITHM, self.kind.code(), CHUNK_LOG2]);
        bytes[8..24].copy_from_slice(self.patient_key_id.as_bytes());
        bytes[24..31].copy_from_slice(&self.nonce_prefix);
        bytes[32..40].copy_from_slice(&self.length_bytes.to_be_bytes());
        bytes[40..52].copy_from_slice(&self.wrapped.nonce);
        bytes[52..100].copy_from_slice(&self.wrapped.sealed);
        bytes
    }

    /// `None` for anything that [`Self::to_bytes`] does not write.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let from: &[u8; SEAL_BYTES] = bytes.try_into().ok()?;
        let seal = Self {
            kind: ObjectKind::from_code(from[6])?,
            patient_key_id: Uuid::from_slice(&from[8..24]).ok()?,
            nonce_prefix: from[24..31].try_into().ok()?,
            length_bytes: u64::from_be_bytes(from[32..40].try_into().ok()?),
            wrapped: WrappedKey {
                nonce: from[40..52].try_into().ok()?,
                sealed: from[52..100].try_into().ok()?,
            },
        };
        (seal.to_bytes() == *from && super::chunk_count(seal.length_bytes) <= 1 << 32).then_some(seal)
    }

    /// Length of the plain object.
    pub fn length_bytes(&self) -> u64 {
        self.length_bytes
    }

    /// Which patient key opens it.
    pub fn patient_key_id(&self) -> Uuid {
        self.patient_key_id
    }

    /// What the object is.
    pub fn kind(&self) -> ObjectKind {
        self.kind
    }

    /// The header that the object must have.
    pub(crate) fn header(&self, object: ObjectKey) -> Header {
        Header { object, kind: self.kind, nonce_prefix: self.nonce_prefix }
    }

    /// The data key; an error when the object, the seal or the patient key is another one.
    pub(crate) fn open(&self, header: &Header, patient_key: &WrapKey) -> Result<Secret, ObjectAltered> {
        patient_key.unwrap(&self.wrapped, &self.context(header)).ok_or(ObjectAltered("its key does not open"))
    }

    /// What the wrapping is bound to: purpose, header, and the seal up to the nonce.
    fn context(&self, header: &Header) -> [u8; 16 + 32 + BOUND_BYTES] {
        let mut context = [0; 16 + 32 + BOUND_BYTES];
        context[..16].copy_from_slice(PURPOSE);
        context[16..48].copy_from_slice(&header.hash());
        context[48..].copy_from_slice(&self.to_bytes()[..BOUND_BYTES]);
        context
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal")
            .field("kind", &self.kind)
            .field("patient_key_id", &self.patient_key_id)
            .field("length_bytes", &self.length_bytes)
            .finish_non_exhaustive()
    }
}
