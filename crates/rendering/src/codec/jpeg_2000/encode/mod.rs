//! ITU-T T.800 and T.814, lossless JPEG 2000 and High-Throughput JPEG 2000 as DICOM wants them (PS3.5 8.2.4, 10.18,
//! A.4.4): one tile, one layer, the reversible wavelet and, for red, green and blue, the reversible colour transform.
//! What openjp2 undoes.

mod arithmetic;
mod block;
mod header;
mod high_throughput;
mod packet;
#[cfg(test)]
mod tests;
mod wavelet;

use block::{Band, CodedBlock};
use packet::BandBlocks;
use wavelet::Plane;

use crate::{codec::Picture, error::RenderError};

/// Rows and columns of a picture that all fit into one precinct of each resolution, so that the order of packets is
/// the order of resolutions.
pub(crate) const SIDE_MAX: u32 = 1 << 15;
/// Width and height of a code-block.
const BLOCK: usize = 64;

/// How code-blocks are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockCoding {
    /// Bit-plane by bit-plane with an arithmetic coder (T.800 Annexes C and D).
    Arithmetic,
    /// In one pass (T.814). As HTJ2K Lossless RPCL demands, the lowest resolution fits into 64 x 64, and each one is a
    /// tile-part that a marker in front tells the length of.
    HighThroughput,
}

impl BlockCoding {
    /// How often a picture is halved.
    fn levels(self, rows: u32, columns: u32) -> u8 {
        match self {
            // What every viewer expects for its thumbnails.
            Self::Arithmetic => rows.min(columns).ilog2().min(5) as u8,
            Self::HighThroughput => rows.max(columns).div_ceil(64).next_power_of_two().ilog2() as u8,
        }
    }
}

/// What the main header says of the coding.
#[derive(Debug, Clone, Copy)]
struct Style {
    coding: BlockCoding,
    /// The three samples went through the reversible colour transform.
    colours_apart: bool,
    /// How often the picture was halved.
    levels: u8,
    /// Bits of a sample.
    precision: u8,
}

impl Style {
    /// Bit-planes that the wavelet may need beyond what its gain says. Were every sample as unlucky as it can be, the
    /// low frequencies would come out 2.9 times as large, the high ones of one direction 4.8 times: that fits into one
    /// more bit. Differences of colours have one more themselves.
    fn guard_bits(self) -> u8 {
        2 + u8::from(self.colours_apart)
    }

    /// The most bit-planes that a sub-band of this gain may have (equation E-2).
    fn planes(self, gain: u8) -> u8 {
        self.precision + gain + self.guard_bits() - 1
    }
}

/// Encodes a picture. With `colours_apart` its three samples go through the reversible colour transform, which the
/// data set then calls YBR_RCT.
///
/// # Errors
/// [`RenderError::Encode`] when a number of the picture is out of range.
pub(crate) fn encode(
    picture: Picture<'_>,
    colours_apart: bool,
    coding: BlockCoding,
) -> Result<Vec<u8>, RenderError> {
    let Picture { rows, columns, samples, size, precision, words, .. } = picture;
    let bytes = rows as usize * columns as usize * samples * size;
    let sized = matches!(samples, 1 | 3) && matches!(size, 1 | 2) && rows.max(columns) <= SIDE_MAX;
    let precise = (1..=size * 8).contains(&usize::from(precision));
    if !sized || !precise || bytes == 0 || words.len() != bytes {
        return Err(RenderError::Encode("this picture does not fit into JPEG 2000".into()));
    }
    let colours_apart = colours_apart && samples == 3;
    let levels = coding.levels(rows, columns);
    let style = Style { coding, colours_apart, levels, precision };
    let mut planes: Vec<Plane> = (0..samples).map(|sample| plane(picture, sample)).collect();
    if colours_apart {
        wavelet::colours_apart(&mut planes);
    }
    for plane in &mut planes {
        plane.decompose(levels);
    }
    let mut parts = vec![Vec::new()];
    for resolution in 0..=levels {
        if resolution > 0 && coding == BlockCoding::HighThroughput {
            parts.push(Vec::new());
        }
        let part = parts.len() - 1;
        for plane in &planes {
            packet::write(&mut parts[part], &bands(plane, resolution, style));
        }
    }
    header::join(picture, style, &parts)
}

/// One component, its values around zero (G.1).
fn plane(picture: Picture<'_>, sample: usize) -> Plane {
    let Picture { rows, columns, samples, size, precision, signed, words } = picture;
    let middle = if signed { 0 } else { 1 << (precision - 1) };
    let value = |pixel: &[u8]| {
        let word = &pixel[sample * size..];
        match (size, signed) {
            (1, true) => i32::from(word[0].cast_signed()),
            (1, false) => i32::from(word[0]),
            (_, true) => i32::from(i16::from_le_bytes([word[0], word[1]])),
            (_, false) => i32::from(u16::from_le_bytes([word[0], word[1]])),
        }
    };
    let values = words.chunks_exact(samples * size).map(|pixel| value(pixel) - middle).collect();
    Plane { width: columns as usize, height: rows as usize, values }
}

/// The sub-bands that a resolution adds (B.5), coded: LL for the lowest, else HL, LH and HH.
fn bands(plane: &Plane, resolution: u8, style: Style) -> Vec<BandBlocks> {
    let levels = style.levels;
    let size = |halvings: u8| (plane.width.div_ceil(1 << halvings), plane.height.div_ceil(1 << halvings));
    let coded = |left, top, right, bottom, band, gain| {
        let blocks = band_blocks(plane, [left, top, right, bottom], band, style.coding);
        BandBlocks { columns: (right - left).div_ceil(BLOCK), planes: style.planes(gain), blocks }
    };
    if resolution == 0 {
        let (width, height) = size(levels);
        return vec![coded(0, 0, width, height, Band::Vertical, 0)];
    }
    let (width, height) = size(levels - resolution + 1);
    let (right, bottom) = size(levels - resolution);
    vec![
        coded(width, 0, right, height, Band::Horizontal, 1),
        coded(0, height, width, bottom, Band::Vertical, 1),
        coded(width, height, right, bottom, Band::Diagonal, 2),
    ]
}

fn band_blocks(plane: &Plane, area: [usize; 4], band: Band, coding: BlockCoding) -> Vec<CodedBlock> {
    let [left, top, right, bottom] = area;
    let mut blocks = Vec::new();
    let mut coefficients = Vec::with_capacity(BLOCK * BLOCK);
    for y in (top..bottom).step_by(BLOCK) {
        for x in (left..right).step_by(BLOCK) {
            let width = BLOCK.min(right - x);
            coefficients.clear();
            for row in y..bottom.min(y + BLOCK) {
                coefficients.extend_from_slice(&plane.values[row * plane.width + x..][..width]);
            }
            blocks.push(match coding {
                BlockCoding::Arithmetic => block::encode(&coefficients, width, band),
                BlockCoding::HighThroughput => high_throughput::encode(&coefficients, width),
            });
        }
    }
    blocks
}
