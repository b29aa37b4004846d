//! PS3.5 8.1 and 8.2: native samples, of either byte order, by plane or by pixel, 4:2:2 and packed bits.

use std::borrow::Cow;

use super::interleaved;
use crate::{
    error::RenderError,
    frame::DecodedFrame,
    shape::{FrameShape, Photometric},
};

/// Takes a native frame; bytes after the last sample are padding.
pub(super) fn decode<'a>(
    shape: &FrameShape,
    frame: &'a [u8],
    big_endian: bool,
) -> Result<DecodedFrame<'a>, RenderError> {
    let needed_bytes = shape.native_bytes();
    let frame = usize::try_from(needed_bytes)
        .ok()
        .and_then(|needed| frame.get(..needed))
        .ok_or(RenderError::Truncated { found_bytes: frame.len() as u64, needed_bytes })?;
    let size = shape.sample_bytes() as usize;
    let words = if big_endian { swap_words(frame, size) } else { Cow::Borrowed(frame) };
    let bytes = match shape.photometric {
        _ if shape.bits_allocated == 1 => Cow::Owned(unpack_bits(&words, shape.samples() as usize)),
        Photometric::YbrFull422 | Photometric::YbrPartial422 => {
            Cow::Owned(spread_chrominance(&words, shape.columns as usize, size))
        }
        _ if shape.planar => Cow::Owned(interleave_planes(&words, shape.pixels() as usize, size)),
        _ => words,
    };
    Ok(interleaved(shape, bytes))
}

fn swap_words(frame: &[u8], size: usize) -> Cow<'_, [u8]> {
    if size == 1 {
        return Cow::Borrowed(frame);
    }
    let mut swapped = frame.to_vec();
    for word in swapped.chunks_exact_mut(size) {
        word.reverse();
    }
    Cow::Owned(swapped)
}

/// The first pixel is the least significant bit (PS3.5 8.1.1, D.1).
pub(super) fn unpack_bits(packed: &[u8], samples: usize) -> Vec<u8> {
    let mut bits = Vec::with_capacity(samples);
    for byte in packed {
        let left = samples - bits.len();
        bits.extend((0..8).map(|bit| byte >> bit & 1).take(left));
    }
    bits
}

/// Y1 Y2 Cb Cr for two pixels becomes Y1 Cb Cr Y2 Cb Cr. A row of odd length ends with half a group.
fn spread_chrominance(words: &[u8], columns: usize, size: usize) -> Vec<u8> {
    let row_bytes = columns.div_ceil(2) * 4 * size;
    let mut spread = Vec::with_capacity(words.len() / 2 * 3);
    for row in words.chunks_exact(row_bytes) {
        let row_end = spread.len() + columns * 3 * size;
        for group in row.chunks_exact(4 * size) {
            let (luminance, chrominance) = group.split_at(2 * size);
            for luminance in luminance.chunks_exact(size) {
                spread.extend_from_slice(luminance);
                spread.extend_from_slice(chrominance);
            }
        }
        spread.truncate(row_end);
    }
    spread
}

/// All red, all green, all blue becomes red green blue for each pixel.
fn interleave_planes(words: &[u8], pixels: usize, size: usize) -> Vec<u8> {
    let mut pixel_order = vec![0; words.len()];
    for (sample, plane) in words.chunks_exact(pixels * size).enumerate() {
        for (pixel, word) in plane.chunks_exact(size).enumerate() {
            let at = (pixel * 3 + sample) * size;
            pixel_order[at..at + size].copy_from_slice(word);
        }
    }
    pixel_order
}

#[cfg(test)]
mod tests {
    use model::pixel::PixelModule;

    use super::*;

    fn shape(photometric: &str, samples: u16, bits: u16, columns: u32) -> PixelModule {
        PixelModule {
            rows: 1,
            columns,
            samples_per_pixel: samples,
            photometric_interpretation: photometric.into(),
            bits_allocated: bits,
            bits_stored: bits,
            high_bit: bits - 1,
            ..PixelModule::default()
        }
    }

    fn check(module: &PixelModule, frame: &[u8], big_endian: bool, expected: &[u8]) {
        let shape = FrameShape::check(module).expect("plausible");
        let decoded = decode(&shape, frame, big_endian).expect("decodes");
        assert_eq!(decoded.bytes.as_ref(), expected);
    }

    #[test]
    fn every_layout_becomes_little_endian_by_pixel() {
        check(&shape("MONOCHROME2", 1, 16, 2), &[1, 2, 3, 4, 99], false, &[1, 2, 3, 4]);
        check(&shape("MONOCHROME2", 1, 16, 2), &[1, 2, 3, 4], true, &[2, 1, 4, 3]);
        check(&shape("MONOCHROME2", 1, 32, 1), &[1, 2, 3, 4], true, &[4, 3, 2, 1]);
        check(&shape("MONOCHROME2", 1, 1, 10), &[0b1010_0001, 0b10], false, &[1, 0, 0, 0, 0, 1, 0, 1, 0, 1]);
        check(&shape("YBR_FULL_422", 3, 8, 2), &[1, 2, 3, 4], false, &[1, 3, 4, 2, 3, 4]);
        check(
            &shape("YBR_FULL_422", 3, 8, 3),
            &[1, 2, 3, 4, 5, 6, 7, 8],
            false,
            &[1, 3, 4, 2, 3, 4, 5, 7, 8],
        );
        let planar = PixelModule { planar_configuration: 1, ..shape("RGB", 3, 8, 2) };
        check(&planar, &[1, 2, 3, 4, 5, 6], false, &[1, 3, 5, 2, 4, 6]);
    }

    #[test]
    fn a_short_frame_is_refused() {
        let shape = FrameShape::check(&shape("RGB", 3, 8, 2)).expect("plausible");
        assert_eq!(
            decode(&shape, &[0; 5], false),
            Err(RenderError::Truncated { found_bytes: 5, needed_bytes: 6 })
        );
    }
}
