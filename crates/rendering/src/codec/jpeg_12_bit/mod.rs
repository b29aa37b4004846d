//! ITU-T T.81 F, the extended sequential DCT of 12 bits, grayscale: the X-ray half of JPEG Extended (Process 4), which
//! the usual decoders leave out.

mod bits;
mod huffman;
mod idct;

use self::{bits::BitReader, huffman::HuffmanTable};
use super::jpeg_header::{JpegHeader, next_segment};
use crate::{error::RenderError, shape::FrameShape};

const SIDE: usize = 8;
const AREA: usize = SIDE * SIDE;
/// T.81 figure 5: where the k-th coefficient of the stream stands.
const ZIGZAG: [usize; AREA] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

fn malformed(reason: &'static str) -> RenderError {
    RenderError::malformed("JPEG", reason)
}

/// Whether this decoder takes the frame.
pub(super) fn takes(header: &JpegHeader) -> bool {
    header.precision == 12 && matches!(header.process, 0xc0 | 0xc1) && header.components.len() == 1
}

/// The tables that segments before the scan define.
struct Tables {
    quantization: [Option<[f32; AREA]>; 4],
    dc: [Option<HuffmanTable>; 4],
    ac: [Option<HuffmanTable>; 4],
    restart_interval: usize,
    quantization_of_component: usize,
}

/// Decodes a frame into little-endian words. Size and components were compared with the data set.
pub(super) fn decode(shape: &FrameShape, stream: &[u8]) -> Result<Vec<u8>, RenderError> {
    let mut tables = Tables {
        quantization: [None; 4],
        dc: [const { None }; 4],
        ac: [const { None }; 4],
        restart_interval: 0,
        quantization_of_component: 0,
    };
    let mut at = 2;
    while let Some((marker, segment_at, segment)) = next_segment(stream, at)? {
        at = segment_at + segment.len();
        match marker {
            0xc4 => read_huffman_tables(&mut tables, segment)?,
            0xdb => read_quantization_tables(&mut tables, segment)?,
            0xdd => {
                let interval = segment.get(..2).ok_or_else(|| malformed("the restart interval"))?;
                tables.restart_interval = usize::from(u16::from_be_bytes([interval[0], interval[1]]));
            }
            0xc0 | 0xc1 => {
                let selector = segment.get(8).copied().unwrap_or(0);
                tables.quantization_of_component = usize::from(selector & 3);
            }
            0xda => return decode_scan(shape, &tables, segment, &stream[at..]),
            _ => {}
        }
    }
    Err(malformed("no scan"))
}

/// T.81 B.2.4.1.
fn read_quantization_tables(tables: &mut Tables, mut segment: &[u8]) -> Result<(), RenderError> {
    while let [head, rest @ ..] = segment {
        let size = if head >> 4 == 0 { 1 } else { 2 };
        let (values, tail) = rest
            .split_at_checked(AREA * size)
            .ok_or_else(|| malformed("a quantization table is cut short"))?;
        let mut table = [0.0; AREA];
        for (value, place) in values.chunks_exact(size).zip(ZIGZAG) {
            table[place] = value.iter().fold(0.0, |sum, byte| sum * 256.0 + f32::from(*byte));
        }
        tables.quantization[usize::from(head & 3)] = Some(table);
        segment = tail;
    }
    Ok(())
}

/// T.81 B.2.4.2.
fn read_huffman_tables(tables: &mut Tables, mut segment: &[u8]) -> Result<(), RenderError> {
    while let [head, rest @ ..] = segment {
        let cut = || malformed("a Huffman table is cut short");
        let (counts, rest) = rest.split_first_chunk::<16>().ok_or_else(cut)?;
        let total = counts.iter().map(|count| usize::from(*count)).sum();
        let (symbols, tail) = rest.split_at_checked(total).ok_or_else(cut)?;
        let class = if head >> 4 == 0 { &mut tables.dc } else { &mut tables.ac };
        class[usize::from(head & 3)] = Some(HuffmanTable::new(counts, symbols)?);
        segment = tail;
    }
    Ok(())
}

fn decode_scan(
    shape: &FrameShape,
    tables: &Tables,
    header: &[u8],
    data: &[u8],
) -> Result<Vec<u8>, RenderError> {
    let [1, _, selectors, ..] = header else { return Err(malformed("the scan header")) };
    let missing = || malformed("the scan uses a table that is not there");
    let dc = tables.dc[usize::from(selectors >> 4 & 3)].as_ref().ok_or_else(missing)?;
    let ac = tables.ac[usize::from(selectors & 3)].as_ref().ok_or_else(missing)?;
    let quantization = tables.quantization[tables.quantization_of_component].as_ref().ok_or_else(missing)?;
    let (columns, rows) = (shape.columns as usize, shape.rows as usize);
    let mut words = vec![0; columns * rows * 2];
    let mut bits = BitReader::new(data);
    let mut prediction = 0;
    let blocks_wide = columns.div_ceil(SIDE);
    for index in 0..blocks_wide * rows.div_ceil(SIDE) {
        if tables.restart_interval > 0 && index > 0 && index % tables.restart_interval == 0 {
            bits.restart()?;
            prediction = 0;
        }
        let mut block = read_block(&mut bits, dc, ac, quantization, &mut prediction)?;
        idct::inverse(&mut block);
        let (x, y) = (index % blocks_wide * SIDE, index / blocks_wide * SIDE);
        for (row, samples) in block.chunks_exact(SIDE).enumerate().take(rows - y) {
            let first = ((y + row) * columns + x) * 2;
            let width = SIDE.min(columns - x);
            for (place, sample) in words[first..first + width * 2].chunks_exact_mut(2).zip(samples) {
                // T.81 A.3.1: the level shift of 12 bits.
                let level = (sample + 2048.5).clamp(0.0, 4095.0) as u16;
                place.copy_from_slice(&level.to_le_bytes());
            }
        }
    }
    Ok(words)
}

/// T.81 F.2.2: one block, dequantized.
fn read_block(
    bits: &mut BitReader<'_>,
    dc: &HuffmanTable,
    ac: &HuffmanTable,
    quantization: &[f32; AREA],
    prediction: &mut i32,
) -> Result<[f32; AREA], RenderError> {
    let mut block = [0.0; AREA];
    let size = dc.decode(bits)?;
    // Two's complement of 12 bits after the transform: a sane sum never leaves 16 bits, a hostile one may wrap.
    *prediction = prediction.wrapping_add(bits.read_extended(size)?);
    block[0] = *prediction as f32 * quantization[0];
    let mut index = 1;
    while index < AREA {
        let symbol = ac.decode(bits)?;
        let (run, size) = (usize::from(symbol >> 4), symbol & 0x0f);
        if size == 0 {
            if run < 15 {
                break;
            }
            index += 16;
            continue;
        }
        index += run;
        let place = *ZIGZAG.get(index).ok_or_else(|| malformed("too many coefficients"))?;
        block[place] = bits.read_extended(size)? as f32 * quantization[place];
        index += 1;
    }
    Ok(block)
}
