//! PS3.5 8 and Annex A: from the bytes of one stored frame to samples. One file for each codec.

mod bit_writer;
mod deflated;
mod jpeg;
mod jpeg_12_bit;
pub(crate) mod jpeg_2000;
mod jpeg_header;
pub(crate) mod jpeg_ls;
mod jpeg_xl;
mod native;
mod picture;
mod rle;
pub(crate) mod rle_encode;

use std::borrow::Cow;

use model::{TransferSyntaxUid, pixel::PixelModule, transfer_syntax as ts};

pub(crate) use self::picture::Picture;
use crate::{
    error::RenderError,
    frame::{DecodedFrame, SampleFormat},
    shape::{FrameShape, Photometric},
};

/// True when frames of this transfer syntax are native samples, read by checked code of our own: they may be rendered
/// in the serving process. All others belong into the decoder process.
pub fn is_native_and_checked(transfer_syntax: &TransferSyntaxUid) -> bool {
    !transfer_syntax.is_encapsulated() || transfer_syntax.as_str() == ts::ENCAPSULATED_UNCOMPRESSED
}

/// Decodes one frame to its stored samples at full resolution.
///
/// # Errors
/// See [`RenderError`]; nothing is allocated for a module or frame that makes no sense.
pub fn decode_frame<'a>(
    module: &PixelModule,
    transfer_syntax: &TransferSyntaxUid,
    frame: &'a [u8],
) -> Result<DecodedFrame<'a>, RenderError> {
    decode_reduced(module, transfer_syntax, frame, None)
}

/// Decodes one frame; where the codec can, only as finely as a picture of `target` width and height needs.
pub(crate) fn decode_reduced<'a>(
    module: &PixelModule,
    transfer_syntax: &TransferSyntaxUid,
    frame: &'a [u8],
    target: Option<(u32, u32)>,
) -> Result<DecodedFrame<'a>, RenderError> {
    let shape = FrameShape::check(module)?;
    let uid = transfer_syntax.as_str();
    if shape.float && !is_native_and_checked(transfer_syntax) && uid != ts::DEFLATED_IMAGE_FRAME {
        return Err(RenderError::Unsupported("compressed floating point samples".into()));
    }
    match uid {
        ts::RLE_LOSSLESS => Ok(interleaved(&shape, rle::decode(&shape, frame)?)),
        ts::JPEG_BASELINE | ts::JPEG_EXTENDED | ts::JPEG_LOSSLESS | ts::JPEG_LOSSLESS_SV1 => {
            jpeg::decode(&shape, transfer_syntax, frame)
        }
        // Retired or odd processes of the same family; the frame header decides.
        "1.2.840.10008.1.2.4.53" | "1.2.840.10008.1.2.4.55" => jpeg::decode(&shape, transfer_syntax, frame),
        ts::JPEG_LS_LOSSLESS | ts::JPEG_LS_NEAR_LOSSLESS => {
            Ok(interleaved(&shape, jpeg_ls::decode(&shape, frame)?))
        }
        ts::JPEG_2000_LOSSLESS | ts::JPEG_2000 | ts::HTJ2K_LOSSLESS | ts::HTJ2K_LOSSLESS_RPCL | ts::HTJ2K => {
            jpeg_2000::decode(&shape, frame, target)
        }
        ts::JPEG_XL_LOSSLESS | ts::JPEG_XL_JPEG_RECOMPRESSION | ts::JPEG_XL => jpeg_xl::decode(&shape, frame),
        ts::DEFLATED_IMAGE_FRAME => {
            let inflated = deflated::inflate(&shape, frame)?;
            Ok(native::decode(&shape, &inflated, false)?.into_owned())
        }
        ts::EXPLICIT_VR_BIG_ENDIAN => native::decode(&shape, frame, true),
        _ if is_native_and_checked(transfer_syntax) => native::decode(&shape, frame, false),
        _ => Err(RenderError::UnsupportedCodec(format!("transfer syntax {uid}").into())),
    }
}

/// A frame whose samples are already little-endian words in colour-by-pixel order.
fn interleaved<'a>(shape: &FrameShape, bytes: impl Into<Cow<'a, [u8]>>) -> DecodedFrame<'a> {
    DecodedFrame {
        rows: shape.rows,
        columns: shape.columns,
        samples_per_pixel: shape.samples_per_pixel,
        format: match (shape.bits_allocated, shape.float) {
            (64, _) => SampleFormat::Float64,
            (32, true) => SampleFormat::Float32,
            (32, false) => SampleFormat::Bits32,
            (16, _) => SampleFormat::Bits16,
            _ => SampleFormat::Bits8,
        },
        bits_stored: shape.bits_stored,
        high_bit: shape.high_bit,
        signed: shape.signed,
        photometric: match shape.photometric {
            Photometric::YbrFull422 => Photometric::YbrFull,
            Photometric::YbrIct | Photometric::YbrRct | Photometric::Xyb => Photometric::Rgb,
            same => same,
        },
        bytes: bytes.into(),
    }
}

impl DecodedFrame<'_> {
    fn into_owned(self) -> DecodedFrame<'static> {
        DecodedFrame { bytes: Cow::Owned(self.bytes.into_owned()), ..self }
    }
}
