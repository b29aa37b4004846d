//! PS3.18 8.6.1.2, `multipart/related` payloads: a streaming reader in linear time and a writer.

mod boundary;
mod decoder;
mod part;
mod reader;
mod writer;

pub use boundary::{Boundary, Fingerprint};
pub use decoder::{Decoder, Event};
pub use part::PartHeader;
pub use reader::{BodyLimits, LimitedBody, MultipartReader};
pub use writer::{MultipartWriter, Part};

/// Longest boundary in bytes (RFC 2046 5.1.1).
pub const BOUNDARY_LENGTH_MAX_BYTES: usize = 70;
/// Longest header of one part in bytes.
pub const PART_HEADER_LENGTH_MAX_BYTES: usize = 8 * 1024;
/// Most bytes before the first delimiter, and of white space after a delimiter.
pub const PREAMBLE_LENGTH_MAX_BYTES: usize = 8 * 1024;

/// Why a multipart payload cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MultipartError {
    /// The boundary parameter is missing.
    #[error("the Content-Type has no boundary parameter")]
    BoundaryMissing,
    /// The boundary is empty, too long or has characters that no boundary may have.
    #[error("the boundary is not 1 to 70 characters of RFC 2046")]
    BoundaryInvalid,
    /// The first delimiter does not come early enough.
    #[error("no delimiter with the announced boundary within the first 8 KiB")]
    DelimiterMissing,
    /// A part header does not end.
    #[error("the header of a part is longer than 8 KiB")]
    PartHeaderTooLong,
    /// A part header is no header.
    #[error("the header of a part is malformed")]
    PartHeaderMalformed,
    /// More parts than allowed.
    #[error("there are more than {0} parts")]
    TooManyParts(usize),
    /// The payload ends before the closing delimiter.
    #[error("the payload ends before its closing delimiter")]
    Truncated,
    /// The payload is larger than allowed.
    #[error("the payload is larger than {0} bytes")]
    TooLarge(u64),
    /// Nothing came for too long.
    #[error("nothing was received for {0} ms")]
    Idle(u64),
    /// The connection failed.
    #[error("the connection failed while the payload was received")]
    Transport,
}
