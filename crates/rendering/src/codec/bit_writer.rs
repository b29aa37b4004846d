//! ITU-T T.87 A.1 and C.2, T.800 B.10.1, T.814 7.1.3: a bit stream in which a zero bit comes after a byte 0xFF.

/// Writes bits, most significant first.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    out: Vec<u8>,
    cache: u64,
    cached: u32,
}

impl BitWriter {
    /// Goes on after `out`.
    pub fn new(out: Vec<u8>) -> Self {
        Self { out, cache: 0, cached: 0 }
    }

    /// Writes the lowest `count` bits of `value`, up to 32.
    pub fn write(&mut self, value: u32, count: u32) {
        if count == 0 {
            return;
        }
        self.cache = self.cache << count | u64::from(value & (u32::MAX >> (32 - count)));
        self.cached += count;
        loop {
            let wanted = self.wanted();
            if self.cached < wanted {
                return;
            }
            self.cached -= wanted;
            self.out.push((self.cache >> self.cached) as u8 & (u8::MAX >> (8 - wanted)));
        }
    }

    /// `zeros` zeros and a one.
    pub fn write_unary(&mut self, mut zeros: u32) {
        while zeros > 31 {
            self.write(0, 31);
            zeros -= 31;
        }
        self.write(1, zeros + 1);
    }

    /// The whole bytes, the bits of the next one with zeros behind them, and which of its bits those are: the stuffed one
    /// counts.
    pub fn into_parts(self) -> (Vec<u8>, u8, u8) {
        let free = self.wanted() - self.cached;
        let begun = self.cache & ((1 << self.cached) - 1);
        (self.out, (begun << free) as u8, (0xff_u32 << free) as u8)
    }

    fn wanted(&self) -> u32 {
        if self.out.last() == Some(&0xff) { 7 } else { 8 }
    }

    /// Ends the scan at a byte's end.
    pub fn finish(mut self) -> Vec<u8> {
        if self.cached > 0 {
            self.write(0, self.wanted() - self.cached);
        }
        // A marker may not follow a 0xFF of the scan.
        if self.out.last() == Some(&0xff) {
            self.out.push(0);
        }
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_bit_follows_each_ff() {
        let mut bits = BitWriter::new(vec![0]);
        bits.write(0x7fff, 15);
        bits.write_unary(0);
        bits.write_unary(70);
        assert_eq!(bits.finish()[..4], [0, 0xff, 0x7f, 0x80]);
        let mut ends = BitWriter::new(Vec::new());
        ends.write(0xff, 8);
        assert_eq!(ends.finish(), [0xff, 0]);
    }
}
