//! ITU-T T.87 A.2 to A.7: coding parameters, context states and Golomb codes.

use super::{bits::BitReader, malformed};
use crate::{codec::bit_writer::BitWriter, error::RenderError};

const RESET_DEFAULT: i32 = 64;
const THRESHOLDS_DEFAULT: [i32; 3] = [3, 7, 21];

/// The parameters of a scan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coding {
    /// MAXVAL.
    pub maximum: i32,
    /// NEAR.
    pub near: i32,
    thresholds: [i32; 3],
    reset: i32,
    range: i32,
    quantized_bits: u32,
    /// LIMIT.
    pub limit: u32,
}

impl Coding {
    pub fn new(maximum: i32, near: i32, thresholds: [i32; 3], reset: i32) -> Result<Self, RenderError> {
        if maximum < 1 || near > maximum / 2 || near > 255 {
            return Err(malformed("MAXVAL or NEAR"));
        }
        let range = (maximum + 2 * near) / (2 * near + 1) + 1;
        let bits = bits_for(maximum).max(2);
        let defaults = default_thresholds(maximum, near);
        let mut chosen = [0; 3];
        let mut least = near + 1;
        for (index, threshold) in thresholds.into_iter().enumerate() {
            chosen[index] = if threshold == 0 { defaults[index] } else { threshold };
            if chosen[index] < least || chosen[index] > maximum.max(least) {
                return Err(malformed("the thresholds"));
            }
            least = chosen[index];
        }
        let reset = if reset == 0 { RESET_DEFAULT } else { reset };
        if reset < 3 {
            return Err(malformed("RESET"));
        }
        Ok(Self {
            maximum,
            near,
            thresholds: chosen,
            reset,
            range,
            quantized_bits: bits_for(range - 1),
            limit: 2 * (bits + bits.max(8)),
        })
    }

    /// A.3.3: the gradient's region, -4 to 4.
    pub fn quantize(&self, gradient: i32) -> i32 {
        let [first, second, third] = self.thresholds;
        let size = gradient.abs();
        let region = if size <= self.near {
            0
        } else if size < first {
            1
        } else if size < second {
            2
        } else if size < third {
            3
        } else {
            4
        };
        if gradient < 0 { -region } else { region }
    }

    /// A.4.5, A.5: prediction and error to a sample.
    pub fn reconstruct(&self, predicted: i32, error: i32) -> i32 {
        let step = 2 * self.near + 1;
        let mut value = predicted + error * step;
        if value < -self.near {
            value += self.range * step;
        } else if value > self.maximum + self.near {
            value -= self.range * step;
        }
        value.clamp(0, self.maximum)
    }

    /// A.5.3: a limited-length Golomb code.
    pub fn read_golomb(&self, bits: &mut BitReader<'_>, k: u32, limit: u32) -> Result<i32, RenderError> {
        let escape = limit.saturating_sub(self.quantized_bits + 1);
        let high = bits.read_unary(escape)?;
        let value = if high < escape {
            (u64::from(high) << k) + u64::from(bits.read(k)?)
        } else {
            u64::from(bits.read(self.quantized_bits)?) + 1
        };
        // A mapped error is below twice the range; this bound keeps all later sums small.
        i32::try_from(value)
            .ok()
            .filter(|value| *value <= 2 * self.range + 2)
            .ok_or_else(|| malformed("an error is out of range"))
    }

    /// A.4.5: an error of lossless coding, into the range that is coded.
    pub fn reduce(&self, error: i32) -> i32 {
        let error = if error < 0 { error + self.range } else { error };
        if error >= (self.range + 1) / 2 { error - self.range } else { error }
    }

    /// A.5.3, the other way.
    pub fn write_golomb(&self, bits: &mut BitWriter, k: u32, limit: u32, mapped: i32) {
        let escape = limit.saturating_sub(self.quantized_bits + 1);
        let mapped = mapped.unsigned_abs();
        if mapped >> k < escape {
            bits.write_unary(mapped >> k);
            bits.write(mapped, k);
        } else {
            bits.write_unary(escape);
            bits.write(mapped - 1, self.quantized_bits);
        }
    }

    fn initial_sum(&self) -> i64 {
        i64::from(((self.range + 32) / 64).max(2))
    }
}

fn bits_for(value: i32) -> u32 {
    32 - (value.max(0) as u32).leading_zeros()
}

/// C.2.4.1.1.
fn default_thresholds(maximum: i32, near: i32) -> [i32; 3] {
    let clamp = |value: i32, least: i32| if value > maximum || value < least { least } else { value };
    let [basic1, basic2, basic3] = THRESHOLDS_DEFAULT;
    let raw = if maximum >= 128 {
        let factor = (maximum.min(4095) + 128) / 256;
        [factor * (basic1 - 2) + 2, factor * (basic2 - 3) + 3, factor * (basic3 - 4) + 4]
    } else {
        let factor = 256 / (maximum + 1);
        [(basic1 / factor).max(2), (basic2 / factor).max(3), (basic3 / factor).max(4)]
    };
    let first = clamp(raw[0] + 3 * near, near + 1);
    let second = clamp(raw[1] + 5 * near, first);
    [first, second, clamp(raw[2] + 7 * near, second)]
}

/// A regular context (A.2.1): A, B, C and N.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    sum: i64,
    bias: i32,
    correction: i32,
    count: i32,
}

impl Context {
    pub fn new(coding: &Coding) -> Self {
        Self { sum: coding.initial_sum(), bias: 0, correction: 0, count: 1 }
    }

    pub fn correction(&self) -> i32 {
        self.correction
    }

    /// A.5: reads the error of a sample and updates the context.
    pub fn read_error(&mut self, coding: &Coding, bits: &mut BitReader<'_>) -> Result<i32, RenderError> {
        let k = golomb_parameter(self.count, self.sum);
        let mapped = coding.read_golomb(bits, k, coding.limit)?;
        let inverted = coding.near == 0 && k == 0 && 2 * self.bias <= -self.count;
        let odd = mapped & 1 == 1;
        let error = if odd == inverted { mapped / 2 } else { -(mapped / 2) - 1 };
        self.update(coding, error);
        Ok(error)
    }

    /// The same for an error that is known, lossless.
    pub fn write_error(&mut self, coding: &Coding, bits: &mut BitWriter, error: i32) {
        let k = golomb_parameter(self.count, self.sum);
        let inverted = i32::from(k == 0 && 2 * self.bias <= -self.count);
        let mapped = if error >= 0 { 2 * error + inverted } else { -2 * error - 1 - inverted };
        coding.write_golomb(bits, k, coding.limit, mapped);
        self.update(coding, error);
    }

    /// A.6.
    fn update(&mut self, coding: &Coding, error: i32) {
        self.bias += error * (2 * coding.near + 1);
        self.sum += i64::from(error.abs());
        if self.count == coding.reset {
            self.sum >>= 1;
            self.bias >>= 1;
            self.count >>= 1;
        }
        self.count += 1;
        if self.bias <= -self.count {
            self.bias = (self.bias + self.count).max(1 - self.count);
            self.correction = (self.correction - 1).max(-128);
        } else if self.bias > 0 {
            self.bias = (self.bias - self.count).min(0);
            self.correction = (self.correction + 1).min(127);
        }
    }
}

/// A run interruption context (A.7.2): A, N and Nn.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunContext {
    sum: i64,
    count: i32,
    negatives: i32,
    kind: i32,
}

impl RunContext {
    /// `kind` is RItype.
    pub fn new(coding: &Coding, kind: i32) -> Self {
        Self { sum: coding.initial_sum(), count: 1, negatives: 0, kind }
    }

    pub fn read_error(
        &mut self,
        coding: &Coding,
        bits: &mut BitReader<'_>,
        limit: u32,
    ) -> Result<i32, RenderError> {
        let k = golomb_parameter(self.count, self.sum + i64::from((self.count >> 1) * self.kind));
        let mapped = coding.read_golomb(bits, k, limit)?;
        let shifted = mapped + self.kind;
        let odd = shifted & 1 == 1;
        let size = shifted / 2 + i32::from(odd);
        let error = if (k != 0 || 2 * self.negatives >= self.count) == odd { -size } else { size };
        self.update(coding, mapped, error);
        Ok(error)
    }

    /// The same for an error that is known, lossless.
    pub fn write_error(&mut self, coding: &Coding, bits: &mut BitWriter, limit: u32, error: i32) {
        let k = golomb_parameter(self.count, self.sum + i64::from((self.count >> 1) * self.kind));
        // A.7.2.1: the sign that is less likely makes the number odd.
        let negative_is_odd = k != 0 || 2 * self.negatives >= self.count;
        let odd = error != 0 && (error < 0) == negative_is_odd;
        let mapped = 2 * error.abs() - self.kind - i32::from(odd);
        coding.write_golomb(bits, k, limit, mapped);
        self.update(coding, mapped, error);
    }

    fn update(&mut self, coding: &Coding, mapped: i32, error: i32) {
        if error < 0 {
            self.negatives += 1;
        }
        self.sum += i64::from((mapped + 1 - self.kind) >> 1);
        if self.count == coding.reset {
            self.sum >>= 1;
            self.count >>= 1;
            self.negatives >>= 1;
        }
        self.count += 1;
    }
}

/// A.5.1: the least k with N * 2^k >= A.
fn golomb_parameter(count: i32, sum: i64) -> u32 {
    (0..24).find(|k| i64::from(count) << k >= sum).unwrap_or(24)
}
