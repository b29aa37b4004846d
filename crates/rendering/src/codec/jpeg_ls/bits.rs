//! ITU-T T.87 A.1, C.2: the bit stream; after a byte 0xFF only seven bits follow.

use super::malformed;
use crate::error::RenderError;

/// Reads bits, most significant first.
pub(super) struct BitReader<'a> {
    data: &'a [u8],
    at: usize,
    cache: u64,
    cached: u32,
    after_ff: bool,
}

impl<'a> BitReader<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0, cache: 0, cached: 0, after_ff: false }
    }

    /// Bytes taken so far; a scan ends at a byte's end.
    pub fn bytes_used(&self) -> usize {
        self.at - (self.cached / 8) as usize
    }

    /// Fills the cache to more than 32 bits, as far as there are bytes before a marker.
    fn fill(&mut self) {
        while self.cached <= 48 {
            let Some(byte) = self.data.get(self.at).copied() else { return };
            let bits = if self.after_ff {
                if byte >= 0x80 {
                    return;
                }
                7
            } else {
                if byte == 0xff && self.data.get(self.at + 1).is_none_or(|next| *next >= 0x80) {
                    return;
                }
                8
            };
            self.after_ff = byte == 0xff;
            self.at += 1;
            self.cache = self.cache << bits | u64::from(byte);
            self.cached += bits;
        }
    }

    /// Reads up to 32 bits.
    pub fn read(&mut self, count: u32) -> Result<u32, RenderError> {
        if count == 0 {
            return Ok(0);
        }
        if self.cached < count {
            self.fill();
            if self.cached < count {
                return Err(malformed("the data end inside a scan"));
            }
        }
        self.cached -= count;
        Ok((self.cache >> self.cached) as u32 & (u32::MAX >> (32 - count)))
    }

    /// Counts zeros up to a one, which is taken too; more than `most` zeros are an error.
    pub fn read_unary(&mut self, most: u32) -> Result<u32, RenderError> {
        let mut zeros = 0;
        loop {
            if self.cached == 0 {
                self.fill();
                if self.cached == 0 {
                    return Err(malformed("the data end inside a scan"));
                }
            }
            let window = self.cache << (64 - self.cached);
            let leading = window.leading_zeros().min(self.cached);
            zeros += leading;
            if zeros > most {
                return Err(malformed("a code is too long"));
            }
            if leading < self.cached {
                self.cached -= leading + 1;
                return Ok(zeros);
            }
            self.cached = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuffed_bits_are_dropped() {
        let mut reader = BitReader::new(&[0xff, 0x7f, 0x80, 0xff, 0xd9]);
        assert_eq!(reader.read(15).ok(), Some(0x7fff));
        assert_eq!(reader.read_unary(9).ok(), Some(0));
        assert_eq!(reader.read(7).ok(), Some(0));
        assert!(reader.read(1).is_err());
        assert_eq!(reader.bytes_used(), 3);
        assert!(BitReader::new(&[0, 0]).read_unary(10).is_err());
    }
}
