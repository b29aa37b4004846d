//! ITU-T T.814 clause 7.1, from the encoder's side: the three streams of bits that a cleanup pass is made of.

use crate::codec::bit_writer::BitWriter;

/// Bytes that are filled from their lowest bit on.
#[derive(Debug, Default)]
struct LowFirst {
    bytes: Vec<u8>,
    current: u8,
    used: u32,
}

impl LowFirst {
    /// The lowest `count` bits of `value`, the lowest of them first; `room` says how many bits the byte in work has.
    fn put(&mut self, mut value: u32, mut count: u32, room: impl Fn(&Self) -> u32) {
        while count > 0 {
            let now = count.min(room(self) - self.used);
            self.current |= ((value & ((1 << now) - 1)) << self.used) as u8;
            (value, count) = (value >> now, count - now);
            self.used += now;
            if self.used == room(self) {
                self.bytes.push(self.current);
                (self.current, self.used) = (0, 0);
            }
        }
    }

    /// A byte after 0xff has seven bits.
    fn room_of_magnitudes(&self) -> u32 {
        if self.bytes.last() == Some(&0xff) { 7 } else { 8 }
    }

    /// Next to a byte above 0x8f, seven ones are a whole byte, so that no 0xff comes about before one.
    fn room_of_codes(&self) -> u32 {
        let crowded = self.bytes.last().is_some_and(|last| *last > 0x8f);
        if crowded && (self.used < 7 || self.current == 0x7f) { 7 } else { 8 }
    }
}

/// Magnitudes and signs, from the front on.
#[derive(Debug, Default)]
pub(super) struct Magnitudes(LowFirst);

impl Magnitudes {
    /// The lowest `count` bits of `value`, the lowest of them first.
    pub(super) fn put(&mut self, value: u32, count: u32) {
        self.0.put(value, count, LowFirst::room_of_magnitudes);
    }

    /// What the decoder finds behind the end are ones; a last byte of ones it supplies itself.
    fn finish(mut self) -> Vec<u8> {
        if self.0.used > 0 {
            self.put(0xff, self.0.room_of_magnitudes() - self.0.used);
        }
        if self.0.bytes.last() == Some(&0xff) {
            self.0.bytes.pop();
        }
        self.0.bytes
    }
}

/// Table 2 of T.814: how long a run of zeroes is that one bit stands for, as an exponent, for each state.
const RUN_EXPONENTS: [u8; 13] = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5];

/// Runs of events that are mostly 0 (MEL), from the front on.
#[derive(Debug, Default)]
pub(super) struct Runs {
    bits: BitWriter,
    state: usize,
    run: u32,
}

impl Runs {
    pub(super) fn put(&mut self, event: bool) {
        let exponent = u32::from(RUN_EXPONENTS[self.state]);
        if event {
            // That it ends here, and how long it is.
            self.bits.write(self.run, exponent + 1);
            self.run = 0;
            self.state = self.state.saturating_sub(1);
            return;
        }
        self.run += 1;
        if self.run == 1 << exponent {
            self.bits.write(1, 1);
            self.run = 0;
            self.state = (self.state + 1).min(RUN_EXPONENTS.len() - 1);
        }
    }
}

/// Variable-length codes, written from the end of the segment to the front.
#[derive(Debug)]
pub(super) struct Codes(LowFirst);

impl Codes {
    /// The last byte and four bits of the one before are where the length of this part goes.
    pub(super) fn new() -> Self {
        Self(LowFirst { bytes: vec![0xff], current: 0xf, used: 4 })
    }

    /// The lowest `count` bits of `value`, the lowest of them first.
    pub(super) fn put(&mut self, value: u32, count: u32) {
        self.0.put(value, count, LowFirst::room_of_codes);
    }
}

/// The segment of a cleanup pass: magnitudes, runs and codes, and in its last twelve bits the length of the last two.
pub(super) fn join(magnitudes: Magnitudes, mut runs: Runs, Codes(mut codes): Codes) -> Vec<u8> {
    if runs.run > 0 {
        runs.bits.write(1, 1);
    }
    // Of their last bytes the bits that either needs; after 0xff runs need the bit of stuffing in any case.
    let (mut run_bytes, last_run, by_runs) = runs.bits.into_parts();
    let by_codes = ((1_u32 << codes.used) - 1) as u8;
    let both = last_run | codes.current;
    let agree = (both ^ last_run) & by_runs == 0 && (both ^ codes.current) & by_codes == 0;
    if by_runs | by_codes != 0 {
        if agree && both != 0xff && codes.bytes.len() > 1 {
            run_bytes.push(both);
        } else {
            run_bytes.push(last_run);
            codes.bytes.push(codes.current);
        }
    }
    let length = run_bytes.len() + codes.bytes.len();
    let mut out = magnitudes.finish();
    out.extend_from_slice(&run_bytes);
    out.extend(codes.bytes.iter().rev());
    if let [.., before, last] = out.as_mut_slice() {
        *last = (length >> 4) as u8;
        *before = *before & 0xf0 | (length & 0xf) as u8;
    }
    out
}
