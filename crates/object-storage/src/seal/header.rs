//! The first 64 bytes of an object. Their SHA-256 is bound into every chunk and into the seal.

use aws_lc_rs::digest::{SHA256, digest};
use uuid::Uuid;

use super::{ALGORITHM, CHUNK_LOG2, HEADER_BYTES, NONCE_PREFIX_BYTES, VERSION};
use crate::key::ObjectKey;

const MAGIC: &[u8; 4] = b"MXE1";

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// An instance: a Part 10 file.
    Instance,
    /// A picture made of an instance; it can be made again.
    Picture,
    /// What the store is tried with.
    Probe,
}

impl ObjectKind {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Instance => 1,
            Self::Picture => 2,
            Self::Probe => 3,
        }
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        [Self::Instance, Self::Picture, Self::Probe].into_iter().find(|kind| kind.code() == code)
    }
}

/// The header of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) object: ObjectKey,
    pub(crate) kind: ObjectKind,
    pub(crate) nonce_prefix: [u8; NONCE_PREFIX_BYTES],
}

impl Header {
    pub(crate) fn bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4..8].copy_from_slice(&[VERSION, ALGORITHM, CHUNK_LOG2, self.kind.code()]);
        bytes[8..24].copy_from_slice(self.object.uuid().as_bytes());
        bytes[24..31].copy_from_slice(&self.nonce_prefix);
        bytes
    }

    /// `None` for anything that [`Self::bytes`] does not write.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; HEADER_BYTES] = bytes.try_into().ok()?;
        let header = Self {
            object: Uuid::from_slice(&head[8..24]).ok()?.into(),
            kind: ObjectKind::from_code(head[7])?,
            nonce_prefix: head[24..31].try_into().ok()?,
        };
        (header.bytes() == *head).then_some(header)
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &self.bytes()).as_ref());
        hash
    }
}
