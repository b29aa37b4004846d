//! PS3.5 8 and Annex A: one stored frame in another transfer syntax, and what the data set must then say of it.

mod describe;
mod target;

use model::{TransferSyntaxUid, pixel::PixelModule, transfer_syntax as ts};

pub use describe::FrameDescription;
pub use target::{Target, is_decodable, targets};

use crate::{
    codec::{
        Picture, decode_frame,
        jpeg_2000::{self, BlockCoding},
        jpeg_ls, rle_encode,
    },
    encode::encode_jpeg_rgb_422,
    error::RenderError,
    frame::{DecodedFrame, SampleFormat},
    pipeline::to_rgb,
    shape::Photometric,
};

/// A frame in its new form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscodedFrame {
    /// What the data set says of it.
    pub description: FrameDescription,
    /// The frame: native samples, or one fragment of the encapsulated form without padding.
    pub bytes: Vec<u8>,
}

/// Decodes one frame and gives it in the form of `target`.
///
/// What was lossless stays equal sample for sample. Frames of lossy JPEG in YCbCr come out in RGB, as their decoders
/// are defined (PS3.5 8.2.1); all others keep their colour space.
///
/// # Errors
/// See [`RenderError`]; [`RenderError::Unsupported`] when the target cannot hold the samples.
pub fn transcode_frame(
    module: &PixelModule,
    transfer_syntax: &TransferSyntaxUid,
    frame: &[u8],
    target: Target,
) -> Result<TranscodedFrame, RenderError> {
    let decoded = decode_frame(module, transfer_syntax, frame)?;
    let decoded = if needs_rgb(&decoded, transfer_syntax) { to_rgb(&decoded)? } else { decoded };
    let mut description = FrameDescription::of(&decoded);
    if module.bits_allocated == 1 {
        description.bits_allocated = 1;
    }
    let size = decoded.format.bytes();
    let samples = usize::from(decoded.samples_per_pixel);
    let columns = decoded.columns as usize;
    if !target.takes(&description, decoded.format) {
        return Err(RenderError::Unsupported("the samples do not fit the transfer syntax".into()));
    }
    let bytes = match target {
        Target::Native if description.bits_allocated == 1 => pack_bits(&decoded.bytes),
        Target::Native => decoded.bytes.into_owned(),
        Target::Rle => rle_encode::encode(&decoded.bytes, columns, samples, size),
        Target::JpegLsLossless => jpeg_ls::encode(picture(&decoded, precision(&decoded)))?,
        Target::Jpeg2000Lossless => encode_jpeg_2000(&decoded, &mut description, BlockCoding::Arithmetic)?,
        Target::HighThroughputLossless | Target::HighThroughputLosslessRpcl => {
            encode_jpeg_2000(&decoded, &mut description, BlockCoding::HighThroughput)?
        }
        Target::JpegBaseline { quality } => {
            if samples == 3 {
                "YBR_FULL_422".clone_into(&mut description.photometric_interpretation);
            }
            let rgb = if decoded.photometric == Photometric::YbrFull { to_rgb(&decoded)? } else { decoded };
            encode_jpeg_rgb_422(&rgb.bytes, rgb.columns, rgb.rows, samples, quality)?
        }
    };
    Ok(TranscodedFrame { description, bytes })
}

/// Red, green and blue go through the reversible colour transform (PS3.3 C.7.6.3.1.2, YBR_RCT); all else stays.
fn encode_jpeg_2000(
    decoded: &DecodedFrame<'_>,
    description: &mut FrameDescription,
    coding: BlockCoding,
) -> Result<Vec<u8>, RenderError> {
    let colours = decoded.photometric == Photometric::Rgb;
    if colours {
        "YBR_RCT".clone_into(&mut description.photometric_interpretation);
    }
    jpeg_2000::encode(picture(decoded, signed_precision(decoded)), colours, coding)
}

/// Lossy JPEG's YCbCr becomes RGB; so does the video range, which no new syntax knows.
fn needs_rgb(decoded: &DecodedFrame<'_>, transfer_syntax: &TransferSyntaxUid) -> bool {
    match decoded.photometric {
        Photometric::YbrPartial422 => true,
        Photometric::YbrFull => {
            target::is_lossy_jpeg(transfer_syntax.as_str()) && decoded.format == SampleFormat::Bits8
        }
        _ => false,
    }
}

/// The bits that JPEG-LS codes. Signed samples, and words with something above the stored bits, go in whole.
fn precision(decoded: &DecodedFrame<'_>) -> u8 {
    let whole = decoded.format.bytes() * 8;
    let stored = usize::from(decoded.bits_stored);
    if decoded.signed || decoded.high_bit + 1 != decoded.bits_stored || stored < 2 || stored >= whole {
        return whole as u8;
    }
    let above = decoded.bytes.chunks_exact(decoded.format.bytes()).any(|word| {
        let value = word.iter().rev().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
        value >> stored != 0
    });
    if above { whole as u8 } else { stored as u8 }
}

/// The bits that JPEG 2000 codes, which knows a sign: words with anything but their sign above the stored bits go in
/// whole.
fn signed_precision(decoded: &DecodedFrame<'_>) -> u8 {
    let whole = decoded.format.bytes() as u16 * 8;
    if !decoded.signed {
        return precision(decoded);
    }
    if decoded.format != SampleFormat::Bits16 || decoded.high_bit + 1 != decoded.bits_stored {
        return whole as u8;
    }
    let above = whole.saturating_sub(decoded.bits_stored);
    let is_sign = |word: &[u8]| {
        let value = i16::from_le_bytes([word[0], word[1]]);
        value << above >> above == value
    };
    if decoded.bytes.chunks_exact(2).all(is_sign) { decoded.bits_stored as u8 } else { whole as u8 }
}

fn picture<'a>(decoded: &'a DecodedFrame<'_>, precision: u8) -> Picture<'a> {
    Picture {
        words: &decoded.bytes,
        rows: decoded.rows,
        columns: decoded.columns,
        samples: usize::from(decoded.samples_per_pixel),
        size: decoded.format.bytes(),
        precision,
        signed: decoded.signed,
    }
}

/// The first pixel is the least significant bit (PS3.5 8.1.1).
fn pack_bits(samples: &[u8]) -> Vec<u8> {
    let pack = |bits: &[u8]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | (bit & 1));
    samples.chunks(8).map(pack).collect()
}

/// Whether frames of this transfer syntax have lost something to their compression, for certain (PS3.5 A.4): JPEG 2000
/// and JPEG XL under the UID of the lossy kind may be lossless.
pub fn is_lossy(transfer_syntax: &TransferSyntaxUid) -> bool {
    let uid = transfer_syntax.as_str();
    let lossy = matches!(uid, ts::JPEG_LS_NEAR_LOSSLESS | ts::JPEG_XL_JPEG_RECOMPRESSION);
    lossy || target::is_lossy_jpeg(uid)
}

#[cfg(test)]
mod tests;
