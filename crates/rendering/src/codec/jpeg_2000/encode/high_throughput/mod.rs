//! ITU-T T.814, High-Throughput JPEG 2000: a code-block in one cleanup pass over all of its bit-planes.

mod streams;
mod tables;

use std::sync::LazyLock;

use self::streams::{Codes, Magnitudes, Runs, join};
use super::block::CodedBlock;

/// For each context, significance and set of greatest exponents: the codeword (from bit 7), its length (4), and whose
/// exponent the decoder then knows (0).
type CodeTable = [u16; 2048];

static FIRST_ROWS: LazyLock<CodeTable> = LazyLock::new(|| code_table(&tables::FIRST_ROWS));
static OTHER_ROWS: LazyLock<CodeTable> = LazyLock::new(|| code_table(&tables::OTHER_ROWS));

/// Of several codewords that say what is so, the one that says most: each exponent known saves a bit elsewhere.
fn code_table(rows: &[u32]) -> CodeTable {
    let mut codes = [0; 2048];
    for (index, code) in codes.iter_mut().enumerate() {
        let (place, greatest) = (index as u32 >> 4, index as u32 & 0xf);
        let says = |row: &&u32| {
            let (known, ones) = (**row >> 4 & 0xf, **row & 0xf);
            **row >> 20 == place && (**row >> 19 & 1 == 1) == (greatest != 0) && greatest & known == ones
        };
        let best = rows.iter().filter(says).max_by_key(|row| (**row >> 4 & 0xf).count_ones());
        *code = best.map_or(0, |row| (row >> 8 & 0x7f) << 7 | (row >> 16 & 7) << 4 | (row >> 4 & 0xf)) as u16;
    }
    codes
}

/// Four coefficients: above and below on the left, above and below on the right.
#[derive(Debug, Clone, Copy, Default)]
struct Quad {
    /// Which are not zero, the first the lowest bit.
    significance: u32,
    /// Bits of `2 * magnitude - 1`, 0 of a zero.
    exponents: [u32; 4],
    /// `2 * (magnitude - 1)`, and 1 more for a negative one.
    values: [u32; 4],
}

impl Quad {
    fn new(coefficients: [i32; 4]) -> Self {
        let mut quad = Self::default();
        for (index, coefficient) in coefficients.into_iter().enumerate().filter(|(_, value)| *value != 0) {
            let magnitude = coefficient.unsigned_abs();
            quad.significance |= 1 << index;
            quad.exponents[index] = u32::BITS - (2 * magnitude - 1).leading_zeros();
            quad.values[index] = (2 * (magnitude - 1)) | u32::from(coefficient < 0);
        }
        quad
    }

    fn greatest_exponent(&self) -> u32 {
        self.exponents.into_iter().fold(0, u32::max)
    }
}

/// Exponents of the lower of two rows, behind a zero and before two.
type Exponents = Vec<u32>;

/// Codes a block of `width` columns whose magnitudes are below 2^30.
pub(super) fn encode(coefficients: &[i32], width: usize) -> CodedBlock {
    if coefficients.iter().all(|value| *value == 0) {
        return CodedBlock { planes: 0, passes: 0, bytes: Vec::new() };
    }
    let mut pass =
        CleanupPass { magnitudes: Magnitudes::default(), runs: Runs::default(), codes: Codes::new() };
    let mut above = vec![0; width + 4];
    for (pair, rows) in coefficients.chunks(2 * width).enumerate() {
        let (upper, lower) = rows.split_at(width);
        above = pass.encode_rows(upper, lower, (pair > 0).then_some(&above));
    }
    // One plane only is left to say: the pass holds all others (7.6, with no refinement behind it).
    CodedBlock { planes: 1, passes: 1, bytes: join(pass.magnitudes, pass.runs, pass.codes) }
}

struct CleanupPass {
    magnitudes: Magnitudes,
    runs: Runs,
    codes: Codes,
}

impl CleanupPass {
    /// Two rows of quads' coefficients, two quads at a time.
    fn encode_rows(&mut self, upper: &[i32], lower: &[i32], above: Option<&Exponents>) -> Exponents {
        let width = upper.len();
        let mut next = vec![0; width + 4];
        let at = |row: &[i32], column: usize| row.get(column).copied().unwrap_or(0);
        let mut left = Quad::default();
        for first in (0..width).step_by(4) {
            let mut offsets = [0; 2];
            let columns = [first, first + 2].into_iter().filter(|column| *column < width);
            for (column, offset) in columns.zip(&mut offsets) {
                let quad = Quad::new([
                    at(upper, column),
                    at(lower, column),
                    at(upper, column + 1),
                    at(lower, column + 1),
                ]);
                *offset = self.encode_quad(&quad, &left, column, above);
                next[column + 1] = quad.exponents[1];
                next[column + 2] = quad.exponents[3];
                left = quad;
            }
            self.encode_offsets(offsets, above.is_none());
        }
        next
    }

    /// Significance, exponents and magnitudes; gives by how much the greatest exponent is more than expected.
    fn encode_quad(&mut self, quad: &Quad, left: &Quad, column: usize, above: Option<&Exponents>) -> u32 {
        let (context, expected, table) = match above {
            None => (left.significance >> 1 | left.significance & 1, 1, &*FIRST_ROWS),
            Some(above) => {
                let around: [u32; 4] = std::array::from_fn(|index| above[column + index]);
                let context = u32::from(around[0] | around[1] != 0)
                    | u32::from(left.significance & 0b1100 != 0) << 1
                    | u32::from(around[2] | around[3] != 0) << 2;
                // 7.3.7: only where more than one is significant do the neighbours say something.
                let several = quad.significance.count_ones() > 1;
                let greatest = around.into_iter().fold(0, u32::max);
                (context, if several { greatest.saturating_sub(1).max(1) } else { 1 }, &*OTHER_ROWS)
            }
        };
        let greatest = quad.greatest_exponent();
        let exponent = greatest.max(expected);
        let offset = exponent - expected;
        let mut at_greatest = 0;
        if offset > 0 {
            for (index, own) in quad.exponents.into_iter().enumerate() {
                at_greatest |= u32::from(own == greatest) << index;
            }
        }
        let code = table[(context << 8 | quad.significance << 4 | at_greatest) as usize];
        if context == 0 {
            self.runs.put(quad.significance != 0);
        }
        self.codes.put(u32::from(code >> 7), u32::from(code >> 4 & 7));
        for (index, value) in quad.values.into_iter().enumerate() {
            if quad.significance >> index & 1 == 1 {
                let bits = exponent - u32::from(code >> index & 1);
                self.magnitudes.put(value & ((1 << bits) - 1), bits);
            }
        }
        offset
    }

    /// The offsets of a pair of quads (7.3.6, table 3): prefixes first, then what follows them.
    fn encode_offsets(&mut self, offsets: [u32; 2], first_rows: bool) {
        let [one, two] = offsets;
        if first_rows && one > 0 && two > 0 {
            self.runs.put(one.min(two) > 2);
            if one > 2 && two > 2 {
                return self.put_offsets([one - 2, two - 2]);
            }
            if one > 2 {
                self.put_prefix(one);
                self.codes.put(two - 1, 1);
                return self.put_rest(one);
            }
        }
        self.put_offsets(offsets);
    }

    fn put_offsets(&mut self, offsets: [u32; 2]) {
        for offset in offsets {
            self.put_prefix(offset);
        }
        for offset in offsets {
            self.put_rest(offset);
        }
    }

    fn put_prefix(&mut self, offset: u32) {
        match offset {
            0 => {}
            1 => self.codes.put(0b1, 1),
            2 => self.codes.put(0b10, 2),
            3 | 4 => self.codes.put(0b100, 3),
            _ => self.codes.put(0, 3),
        }
    }

    fn put_rest(&mut self, offset: u32) {
        match offset {
            0..=2 => {}
            3 | 4 => self.codes.put(offset - 3, 1),
            _ => self.codes.put(offset - 5, 5),
        }
    }
}
