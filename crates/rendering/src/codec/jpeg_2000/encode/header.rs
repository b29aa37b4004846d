//! ITU-T T.800 Annex A: the markers around the packets.

use super::{BLOCK, BlockCoding, Style};
use crate::{codec::Picture, error::RenderError};

/// Bytes of a tile-part before its packets: SOT and SOD.
const PART_HEADER: usize = 14;

/// The codestream: main header, tile-parts, end.
pub(super) fn join(picture: Picture<'_>, style: Style, parts: &[Vec<u8>]) -> Result<Vec<u8>, RenderError> {
    let too_large = |_| RenderError::Encode("this picture is too large for JPEG 2000".into());
    let length = |part: &Vec<u8>| u32::try_from(part.len() + PART_HEADER).map_err(too_large);
    let lengths = parts.iter().map(length).collect::<Result<Vec<u32>, _>>()?;
    let mut out = main_header(picture, style);
    if style.coding == BlockCoding::HighThroughput {
        // TLM (A.7.1): tile numbers of one byte, lengths of four.
        out.extend([0xff, 0x55, 0, 4 + 5 * lengths.len() as u8, 0, 0x50]);
        for length in &lengths {
            out.push(0);
            out.extend(length.to_be_bytes());
        }
    }
    for (index, (part, length)) in parts.iter().zip(&lengths).enumerate() {
        // SOT (A.4.2) of tile 0, and SOD.
        out.extend([0xff, 0x90, 0, 10, 0, 0]);
        out.extend(length.to_be_bytes());
        out.extend([index as u8, parts.len() as u8, 0xff, 0x93]);
        out.extend_from_slice(part);
    }
    out.extend([0xff, 0xd9]);
    Ok(out)
}

/// SOC, SIZ, CAP, COD and QCD (A.4.1, A.5.1, T.814 A.3, A.6.1, A.6.4).
fn main_header(picture: Picture<'_>, style: Style) -> Vec<u8> {
    let Picture { rows, columns, samples, precision, signed, .. } = picture;
    let Style { coding, colours_apart, levels, .. } = style;
    let high_throughput = coding == BlockCoding::HighThroughput;
    let capabilities = if high_throughput { 0x40 } else { 0 };
    let mut out = vec![0xff, 0x4f, 0xff, 0x51, 0, (38 + 3 * samples) as u8, capabilities, 0];
    // The picture and its one tile, both from the origin on.
    for number in [columns, rows, 0, 0, columns, rows, 0, 0] {
        out.extend(number.to_be_bytes());
    }
    out.extend([0, samples as u8]);
    (0..samples).for_each(|_| out.extend([(precision - 1) | u8::from(signed) << 7, 1, 1]));
    if high_throughput {
        // Part 15; no other block coding, one set of passes, the reversible wavelet, and how large magnitudes may be.
        let bound = style.planes(if levels > 0 { 2 } else { 0 }).saturating_sub(8);
        out.extend([0xff, 0x50, 0, 8, 0, 2, 0, 0, 0, bound]);
    }
    // By layer, resolution and component, or by resolution, position, component and layer; the 5/3 wavelet.
    let order = if high_throughput { 2 } else { 0 };
    let exponent = BLOCK.ilog2() as u8 - 2;
    out.extend([0xff, 0x52, 0, 12, 0, order, 0, 1, u8::from(colours_apart)]);
    out.extend([levels, exponent, exponent, capabilities, 1]);
    out.extend([0xff, 0x5c, 0, 4 + 3 * levels, style.guard_bits() << 5, precision << 3]);
    for _ in 0..levels {
        out.extend([1, 1, 2].map(|gain| (precision + gain) << 3));
    }
    out
}
