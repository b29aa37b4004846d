//! PS3.3 C.7.6.3: the attributes of the Image Pixel module that depend on how a frame is encoded.

use serde::{Deserialize, Serialize};

use crate::{frame::DecodedFrame, shape::Photometric};

/// What a data set must say of frames that were made anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameDescription {
    /// Rows (0028,0010).
    pub rows: u32,
    /// Columns (0028,0011).
    pub columns: u32,
    /// Samples per Pixel (0028,0002). Planar Configuration is 0.
    pub samples_per_pixel: u16,
    /// Photometric Interpretation (0028,0004).
    pub photometric_interpretation: String,
    /// Bits Allocated (0028,0100): 1, 8, 16 or 32.
    pub bits_allocated: u16,
    /// Bits Stored (0028,0101).
    pub bits_stored: u16,
    /// High Bit (0028,0102).
    pub high_bit: u16,
    /// Pixel Representation (0028,0103): true for two's complement.
    pub signed: bool,
}

impl FrameDescription {
    pub(super) fn of(decoded: &DecodedFrame<'_>) -> Self {
        Self {
            rows: decoded.rows,
            columns: decoded.columns,
            samples_per_pixel: decoded.samples_per_pixel,
            photometric_interpretation: name(decoded.photometric).to_owned(),
            bits_allocated: decoded.format.bytes() as u16 * 8,
            bits_stored: decoded.bits_stored,
            high_bit: decoded.high_bit,
            signed: decoded.signed,
        }
    }

    /// Bits of one native frame (PS3.5 8.1.1).
    pub fn native_bits(&self) -> u64 {
        let samples = u64::from(self.rows) * u64::from(self.columns) * u64::from(self.samples_per_pixel);
        samples * u64::from(self.bits_allocated)
    }
}

/// The value of Photometric Interpretation. A decoded frame is never subsampled.
fn name(photometric: Photometric) -> &'static str {
    match photometric {
        Photometric::Monochrome1 => "MONOCHROME1",
        Photometric::Monochrome2 => "MONOCHROME2",
        Photometric::PaletteColor => "PALETTE COLOR",
        Photometric::Rgb | Photometric::YbrIct | Photometric::YbrRct | Photometric::Xyb => "RGB",
        Photometric::YbrFull | Photometric::YbrFull422 | Photometric::YbrPartial422 => "YBR_FULL",
    }
}
