//! PS3.5 8.2.15, JPEG XL, by jxl-oxide.

use jxl_oxide::{AllocTracker, JxlImage, JxlThreadPool, image::BitDepth};

use super::interleaved;
use crate::{
    error::RenderError,
    frame::DecodedFrame,
    limits::JPEG_XL_MEMORY_MAX_BYTES,
    shape::{FrameShape, Photometric},
};

const CODEC: &str = "JPEG XL";

/// Decodes a frame. What the stream holds as XYB, or as the YCbCr of a JPEG, comes out in RGB.
pub(super) fn decode(shape: &FrameShape, frame: &[u8]) -> Result<DecodedFrame<'static>, RenderError> {
    if !matches!(shape.bits_allocated, 8 | 16) {
        return Err(RenderError::UnsupportedCodec("JPEG XL with other than 8 or 16 bits allocated".into()));
    }
    let malformed =
        |error: Box<dyn std::error::Error + Send + Sync>| RenderError::malformed(CODEC, error.to_string());
    let builder = JxlImage::builder()
        .pool(JxlThreadPool::none())
        .alloc_tracker(AllocTracker::with_limit(JPEG_XL_MEMORY_MAX_BYTES));
    let image = builder.read(frame).map_err(malformed)?;
    let precision = check(shape, &image)?;
    let metadata = &image.image_header().metadata;
    let header = image.frame_header(0).ok_or_else(|| RenderError::malformed(CODEC, "no frame"))?;
    let becomes_rgb = metadata.xyb_encoded || header.do_ycbcr;
    let render = image.render_frame(0).map_err(malformed)?;
    let mut samples = render.stream_no_alpha();
    if (samples.width(), samples.height()) != (shape.columns, shape.rows)
        || samples.channels() != u32::from(shape.samples_per_pixel)
    {
        return Err(RenderError::mismatch(CODEC, "the size of the picture"));
    }
    let count = shape.columns as usize * shape.rows as usize * usize::from(shape.samples_per_pixel);
    let mut values = vec![0_f32; count];
    if samples.write_to_buffer(&mut values) != count {
        return Err(RenderError::malformed(CODEC, "the picture is cut short"));
    }
    let size = shape.sample_bytes() as usize;
    let most = ((1_u32 << precision) - 1) as f32;
    let mut words = vec![0; count * size];
    for (word, value) in words.chunks_exact_mut(size).zip(values) {
        // 24 bits of a float hold 16 exactly; what is no number becomes 0.
        let value = (value * most).round().clamp(0.0, most) as u16;
        word.copy_from_slice(&value.to_le_bytes()[..size]);
    }
    let mut decoded = interleaved(shape, words);
    if becomes_rgb && shape.samples_per_pixel == 3 {
        decoded.photometric = Photometric::Rgb;
    }
    if precision <= decoded.high_bit {
        decoded.bits_stored = decoded.bits_stored.min(precision);
        decoded.high_bit = decoded.bits_stored - 1;
    }
    Ok(decoded)
}

/// Compares the header of the stream with the data set, before anything is rendered. Gives the bits of a sample.
fn check(shape: &FrameShape, image: &JxlImage) -> Result<u16, RenderError> {
    if (image.width(), image.height()) != (shape.columns, shape.rows) {
        return Err(RenderError::mismatch(CODEC, "Rows and Columns"));
    }
    let format = image.pixel_format();
    if format.has_black() {
        return Err(RenderError::UnsupportedCodec("JPEG XL in CMYK".into()));
    }
    if format.is_grayscale() != (shape.samples_per_pixel == 1) {
        return Err(RenderError::mismatch(CODEC, "the number of components"));
    }
    match image.image_header().metadata.bit_depth {
        BitDepth::IntegerSample { bits_per_sample } if bits_per_sample <= u32::from(shape.bits_allocated) => {
            Ok(bits_per_sample as u16)
        }
        BitDepth::IntegerSample { .. } => Err(RenderError::mismatch(CODEC, "the bits of a sample")),
        BitDepth::FloatSample { .. } => {
            Err(RenderError::UnsupportedCodec("JPEG XL with floating point samples".into()))
        }
    }
}

#[cfg(test)]
mod tests;
