//! ITU-T T.800 Annex C: the MQ arithmetic encoder.

/// Contexts of the block coder (table D.7): 9 for zeroes, 5 for signs, 3 for refinement, one for runs, one uniform.
pub(super) const CONTEXTS: usize = 19;
/// The context of a run of four zeroes.
pub(super) const RUN: usize = 17;
/// The context of bits that are as likely 0 as 1.
pub(super) const UNIFORM: usize = 18;

/// Table C.2: the estimate of the less probable symbol, the state after it, the state after the more probable one,
/// and whether the two change places.
const STATES: [(u32, u8, u8, bool); 47] = [
    (0x5601, 1, 1, true),
    (0x3401, 6, 2, false),
    (0x1801, 9, 3, false),
    (0x0ac1, 12, 4, false),
    (0x0521, 29, 5, false),
    (0x0221, 33, 38, false),
    (0x5601, 6, 7, true),
    (0x5401, 14, 8, false),
    (0x4801, 14, 9, false),
    (0x3801, 14, 10, false),
    (0x3001, 17, 11, false),
    (0x2401, 18, 12, false),
    (0x1c01, 20, 13, false),
    (0x1601, 21, 29, false),
    (0x5601, 14, 15, true),
    (0x5401, 14, 16, false),
    (0x5101, 15, 17, false),
    (0x4801, 16, 18, false),
    (0x3801, 17, 19, false),
    (0x3401, 18, 20, false),
    (0x3001, 19, 21, false),
    (0x2801, 19, 22, false),
    (0x2401, 20, 23, false),
    (0x2201, 21, 24, false),
    (0x1c01, 22, 25, false),
    (0x1801, 23, 26, false),
    (0x1601, 24, 27, false),
    (0x1401, 25, 28, false),
    (0x1201, 26, 29, false),
    (0x1101, 27, 30, false),
    (0x0ac1, 28, 31, false),
    (0x09c1, 29, 32, false),
    (0x08a1, 30, 33, false),
    (0x0521, 31, 34, false),
    (0x0441, 32, 35, false),
    (0x02a1, 33, 36, false),
    (0x0221, 34, 37, false),
    (0x0141, 35, 38, false),
    (0x0111, 36, 39, false),
    (0x0085, 37, 40, false),
    (0x0049, 38, 41, false),
    (0x0025, 39, 42, false),
    (0x0015, 40, 43, false),
    (0x0009, 41, 44, false),
    (0x0005, 42, 45, false),
    (0x0001, 43, 45, false),
    (0x5601, 46, 46, false),
];

/// Codes decisions of one code-block into one segment of bytes.
#[derive(Debug)]
pub(super) struct ArithmeticEncoder {
    /// For each context its state, doubled, plus the more probable symbol.
    contexts: [u8; CONTEXTS],
    interval: u32,
    code: u32,
    /// Shifts until a byte is complete.
    shifts: u32,
    /// What was written, behind one byte that stands for "before the first" (INITENC, C.2.8).
    bytes: Vec<u8>,
}

impl ArithmeticEncoder {
    pub(super) fn new() -> Self {
        let mut contexts = [0; CONTEXTS];
        (contexts[0], contexts[RUN], contexts[UNIFORM]) = (4 << 1, 3 << 1, 46 << 1);
        Self { contexts, interval: 0x8000, code: 0, shifts: 12, bytes: vec![0] }
    }

    /// C.2.2 to C.2.5, with the two ways of coding a symbol in one.
    pub(super) fn encode(&mut self, context: usize, bit: bool) {
        let state = self.contexts[context];
        let (estimate, after_less, after_more, switch) = STATES[usize::from(state >> 1)];
        let more_probable = state & 1;
        self.interval -= estimate;
        if u8::from(bit) == more_probable {
            if self.interval & 0x8000 != 0 {
                self.code += estimate;
                return;
            }
            if self.interval < estimate {
                self.interval = estimate;
            } else {
                self.code += estimate;
            }
            self.contexts[context] = after_more << 1 | more_probable;
        } else {
            if self.interval < estimate {
                self.code += estimate;
            } else {
                self.interval = estimate;
            }
            self.contexts[context] = after_less << 1 | (more_probable ^ u8::from(switch));
        }
        self.renormalize();
    }

    /// C.2.6.
    fn renormalize(&mut self) {
        let mut shifts = self.interval.leading_zeros() - 16;
        while shifts >= self.shifts {
            let now = self.shifts;
            self.interval <<= now;
            self.code <<= now;
            shifts -= now;
            self.byte_out();
        }
        self.interval <<= shifts;
        self.code <<= shifts;
        self.shifts -= shifts;
    }

    /// C.2.7: a byte after 0xff has seven bits, so that a carry never runs through it.
    fn byte_out(&mut self) {
        let Some(last) = self.bytes.last_mut() else { return };
        if *last != 0xff && self.code >= 0x800_0000 {
            *last += 1;
            self.code &= 0x7ff_ffff;
        }
        if *last == 0xff {
            self.bytes.push((self.code >> 20) as u8);
            self.code &= 0xf_ffff;
            self.shifts = 7;
        } else {
            self.bytes.push((self.code >> 19) as u8);
            self.code &= 0x7_ffff;
            self.shifts = 8;
        }
    }

    /// C.2.9: the end of the segment.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let end = self.code + self.interval;
        self.code |= 0xffff;
        if self.code >= end {
            self.code -= 0x8000;
        }
        for _ in 0..2 {
            self.code <<= self.shifts;
            self.byte_out();
        }
        if self.bytes.last() == Some(&0xff) {
            self.bytes.pop();
        }
        self.bytes.remove(0);
        self.bytes
    }
}
