//! PS3.5 A.4.13, Deflated Image Frame Compression: a raw deflate stream (RFC 1951) of a native frame.

use std::io::Read;

use flate2::bufread::DeflateDecoder;

use crate::{error::RenderError, limits::DEFLATE_RATIO_MAX, shape::FrameShape};

/// Inflates a frame, no further than its native size.
pub(super) fn inflate(shape: &FrameShape, frame: &[u8]) -> Result<Vec<u8>, RenderError> {
    let needed_bytes = shape.native_bytes();
    if (frame.len() as u64).saturating_mul(DEFLATE_RATIO_MAX) < needed_bytes {
        return Err(RenderError::Truncated { found_bytes: frame.len() as u64, needed_bytes });
    }
    let mut native = Vec::new();
    DeflateDecoder::new(frame)
        .take(needed_bytes)
        .read_to_end(&mut native)
        .map_err(|_| RenderError::malformed("deflate", "not a deflate stream"))?;
    Ok(native)
}
