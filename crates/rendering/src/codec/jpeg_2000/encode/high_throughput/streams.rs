//! ITU-T T.814 clause 7.1, from the encoder's side: the three streams of bits that a cleanup pass is made of.

/// Magnitudes and signs, from the front on; a byte after 0xff has seven bits.
#[derive(Debug, Default)]
pub(super) struct Magnitudes {
    bytes: Vec<u8>,
    current: u8,
    used: u32,
}

impl Magnitudes {
    fn room(&self) -> u32 {
        if self.bytes.last() == Some(&0xff) { 7 } else { 8 }
    }

    /// The lowest `count` bits of `value`, the lowest of them first.
    pub(super) fn put(&mut self, mut value: u32, mut count: u32) {
        while count > 0 {
            let now = count.min(self.room() - self.used);
            self.current |= ((value & ((1 << now) - 1)) << self.used) as u8;
            (value, count) = (value >> now, count - now);
            self.used += now;
            if self.used == self.room() {
                self.bytes.push(self.current);
                (self.current, self.used) = (0, 0);
            }
        }
    }

    /// What the decoder finds behind the end are ones; a last byte of ones it supplies itself.
    fn finish(mut self) -> Vec<u8> {
        if self.used > 0 {
            self.put(0xff, self.room() - self.used);
        }
        if self.bytes.last() == Some(&0xff) {
            self.bytes.pop();
        }
        self.bytes
    }
}

/// Table 2 of T.814: how long a run of zeroes is that one bit stands for, as an exponent, for each state.
const RUN_EXPONENTS: [u8; 13] = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5];

/// Runs of events that are mostly 0 (MEL), from the front on, the first bit of a byte its highest.
#[derive(Debug, Default)]
pub(super) struct Runs {
    bytes: Vec<u8>,
    current: u8,
    used: u32,
    state: usize,
    run: u32,
}

impl Runs {
    fn room(&self) -> u32 {
        if self.bytes.last() == Some(&0xff) { 7 } else { 8 }
    }

    pub(super) fn put(&mut self, event: bool) {
        let exponent = RUN_EXPONENTS[self.state];
        if !event {
            self.run += 1;
            if self.run == 1 << exponent {
                self.put_bit(1);
                self.run = 0;
                self.state = (self.state + 1).min(RUN_EXPONENTS.len() - 1);
            }
            return;
        }
        self.put_bit(0);
        (0..exponent).rev().for_each(|shift| self.put_bit((self.run >> shift & 1) as u8));
        self.run = 0;
        self.state = self.state.saturating_sub(1);
    }

    fn put_bit(&mut self, bit: u8) {
        self.current = self.current << 1 | bit;
        self.used += 1;
        if self.used == self.room() {
            self.bytes.push(self.current);
            (self.current, self.used) = (0, 0);
        }
    }
}

/// Variable-length codes, written from the end of the segment to the front.
#[derive(Debug)]
pub(super) struct Codes {
    /// The last byte of the segment first.
    bytes: Vec<u8>,
    current: u8,
    used: u32,
}

impl Codes {
    /// The last byte and four bits of the one before are where the length of this part goes.
    pub(super) fn new() -> Self {
        Self { bytes: vec![0xff], current: 0xf, used: 4 }
    }

    /// The lowest `count` bits of `value`, the lowest of them first. Next to a byte above 0x8f, seven ones are a whole
    /// byte, so that no 0xff comes about before one.
    pub(super) fn put(&mut self, mut value: u32, mut count: u32) {
        while count > 0 {
            let now = count.min(self.room() - self.used);
            self.current |= ((value & ((1 << now) - 1)) << self.used) as u8;
            (value, count) = (value >> now, count - now);
            self.used += now;
            if self.used == self.room() {
                self.bytes.push(self.current);
                (self.current, self.used) = (0, 0);
            }
        }
    }

    /// Bits of the byte that is being filled.
    fn room(&self) -> u32 {
        let crowded = self.bytes.last().is_some_and(|last| *last > 0x8f);
        if crowded && (self.used < 7 || self.current == 0x7f) { 7 } else { 8 }
    }
}

/// The segment of a cleanup pass: magnitudes, runs and codes, and in its last twelve bits the length of the last two.
pub(super) fn join(magnitudes: Magnitudes, mut runs: Runs, mut codes: Codes) -> Vec<u8> {
    if runs.run > 0 {
        runs.put_bit(1);
    }
    let free = runs.room() - runs.used;
    let last_run = (u32::from(runs.current) << free) as u8;
    // The bits of their last bytes that either needs; after 0xff runs need the bit of stuffing in any case.
    let by_runs = (0xff_u32 << free) as u8;
    let by_codes = ((1_u32 << codes.used) - 1) as u8;
    let both = last_run | codes.current;
    let agree = (both ^ last_run) & by_runs == 0 && (both ^ codes.current) & by_codes == 0;
    if by_runs | by_codes != 0 {
        if agree && both != 0xff && codes.bytes.len() > 1 {
            runs.bytes.push(both);
        } else {
            runs.bytes.push(last_run);
            codes.bytes.push(codes.current);
        }
    }
    let length = runs.bytes.len() + codes.bytes.len();
    let mut out = magnitudes.finish();
    out.extend_from_slice(&runs.bytes);
    out.extend(codes.bytes.iter().rev());
    if let [.., before, last] = out.as_mut_slice() {
        *last = (length >> 4) as u8;
        *before = *before & 0xf0 | (length & 0xf) as u8;
    }
    out
}
