//! ISO/IEC 15948, a PNG as native samples. The decoder has no unsafe code, so it runs here.

use std::io::Cursor;

use png::{BitDepth, ColorType, DecodeOptions, Decoder, Limits, Transformations};

use super::{exif, orientation::Raster};

/// Most bytes of a picture after decoding: a small file may tell of a very large one.
pub const DECODED_LENGTH_MAX_BYTES: usize = 256 << 20;
/// The same of one that is interlaced, of which no row is there before all are.
const INTERLACED_LENGTH_MAX_BYTES: usize = 64 << 20;

/// # Errors
/// What is wrong with it, for people.
pub fn read(file: &[u8]) -> Result<Raster, &'static str> {
    let damaged = "the PNG is damaged";
    let mut options = DecodeOptions::default();
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = Decoder::new_with_options(Cursor::new(file), options);
    decoder.set_limits(Limits { bytes: DECODED_LENGTH_MAX_BYTES });
    // Palettes become colours, 1, 2 and 4 bits become 8.
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(|_| "the file is no PNG that can be read")?;
    let info = reader.info();
    let interlaced = info.interlaced;
    let wrong = "the PNG has no size that a picture can have";
    let rows = u16::try_from(info.height).map_err(|_| wrong)?;
    let columns = u16::try_from(info.width).map_err(|_| wrong)?;
    let turned = info.exif_metadata.as_deref().map_or(1, exif::orientation);
    let (color, depth) = reader.output_color_type();
    let length_max = if interlaced { INTERLACED_LENGTH_MAX_BYTES } else { DECODED_LENGTH_MAX_BYTES };
    let length = reader.output_buffer_size().filter(|length| *length <= length_max);
    let length = length.ok_or("the PNG is larger than pictures that are decoded")?;
    let alpha = matches!(color, ColorType::GrayscaleAlpha | ColorType::Rgba);
    let samples_per_pixel: u16 =
        if matches!(color, ColorType::Grayscale | ColorType::GrayscaleAlpha) { 1 } else { 3 };
    let bytes_per_sample: u16 = if depth == BitDepth::Sixteen { 2 } else { 1 };
    let sample = usize::from(bytes_per_sample);
    let pixel = (usize::from(samples_per_pixel) + usize::from(alpha)) * sample;
    let mut bytes = Vec::new();
    let mut take = |decoded: &[u8]| {
        for pixel in decoded.chunks_exact(pixel) {
            // DICOM has no transparency: the colours stay as they are. PNG is big endian.
            for value in pixel[..usize::from(samples_per_pixel) * sample].chunks_exact(sample) {
                bytes.extend(value.iter().rev());
            }
        }
    };
    if interlaced {
        let mut decoded = vec![0; length];
        let frame = reader.next_frame(&mut decoded).map_err(|_| damaged)?;
        take(decoded.get(..frame.buffer_size()).ok_or(damaged)?);
    } else {
        // Row by row: memory grows with what is there, not with what the header tells of.
        while let Some(row) = reader.next_row().map_err(|_| damaged)? {
            take(row.data());
        }
    }
    if bytes.len() != Raster::length(rows, columns, samples_per_pixel, bytes_per_sample) {
        return Err(damaged);
    }
    Ok(Raster { rows, columns, samples_per_pixel, bytes_per_sample, bytes }.upright(turned))
}
