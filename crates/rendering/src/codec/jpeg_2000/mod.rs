//! PS3.5 8.2.4 and 8.2.14, JPEG 2000 and High-Throughput JPEG 2000: decoded by openjp2, encoded by our own code.

mod encode;

use jpeg2k::{DecodeParameters, Image};

pub(crate) use encode::{BlockCoding, SIDE_MAX, encode};

use super::interleaved;
use crate::{
    error::RenderError,
    frame::DecodedFrame,
    limits::{JPEG_2000_LAYERS_MAX, JPEG_2000_TILES_MAX},
    shape::{FrameShape, Photometric},
};

const CODEC: &str = "JPEG 2000";
/// How far into the frame a codestream may begin: after the boxes of a JP2 file that some encoders write.
const BOXES_MAX_BYTES: usize = 64 << 10;

/// Decodes a frame; at half, quarter ... resolution when that is enough for a picture of `target`.
pub(super) fn decode(
    shape: &FrameShape,
    frame: &[u8],
    target: Option<(u32, u32)>,
) -> Result<DecodedFrame<'static>, RenderError> {
    let stream = Codestream::read(frame)?;
    stream.check(shape)?;
    let reduce = target.map_or(0, |target| stream.reduction(shape, target));
    let parameters = DecodeParameters::new().reduce(reduce).ignore_pclr_cmap_cdef();
    let image = Image::from_bytes_with(frame, parameters)
        .map_err(|error| RenderError::malformed(CODEC, error.to_string()))?;
    let (columns, rows) =
        (shape.columns.div_ceil(1 << reduce).max(1), shape.rows.div_ceil(1 << reduce).max(1));
    let (samples, size) = (usize::from(shape.samples_per_pixel), shape.sample_bytes() as usize);
    let components = image.components();
    let pixels = columns as usize * rows as usize;
    let fits = |component: &jpeg2k::ImageComponent| {
        component.width() == columns && component.height() == rows && component.data().len() == pixels
    };
    if components.len() < samples || !components.iter().take(samples).all(fits) {
        return Err(RenderError::mismatch(CODEC, "the size of a component"));
    }
    let mut words = vec![0; pixels * samples * size];
    for (index, component) in components.iter().take(samples).enumerate() {
        let places = words.chunks_exact_mut(samples * size);
        for (place, value) in places.zip(component.data()) {
            place[index * size..(index + 1) * size].copy_from_slice(&value.to_le_bytes()[..size]);
        }
    }
    let mut decoded = interleaved(shape, words);
    (decoded.rows, decoded.columns) = (rows, columns);
    // The stream knows best whether it holds signed values; unsigned ones may still be two's complement.
    decoded.signed |= stream.signed;
    decoded.photometric = match shape.photometric {
        Photometric::YbrFull422 | Photometric::YbrPartial422 => Photometric::YbrFull,
        _ => decoded.photometric,
    };
    if stream.precision <= decoded.high_bit {
        decoded.bits_stored = decoded.bits_stored.min(stream.precision);
        decoded.high_bit = decoded.bits_stored - 1;
    }
    Ok(decoded)
}

/// SIZ and COD of the main header (ITU-T T.800 A.5.1, A.6.1).
#[derive(Debug, PartialEq, Eq)]
struct Codestream {
    columns: u64,
    rows: u64,
    tiles: u64,
    components: u16,
    precision: u16,
    signed: bool,
    subsampled: bool,
    /// The image begins at the origin of the reference grid, so that halving it is a plain division.
    at_origin: bool,
    layers: u16,
    decompositions: u8,
}

impl Codestream {
    fn read(frame: &[u8]) -> Result<Self, RenderError> {
        let malformed = |reason| RenderError::malformed(CODEC, reason);
        let head = &frame[..frame.len().min(BOXES_MAX_BYTES)];
        let start = head
            .windows(4)
            .position(|window| window == [0xff, 0x4f, 0xff, 0x51])
            .ok_or_else(|| malformed("no codestream"))?;
        let size = &frame[start + 4..];
        let numbers = size.get(4..36).ok_or_else(|| malformed("the size marker is cut short"))?;
        let mut numbers =
            numbers.chunks_exact(4).map(|b| u64::from(u32::from_be_bytes([b[0], b[1], b[2], b[3]])));
        let mut next = || numbers.next().unwrap_or(0);
        let (x_end, y_end, x_start, y_start) = (next(), next(), next(), next());
        let (tile_width, tile_height, tile_x, tile_y) = (next(), next(), next(), next());
        if x_start >= x_end || y_start >= y_end || tile_width == 0 || tile_height == 0 {
            return Err(malformed("an image or tile without an area"));
        }
        let tiles = x_end.saturating_sub(tile_x).div_ceil(tile_width)
            * y_end.saturating_sub(tile_y).div_ceil(tile_height);
        let count = size.get(36..38).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
        let components = size
            .get(38..38 + usize::from(count) * 3)
            .filter(|components| !components.is_empty())
            .ok_or_else(|| malformed("no components"))?;
        let precisions = || components.chunks_exact(3).map(|component| u16::from(component[0] & 0x7f) + 1);
        let (layers, decompositions) = coding_style(&frame[start + 2..])?;
        Ok(Self {
            columns: x_end - x_start,
            rows: y_end - y_start,
            tiles,
            components: count,
            precision: precisions().max().unwrap_or(0),
            signed: components[0] & 0x80 != 0,
            subsampled: components.chunks_exact(3).any(|component| component[1..] != [1, 1]),
            at_origin: x_start == 0 && y_start == 0,
            layers,
            decompositions,
        })
    }

    fn check(&self, shape: &FrameShape) -> Result<(), RenderError> {
        if self.columns != u64::from(shape.columns) || self.rows != u64::from(shape.rows) {
            return Err(RenderError::mismatch(CODEC, "Rows and Columns"));
        }
        if self.components < shape.samples_per_pixel || self.components > 4 {
            return Err(RenderError::mismatch(CODEC, "the number of components"));
        }
        if self.precision > shape.bits_allocated.max(8) {
            return Err(RenderError::mismatch(CODEC, "the bits of a sample"));
        }
        if self.subsampled {
            return Err(RenderError::UnsupportedCodec("JPEG 2000 with subsampled components".into()));
        }
        if self.tiles > JPEG_2000_TILES_MAX || self.layers > JPEG_2000_LAYERS_MAX {
            return Err(RenderError::malformed(CODEC, "too many tiles or layers"));
        }
        Ok(())
    }

    /// How many times the resolution may be halved with `target` still covered.
    fn reduction(&self, shape: &FrameShape, target: (u32, u32)) -> u32 {
        // Averages mean nothing for palette indices and for negative numbers that were coded as large ones.
        let averages = shape.photometric != Photometric::PaletteColor && (self.signed || !shape.signed);
        if !self.at_origin || !averages {
            return 0;
        }
        let covers = |reduce: u32| shape.columns >> reduce >= target.0 && shape.rows >> reduce >= target.1;
        (1..=u32::from(self.decompositions).min(8)).take_while(|reduce| covers(*reduce)).last().unwrap_or(0)
    }
}

/// Number of layers and decomposition levels, from the COD segment of the main header.
fn coding_style(mut rest: &[u8]) -> Result<(u16, u8), RenderError> {
    loop {
        let [0xff, marker, high, low, body @ ..] = rest else {
            return Err(RenderError::malformed(CODEC, "no coding style"));
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (true, Some(segment)) = (length >= 2, body.get(..length.saturating_sub(2))) else {
            return Err(RenderError::malformed(CODEC, "a marker segment is cut short"));
        };
        match (marker, segment) {
            (0x52, [_, _, layers_high, layers_low, _, decompositions, ..]) => {
                return Ok((u16::from_be_bytes([*layers_high, *layers_low]), *decompositions));
            }
            (0x90, _) => return Err(RenderError::malformed(CODEC, "no coding style")),
            _ => rest = &body[length - 2..],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(width: u32, tile: u32) -> Vec<u8> {
        let mut bytes = vec![0xff, 0x4f, 0xff, 0x51, 0, 41, 0, 0];
        for number in [width, 8, 0, 0, tile, tile, 0, 0] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend([0, 1, 15, 1, 1]);
        bytes.extend([0xff, 0x52, 0, 12, 0, 0, 0, 1, 0, 3, 4, 4, 0, 0]);
        bytes
    }

    #[test]
    fn reads_the_main_header() {
        let read = Codestream::read(&stream(16, 8)).expect("header");
        assert_eq!((read.columns, read.rows, read.tiles, read.precision), (16, 8, 2, 16));
        assert_eq!((read.layers, read.decompositions, read.signed), (1, 3, false));
    }

    #[test]
    fn hostile_headers_are_errors() {
        let whole = stream(16, 8);
        for length in 0..whole.len() {
            assert!(Codestream::read(&whole[..length]).is_err(), "{length}");
        }
        assert!(Codestream::read(&stream(16, 0)).is_err());
        assert_eq!(
            Codestream::read(&stream(u32::MAX, 1)).map(|read| read.tiles),
            Ok(u64::from(u32::MAX) * 8)
        );
    }
}
