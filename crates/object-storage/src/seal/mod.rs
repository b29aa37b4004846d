//! MXE1: how an object is kept. `docs/object-format.md` has it byte by byte.
//!
//! ```text
//! header 64 | chunk 0: 64 KiB + tag 16 | chunk 1 | ... | last chunk: the rest + tag 16 | seal 128
//! ```
//!
//! - Each object has a data key of its own, used once. Chunks are sealed with it by AES-256-GCM in the STREAM
//!   construction: the nonce of a chunk is a random prefix, its index and whether it is the last. So no chunk can be
//!   dropped, moved, doubled or taken from another object, and a range needs only the chunks that cover it.
//! - The seal at the end holds the data key, wrapped by the patient's key with AES-256-GCM-SIV, and the length. It
//!   stands in the database row, too: one frame is one ranged read. With the object alone everything is still there.

mod cipher;
mod header;
mod layout;
mod opener;
mod secret;
mod trailer;

#[cfg(test)]
mod tests;

pub(crate) use cipher::ContentCipher;
pub(crate) use header::Header;
pub(crate) use layout::{Span, chunk_count, stored_length};
pub(crate) use opener::Opener;
pub(crate) use secret::{Secret, WrapKey, WrappedKey, random};
pub(crate) use trailer::{DataKey, ObjectAltered};
pub use {header::ObjectKind, trailer::Seal};

/// Version of every structure here.
const VERSION: u8 = 1;
/// AES-256-GCM for content, AES-256-GCM-SIV for keys.
const ALGORITHM: u8 = 1;
/// Plain bytes of a chunk, as a power of two.
const CHUNK_LOG2: u8 = 16;
/// Plain bytes of every chunk but the last.
pub(crate) const CHUNK_BYTES: usize = 1 << CHUNK_LOG2;
/// Bytes of an authentication tag.
pub(crate) const TAG_BYTES: usize = 16;
/// Bytes of a sealed chunk.
pub(crate) const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;
/// Bytes before the first chunk.
pub(crate) const HEADER_BYTES: usize = 64;
/// Bytes after the last chunk.
pub(crate) const SEAL_BYTES: usize = 128;
/// Random bytes at the start of every nonce of an object.
const NONCE_PREFIX_BYTES: usize = 7;
