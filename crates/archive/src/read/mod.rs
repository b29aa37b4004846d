//! The way out: whole instances, frames and bulk data, each from as few bytes of the object as can be.
//!
//! Offsets in a frame table or bulk data reference count from the first byte of the data set, as inflated. Every
//! one is checked against the lengths that were stored with the instance, so that a damaged row gives an error and
//! never the bytes of something else.

mod bulk_data;
mod error;
mod frame;
mod inflate;
mod instance;
mod runs;

use bytes::Bytes;
use futures_util::stream::BoxStream;

pub use error::ReadError;
#[cfg(test)]
pub(crate) use instance::stored_range;

/// Bytes in order. It ends early only with an error.
pub type ByteStream = BoxStream<'static, Result<Bytes, ReadError>>;
