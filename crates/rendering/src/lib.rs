//! Pixels: one stored frame in, stored values or an 8-bit picture out (PS3.3 C.7.6.3, C.11; PS3.5 8 and Annex A).
//!
//! Pure: no files, no sockets, no clock. Frames of strangers come in, so every size is computed in `u64` and
//! compared with a limit before anything is allocated. Codecs that are not our own checked code run in a child
//! process: [`wire`] is what travels there.
#![deny(missing_docs)]

pub mod codec;
mod encode;
mod error;
mod frame;
pub mod limits;
mod options;
mod pipeline;
mod region;
mod resize;
mod shape;
mod shrink;
mod transcode;
pub mod wire;

pub use codec::{decode_frame, is_native_and_checked};
pub use encode::{EncodedImage, encode, render_outputs};
pub use error::RenderError;
pub use frame::{DecodedFrame, SampleFormat};
pub use options::{ImageFormat, Output, RenderOptions, VoiFunction};
pub use pipeline::{RenderedImage, render_frame};
pub use region::Region;
pub use shape::{FrameShape, Photometric};
pub use shrink::{picture_size, shrink_picture};
pub use transcode::{
    FrameDescription, Target, TranscodedFrame, is_decodable, is_lossy, targets, transcode_frame,
};
