//! PS3.5 Annex G, RLE Lossless: PackBits of byte planes, most significant byte first.

use super::native::unpack_bits;
use crate::{error::RenderError, limits::RLE_RATIO_MAX, shape::FrameShape};

pub(super) const HEADER_BYTES: usize = 64;
const SEGMENTS_MAX: usize = 15;

/// Decodes a frame into little-endian words, colour by pixel.
pub(super) fn decode(shape: &FrameShape, frame: &[u8]) -> Result<Vec<u8>, RenderError> {
    let (samples, size) = (shape.samples_per_pixel as usize, shape.sample_bytes() as usize);
    let segments = segments(frame)?;
    if segments.len() != samples * size {
        return Err(RenderError::mismatch("RLE", "the number of segments does not fit the samples"));
    }
    if shape.bits_allocated == 1 {
        let packed_bytes = shape.native_bytes() as usize;
        check_expansion(segments[0].len(), packed_bytes)?;
        let mut packed = vec![0; packed_bytes];
        unpack_segment(segments[0], &mut packed, 0, 1)?;
        return Ok(unpack_bits(&packed, shape.samples() as usize));
    }
    shape.check_ratio(frame.len(), RLE_RATIO_MAX)?;
    for segment in &segments {
        check_expansion(segment.len(), shape.pixels() as usize)?;
    }
    let mut words = vec![0; shape.decoded_bytes() as usize];
    for (index, segment) in segments.iter().enumerate() {
        let (sample, significance) = (index / size, index % size);
        let first = sample * size + (size - 1 - significance);
        unpack_segment(segment, &mut words, first, samples * size)?;
    }
    Ok(words)
}

fn check_expansion(found: usize, needed: usize) -> Result<(), RenderError> {
    let (found_bytes, needed_bytes) = (found as u64, needed as u64);
    // A last lone pair may stand for less than 128 bytes: one more is allowed for it.
    if (found_bytes + 2) * RLE_RATIO_MAX < needed_bytes {
        return Err(RenderError::Truncated { found_bytes, needed_bytes });
    }
    Ok(())
}

/// The header: number of segments and their offsets (PS3.5 G.5).
fn segments(frame: &[u8]) -> Result<Vec<&[u8]>, RenderError> {
    let header = frame.get(..HEADER_BYTES).ok_or(RenderError::malformed("RLE", "no header"))?;
    let mut numbers =
        header.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]) as usize);
    let count = numbers.next().unwrap_or(0);
    if count == 0 || count > SEGMENTS_MAX {
        return Err(RenderError::malformed("RLE", "the number of segments is not 1 to 15"));
    }
    let offsets: Vec<usize> = numbers.take(count).collect();
    let end_of = |index: usize| offsets.get(index + 1).copied().unwrap_or(frame.len());
    let segment = |index: usize| {
        let (start, end) = (offsets[index], end_of(index));
        let segment = if start >= HEADER_BYTES { frame.get(start..end) } else { None };
        segment.ok_or(RenderError::malformed("RLE", "a segment lies outside the frame"))
    };
    (0..count).map(segment).collect()
}

/// PS3.5 G.3.2; writes one byte to every `stride`th place from `first`. Padding after the last byte is ignored.
fn unpack_segment(segment: &[u8], words: &mut [u8], first: usize, stride: usize) -> Result<(), RenderError> {
    let mut places = words.iter_mut().skip(first).step_by(stride);
    let mut left = places.len();
    let mut rest = segment;
    while left > 0 {
        let [control, tail @ ..] = rest else {
            return Err(RenderError::malformed("RLE", "a segment is too short"));
        };
        rest = tail;
        match *control {
            control @ 0..=127 => {
                let wanted = (usize::from(control) + 1).min(left);
                if rest.len() < wanted {
                    return Err(RenderError::malformed("RLE", "a literal run is cut short"));
                }
                let (literal, tail) = rest.split_at(wanted);
                for (byte, place) in literal.iter().zip(&mut places) {
                    *place = *byte;
                }
                (rest, left) = (tail, left - wanted);
            }
            control @ 129..=255 => {
                let [byte, tail @ ..] = rest else {
                    return Err(RenderError::malformed("RLE", "a replicate run is cut short"));
                };
                let wanted = (257 - usize::from(control)).min(left);
                places.by_ref().take(wanted).for_each(|place| *place = *byte);
                (rest, left) = (tail, left - wanted);
            }
            128 => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::pixel::PixelModule;

    use super::*;

    fn shape(photometric: &str, samples: u16, bits: u16) -> FrameShape {
        FrameShape::check(&PixelModule {
            rows: 1,
            columns: 4,
            samples_per_pixel: samples,
            photometric_interpretation: photometric.into(),
            bits_allocated: bits,
            bits_stored: bits,
            high_bit: bits - 1,
            ..PixelModule::default()
        })
        .expect("plausible")
    }

    fn frame(segments: &[&[u8]]) -> Vec<u8> {
        let mut frame = (segments.len() as u32).to_le_bytes().to_vec();
        let mut offset = HEADER_BYTES as u32;
        for segment in segments {
            frame.extend(offset.to_le_bytes());
            offset += segment.len() as u32;
        }
        frame.resize(HEADER_BYTES, 0);
        frame.extend(segments.concat());
        frame
    }

    #[test]
    fn high_bytes_come_first() {
        let frame = frame(&[&[0xfd, 1], &[3, 10, 11, 12, 13, 0]]);
        let words = decode(&shape("MONOCHROME2", 1, 16), &frame).expect("decodes");
        assert_eq!(words, [10, 1, 11, 1, 12, 1, 13, 1]);
    }

    #[test]
    fn colour_planes_are_woven() {
        let frame = frame(&[&[0xfd, 1], &[0x80, 0xfd, 2], &[0xfe, 3, 0, 4]]);
        let words = decode(&shape("RGB", 3, 8), &frame).expect("decodes");
        assert_eq!(words, [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 4]);
    }

    #[test]
    fn damaged_frames_are_refused() {
        let gray = shape("MONOCHROME2", 1, 8);
        let mut outside = frame(&[&[0xfd, 1]]);
        outside[4] = 0xff;
        let mut inside_header = frame(&[&[0xfd, 1]]);
        inside_header[4] = 4;
        let cases: [&[u8]; 7] = [
            &[],
            &[0; 64],
            &frame(&[&[0xfd, 1], &[0xfd, 1]]),
            &frame(&[&[0xfd]]),
            &frame(&[&[3, 1, 2]]),
            &outside,
            &inside_header,
        ];
        for case in cases {
            assert!(decode(&gray, case).is_err(), "{case:?}");
        }
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_allocated() {
        let huge = FrameShape { rows: 20_000, columns: 20_000, ..shape("MONOCHROME2", 1, 8) };
        assert!(matches!(decode(&huge, &frame(&[&[0xfd, 1]])), Err(RenderError::Truncated { .. })));
    }
}
