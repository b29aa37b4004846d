//! ITU-T T.81 F.2.2.5 and B.1.1.5: the bit stream, in which a zero byte follows each byte 0xFF.

use super::malformed;
use crate::error::RenderError;

/// Zero bytes given after the end of the data: the last code may need a few bits that were cut off.
const BYTES_AFTER_END_MAX: u32 = 8;

/// Reads bits, most significant first.
pub(super) struct BitReader<'a> {
    data: &'a [u8],
    at: usize,
    cache: u64,
    cached: u32,
    after_end: u32,
}

impl<'a> BitReader<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0, cache: 0, cached: 0, after_end: 0 }
    }

    fn fill(&mut self) -> Result<(), RenderError> {
        while self.cached <= 48 {
            let byte = match (self.data.get(self.at), self.data.get(self.at + 1)) {
                (Some(0xff), Some(0x00)) => {
                    self.at += 2;
                    0xff
                }
                (None | Some(0xff), _) => {
                    self.after_end += 1;
                    0
                }
                (Some(byte), _) => {
                    self.at += 1;
                    *byte
                }
            };
            self.cache = self.cache << 8 | u64::from(byte);
            self.cached += 8;
        }
        // What was read ahead and not used does not count: 8 bytes are in the cache at most.
        if self.after_end > BYTES_AFTER_END_MAX + 8 {
            return Err(malformed("the data end inside the scan"));
        }
        Ok(())
    }

    /// The next 16 bits, not taken.
    pub fn peek_16(&mut self) -> Result<u32, RenderError> {
        if self.cached < 16 {
            self.fill()?;
        }
        Ok((self.cache >> (self.cached - 16)) as u32 & 0xffff)
    }

    /// Takes bits that were looked at: at most 16.
    pub fn take(&mut self, count: u32) {
        self.cached -= count;
    }

    /// T.81 F.2.2.1, RECEIVE and EXTEND: a number of `size` bits, at most 15.
    pub fn read_extended(&mut self, size: u8) -> Result<i32, RenderError> {
        let size = u32::from(size.min(16));
        if size == 0 {
            return Ok(0);
        }
        let value = (self.peek_16()? >> (16 - size)).cast_signed();
        self.take(size);
        let half = 1 << (size - 1);
        Ok(if value < half { value - (1 << size) + 1 } else { value })
    }

    /// Goes on after the next restart marker.
    pub fn restart(&mut self) -> Result<(), RenderError> {
        (self.cache, self.cached, self.after_end) = (0, 0, 0);
        let rest = self.data.get(self.at..).unwrap_or_default();
        let marker = rest.windows(2).position(|pair| pair[0] == 0xff && (0xd0..=0xd7).contains(&pair[1]));
        self.at += marker.ok_or_else(|| malformed("a restart marker is missing"))? + 2;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuffing_restarts_and_the_end() {
        let mut bits = BitReader::new(&[0xff, 0x00, 0x0f, 0xff, 0xd0, 0x80, 0xff, 0xd9]);
        assert_eq!(bits.peek_16().ok(), Some(0xff0f));
        bits.take(8);
        assert_eq!(bits.read_extended(4).ok(), Some(-15));
        bits.restart().expect("marker");
        assert_eq!(bits.read_extended(1).ok(), Some(1));
        let ends = (0..100).find(|_| bits.read_extended(15).is_err());
        assert!(ends.is_some());
    }
}
