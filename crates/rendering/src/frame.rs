//! A decoded frame: samples as little-endian words, colour by pixel, whatever codec they came in.

use std::borrow::Cow;

use crate::{error::RenderError, region::Cut, shape::Photometric};

/// How wide a decoded sample is and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SampleFormat {
    /// One byte.
    Bits8,
    /// Two bytes, little endian.
    Bits16,
    /// Four bytes, little endian.
    Bits32,
    /// IEEE 754 single, little endian.
    Float32,
    /// IEEE 754 double, little endian.
    Float64,
}

impl SampleFormat {
    /// Bytes of one sample.
    pub fn bytes(self) -> usize {
        match self {
            Self::Bits8 => 1,
            Self::Bits16 => 2,
            Self::Bits32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }
}

/// The samples of one frame, as words of Bits Allocated: Bits Stored, High Bit and sign are not applied yet.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodedFrame<'a> {
    /// Rows; fewer than the module says when a reduced resolution was asked.
    pub rows: u32,
    /// Columns; fewer likewise.
    pub columns: u32,
    /// 1 or 3.
    pub samples_per_pixel: u16,
    /// Width and kind of a sample.
    pub format: SampleFormat,
    /// Bits Stored.
    pub bits_stored: u16,
    /// High Bit.
    pub high_bit: u16,
    /// Two's complement.
    pub signed: bool,
    /// What the samples mean after decoding: [`Photometric::Rgb`] when the codec undid a colour transform, never one
    /// of the subsampled or JPEG 2000 kinds.
    pub photometric: Photometric,
    /// `rows * columns * samples_per_pixel` samples, interleaved. Borrowed when the frame could be used as it was.
    pub bytes: Cow<'a, [u8]>,
}

impl DecodedFrame<'_> {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.format.bytes()
    }

    /// True when there is no sample.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The stored value of a sample: shifted, masked and sign-extended (PS3.5 8.1.1). 0 past the end.
    pub fn stored_value(&self, index: usize) -> f64 {
        let size = self.format.bytes();
        let Some(start) = index.checked_mul(size) else { return 0.0 };
        let Some(bytes) = self.bytes.get(start..start + size) else { return 0.0 };
        let mut word = [0; 8];
        word[..size].copy_from_slice(bytes);
        match self.format {
            SampleFormat::Float64 => f64::from_le_bytes(word),
            SampleFormat::Float32 => f64::from(f32::from_le_bytes([word[0], word[1], word[2], word[3]])),
            _ => self.bits().stored(u64::from_le_bytes(word) as u32) as f64,
        }
    }

    /// A rectangle of it.
    pub(crate) fn part(&self, cut: Cut) -> Result<DecodedFrame<'static>, RenderError> {
        let pixel_bytes = self.format.bytes() * usize::from(self.samples_per_pixel);
        let row_bytes = self.columns as usize * pixel_bytes;
        let (from, length) = (cut.x as usize * pixel_bytes, cut.columns as usize * pixel_bytes);
        let mut bytes = Vec::with_capacity(length * cut.rows as usize);
        for row in cut.y as usize..(cut.y + cut.rows) as usize {
            let start = row * row_bytes + from;
            let short = || RenderError::Implausible("the number of decoded samples".into());
            bytes.extend_from_slice(self.bytes.get(start..start + length).ok_or_else(short)?);
        }
        Ok(DecodedFrame { rows: cut.rows, columns: cut.columns, bytes: Cow::Owned(bytes), ..*self })
    }

    pub(crate) fn bits(&self) -> BitField {
        BitField::new(self.bits_stored, self.high_bit, self.signed)
    }
}

/// Where the stored bits lie in a word. "Normal" is the stored value counted from the least one, so that it is
/// never negative and fits as an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BitField {
    pub shift: u32,
    pub mask: u32,
    /// The sign bit of a signed value, else 0: XOR turns two's complement into offset binary.
    pub sign: u32,
}

impl BitField {
    pub fn new(bits_stored: u16, high_bit: u16, signed: bool) -> Self {
        let bits = u32::from(bits_stored.clamp(1, 32));
        let mask = u32::MAX >> (32 - bits);
        let shift = (u32::from(high_bit) + 1).saturating_sub(bits).min(31);
        Self { shift, mask, sign: if signed { 1 << (bits - 1) } else { 0 } }
    }

    pub fn normal(self, word: u32) -> u32 {
        ((word >> self.shift) & self.mask) ^ self.sign
    }

    pub fn stored(self, word: u32) -> i64 {
        i64::from(self.normal(word)) - i64::from(self.sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_cut_out_and_sign_extended() {
        let twelve = BitField::new(12, 11, true);
        assert_eq!(twelve.stored(0x0fff), -1);
        assert_eq!(twelve.stored(0xf800), -2048);
        assert_eq!(twelve.stored(0x07ff), 2047);
        assert_eq!(twelve.normal(0x0800), 0);
        let high = BitField::new(12, 15, false);
        assert_eq!(high.stored(0xabcd), 0xabc);
        assert_eq!(BitField::new(32, 31, true).stored(u32::MAX), -1);
        assert_eq!(BitField::new(1, 0, true).stored(1), -1);
    }
}
