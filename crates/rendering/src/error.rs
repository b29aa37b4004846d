//! Why a frame could not be decoded or rendered. The texts hold no attribute values but numbers of the pixel module.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum RenderError {
    /// The pixel module contradicts itself or the Standard.
    #[error("the pixel description makes no sense: {0}")]
    Implausible(Cow<'static, str>),
    /// More than we are willing to decode.
    #[error("the frame would take {bytes} bytes decoded; the limit is {limit_bytes}")]
    TooLarge {
        /// Size it would have.
        bytes: u64,
        /// Size allowed.
        limit_bytes: u64,
    },
    /// Fewer bytes than the frame needs, or fewer than could ever expand to it.
    #[error("the frame is cut short: {found_bytes} bytes cannot hold {needed_bytes}")]
    Truncated {
        /// Bytes that are there.
        found_bytes: u64,
        /// Bytes of the frame.
        needed_bytes: u64,
    },
    /// No decoder for this transfer syntax or for this variety of it.
    #[error("pixels in this form cannot be decoded: {0}")]
    UnsupportedCodec(Cow<'static, str>),
    /// A photometric interpretation or sample layout without a rendering.
    #[error("this kind of image cannot be rendered: {0}")]
    Unsupported(Cow<'static, str>),
    /// The codec's stream is broken.
    #[error("the {codec} stream is damaged: {reason}")]
    Malformed {
        /// Which codec.
        codec: Cow<'static, str>,
        /// What is wrong.
        reason: Cow<'static, str>,
    },
    /// The stream and the data set say different things about the image.
    #[error("the {codec} stream and the data set disagree: {reason}")]
    Mismatch {
        /// Which codec.
        codec: Cow<'static, str>,
        /// About what.
        reason: Cow<'static, str>,
    },
    /// The caller asked for something impossible.
    #[error("{0}")]
    InvalidOptions(Cow<'static, str>),
    /// The encoder refused.
    #[error("the picture could not be encoded: {0}")]
    Encode(Cow<'static, str>),
    /// A decoder panicked; the stream is not to be tried again in this process.
    #[error("the decoder gave up on this frame")]
    Panicked,
    /// A message to or from the decoder process is broken.
    #[error("the message to or from the decoder is broken: {0}")]
    Wire(Cow<'static, str>),
}

impl RenderError {
    pub(crate) fn malformed(codec: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed { codec: codec.into(), reason: reason.into() }
    }

    pub(crate) fn mismatch(codec: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Mismatch { codec: codec.into(), reason: reason.into() }
    }
}
