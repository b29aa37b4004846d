//! Which transfer syntax can become which. `docs/conformance-retrieve.md` has the same as a table.

use model::{TransferSyntaxUid, pixel::PixelModule, transfer_syntax as ts};
use serde::{Deserialize, Serialize};

use super::FrameDescription;
use crate::{
    codec::{is_native_and_checked, jpeg_2000},
    frame::SampleFormat,
    limits::JPEG_2000_ENCODED_SAMPLES_MAX,
    shape::{FrameShape, Photometric},
};

/// A form that frames can be made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Native samples, little endian: Explicit VR Little Endian.
    Native,
    /// RLE Lossless.
    Rle,
    /// JPEG-LS Lossless.
    JpegLsLossless,
    /// JPEG 2000 (Lossless Only).
    #[serde(rename = "jpeg_2000_lossless")]
    Jpeg2000Lossless,
    /// High-Throughput JPEG 2000 (Lossless Only).
    #[serde(rename = "htj2k_lossless")]
    HighThroughputLossless,
    /// High-Throughput JPEG 2000 with RPCL Options (Lossless Only).
    #[serde(rename = "htj2k_lossless_rpcl")]
    HighThroughputLosslessRpcl,
    /// JPEG Baseline (Process 1): lossy.
    JpegBaseline {
        /// 1 to 100.
        quality: u8,
    },
}

impl Target {
    /// Every form, with the quality of JPEG that is used where none is asked for.
    pub const ALL: [Self; 7] = [
        Self::Native,
        Self::Rle,
        Self::JpegLsLossless,
        Self::Jpeg2000Lossless,
        Self::HighThroughputLossless,
        Self::HighThroughputLosslessRpcl,
        Self::JpegBaseline { quality: 90 },
    ];

    /// Its transfer syntax.
    pub fn transfer_syntax(self) -> &'static str {
        match self {
            Self::Native => ts::EXPLICIT_VR_LITTLE_ENDIAN,
            Self::Rle => ts::RLE_LOSSLESS,
            Self::JpegLsLossless => ts::JPEG_LS_LOSSLESS,
            Self::Jpeg2000Lossless => ts::JPEG_2000_LOSSLESS,
            Self::HighThroughputLossless => ts::HTJ2K_LOSSLESS,
            Self::HighThroughputLosslessRpcl => ts::HTJ2K_LOSSLESS_RPCL,
            Self::JpegBaseline { .. } => ts::JPEG_BASELINE,
        }
    }

    /// Whether something of the picture is lost.
    pub fn is_lossy(self) -> bool {
        matches!(self, Self::JpegBaseline { .. })
    }

    pub(super) fn takes(self, frame: &FrameDescription, format: SampleFormat) -> bool {
        let whole = matches!(format, SampleFormat::Bits8 | SampleFormat::Bits16 | SampleFormat::Bits32);
        match self {
            Self::Native => true,
            Self::Rle => whole && frame.bits_allocated > 1,
            Self::JpegLsLossless => whole && matches!(frame.bits_allocated, 8 | 16),
            Self::Jpeg2000Lossless | Self::HighThroughputLossless | Self::HighThroughputLosslessRpcl => {
                let sides = frame.rows.max(frame.columns) <= jpeg_2000::SIDE_MAX;
                let samples =
                    u64::from(frame.rows) * u64::from(frame.columns) * u64::from(frame.samples_per_pixel);
                let fits = sides && samples <= JPEG_2000_ENCODED_SAMPLES_MAX;
                whole && fits && matches!(frame.bits_allocated, 8 | 16)
            }
            Self::JpegBaseline { .. } => {
                // Indices of a palette mean nothing once they are averaged.
                let colours = frame.photometric_interpretation != "PALETTE COLOR";
                colours && frame.bits_allocated == 8 && frame.bits_stored == 8 && !frame.signed
            }
        }
    }
}

pub(super) fn is_lossy_jpeg(uid: &str) -> bool {
    matches!(uid, ts::JPEG_BASELINE | ts::JPEG_EXTENDED | "1.2.840.10008.1.2.4.53" | "1.2.840.10008.1.2.4.55")
}

/// Whether there is a decoder for frames of this transfer syntax.
pub fn is_decodable(transfer_syntax: &TransferSyntaxUid) -> bool {
    let uid = transfer_syntax.as_str();
    let jpip = matches!(
        uid,
        ts::JPIP_REFERENCED
            | ts::JPIP_REFERENCED_DEFLATE
            | ts::JPIP_HTJ2K_REFERENCED
            | ts::JPIP_HTJ2K_REFERENCED_DEFLATE
    );
    let decoders = matches!(
        uid,
        ts::RLE_LOSSLESS
            | ts::JPEG_LOSSLESS
            | ts::JPEG_LOSSLESS_SV1
            | ts::JPEG_LS_LOSSLESS
            | ts::JPEG_LS_NEAR_LOSSLESS
            | ts::JPEG_2000_LOSSLESS
            | ts::JPEG_2000
            | ts::HTJ2K_LOSSLESS
            | ts::HTJ2K_LOSSLESS_RPCL
            | ts::HTJ2K
            | ts::JPEG_XL_LOSSLESS
            | ts::JPEG_XL_JPEG_RECOMPRESSION
            | ts::JPEG_XL
            | ts::DEFLATED_IMAGE_FRAME
    );
    !jpip && (decoders || is_lossy_jpeg(uid) || is_native_and_checked(transfer_syntax))
}

/// What frames of an instance can become, by what its data set says of them. A frame that turns out to be damaged, or
/// of a variety that its decoder does not know, fails later.
pub fn targets(module: &PixelModule, transfer_syntax: &TransferSyntaxUid) -> Vec<Target> {
    let Ok(shape) = FrameShape::check(module) else { return Vec::new() };
    if !is_decodable(transfer_syntax) || (shape.float && transfer_syntax.is_encapsulated()) {
        return Vec::new();
    }
    let format = match (shape.bits_allocated, shape.float) {
        (_, true) => SampleFormat::Float32,
        (32, false) => SampleFormat::Bits32,
        (16, false) => SampleFormat::Bits16,
        _ => SampleFormat::Bits8,
    };
    let palette = shape.photometric == Photometric::PaletteColor;
    let description = FrameDescription {
        rows: shape.rows,
        columns: shape.columns,
        samples_per_pixel: shape.samples_per_pixel,
        photometric_interpretation: if palette { "PALETTE COLOR" } else { "" }.to_owned(),
        bits_allocated: shape.bits_allocated,
        bits_stored: shape.bits_stored,
        high_bit: shape.high_bit,
        signed: shape.signed,
    };
    // What was video range becomes RGB of 8 bits, or nothing.
    let video = shape.photometric == Photometric::YbrPartial422 && format != SampleFormat::Bits8;
    let possible = Target::ALL.into_iter().filter(|target| target.takes(&description, format));
    possible.filter(|_| !video).collect()
}
