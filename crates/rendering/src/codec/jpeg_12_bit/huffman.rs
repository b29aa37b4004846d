//! ITU-T T.81 C and F.2.2.3: Huffman codes.

use super::{bits::BitReader, malformed};
use crate::error::RenderError;

/// Codes of up to this length are found in one step.
const SHORT_BITS: u32 = 9;

/// A table of codes.
pub(super) struct HuffmanTable {
    /// Length and symbol for each value of the next bits; length 0 when the code is longer.
    short: Vec<(u8, u8)>,
    /// For each length: the code after the last one, aligned to 16 bits, and what to add to a code for its symbol.
    ends: [(u32, i32); 17],
    symbols: Vec<u8>,
}

impl HuffmanTable {
    /// From the number of codes of each length and the symbols in order.
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self, RenderError> {
        let mut short = vec![(0, 0); 1 << SHORT_BITS];
        let mut ends = [(0, 0); 17];
        let (mut code, mut index) = (0_u32, 0_usize);
        for (length, count) in (1_u32..).zip(counts) {
            let first = index.cast_signed() as i32 - code.cast_signed();
            for _ in 0..*count {
                if code >= 1 << length {
                    return Err(malformed("a Huffman table has too many codes"));
                }
                let symbol = symbols.get(index).copied().ok_or_else(|| malformed("a Huffman table"))?;
                if length <= SHORT_BITS {
                    let shift = SHORT_BITS - length;
                    short[(code << shift) as usize..((code + 1) << shift) as usize]
                        .fill((length as u8, symbol));
                }
                code += 1;
                index += 1;
            }
            ends[length as usize] = (code << (16 - length), first);
            code <<= 1;
        }
        Ok(Self { short, ends, symbols: symbols.to_vec() })
    }

    /// Reads one symbol.
    pub fn decode(&self, bits: &mut BitReader<'_>) -> Result<u8, RenderError> {
        let next = bits.peek_16()?;
        let (length, symbol) = self.short[(next >> (16 - SHORT_BITS)) as usize];
        if length > 0 {
            bits.take(u32::from(length));
            return Ok(symbol);
        }
        for length in SHORT_BITS + 1..=16 {
            let (end, first) = self.ends[length as usize];
            if next < end {
                let index = (next >> (16 - length)).cast_signed() + first;
                let symbol = usize::try_from(index).ok().and_then(|index| self.symbols.get(index));
                bits.take(length);
                return symbol.copied().ok_or_else(|| malformed("a code that no table has"));
            }
        }
        Err(malformed("a code that no table has"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_codes() {
        // One code of each length 1 to 16: 0, 10, 110 ...
        let symbols: Vec<u8> = (1..=16).collect();
        let table = HuffmanTable::new(&[1; 16], &symbols).expect("table");
        let mut bits = BitReader::new(&[0b0101_1011, 0b1111_1111, 0b0000_0000, 0b1110_0000]);
        let decoded: Vec<_> = (0..4).map(|_| table.decode(&mut bits).expect("symbol")).collect();
        assert_eq!(decoded, [1, 2, 3, 14]);
    }

    #[test]
    fn impossible_tables_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(HuffmanTable::new(&counts, &[1, 2, 3]).is_err());
        counts[0] = 1;
        assert!(HuffmanTable::new(&counts, &[]).is_err());
    }
}
