//! PS3.3 C.7.6.3: the pixel module checked for sense, before anything is allocated or decoded.

use model::pixel::PixelModule;

use crate::{
    error::RenderError,
    limits::{FRAME_DECODED_MAX_BYTES, ROWS_COLUMNS_MAX},
};

/// Photometric Interpretation (PS3.3 C.7.6.3.1.2), those that can be rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Photometric {
    /// Low is white.
    Monochrome1,
    /// Low is black.
    Monochrome2,
    /// Indices into the palette.
    PaletteColor,
    /// Red, green, blue.
    Rgb,
    /// Luminance and chrominance, full range, one of each a pixel.
    YbrFull,
    /// The same with chrominance for every second pixel of a row.
    YbrFull422,
    /// Video range with chrominance for every second pixel (retired).
    YbrPartial422,
    /// JPEG 2000's irreversible transform: the decoder gives RGB.
    YbrIct,
    /// JPEG 2000's reversible transform: the decoder gives RGB.
    YbrRct,
    /// JPEG XL's colour space: the decoder gives RGB.
    Xyb,
}

impl Photometric {
    fn parse(text: &str) -> Result<Self, RenderError> {
        Ok(match text.trim_end_matches(['\0', ' ']) {
            "MONOCHROME1" => Self::Monochrome1,
            "MONOCHROME2" => Self::Monochrome2,
            "PALETTE COLOR" => Self::PaletteColor,
            "RGB" => Self::Rgb,
            "YBR_FULL" => Self::YbrFull,
            "YBR_FULL_422" => Self::YbrFull422,
            "YBR_PARTIAL_422" => Self::YbrPartial422,
            "YBR_ICT" => Self::YbrIct,
            "YBR_RCT" => Self::YbrRct,
            "XYB" => Self::Xyb,
            _ => {
                return Err(RenderError::Unsupported("unknown or retired Photometric Interpretation".into()));
            }
        })
    }

    /// One sample a pixel.
    pub fn is_single_sample(self) -> bool {
        matches!(self, Self::Monochrome1 | Self::Monochrome2 | Self::PaletteColor)
    }
}

/// A pixel module that makes sense and fits the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameShape {
    /// Rows, 1 to 65,535.
    pub rows: u32,
    /// Columns, 1 to 65,535.
    pub columns: u32,
    /// Samples per Pixel, 1 or 3.
    pub samples_per_pixel: u16,
    /// Bits Allocated: 1, 8, 16, 32 or 64.
    pub bits_allocated: u16,
    /// Bits Stored, 1 to Bits Allocated.
    pub bits_stored: u16,
    /// High Bit, Bits Stored - 1 to Bits Allocated - 1.
    pub high_bit: u16,
    /// Two's complement.
    pub signed: bool,
    /// Planar Configuration 1: all red, then all green, then all blue.
    pub planar: bool,
    /// Float or double samples.
    pub float: bool,
    /// Photometric Interpretation.
    pub photometric: Photometric,
}

impl FrameShape {
    /// Checks the module.
    ///
    /// # Errors
    /// Says which attribute makes no sense, or that the frame is over the limit.
    pub fn check(module: &PixelModule) -> Result<Self, RenderError> {
        if module.rows == 0 || module.columns == 0 {
            return Err(RenderError::Implausible("Rows or Columns is 0 or missing".into()));
        }
        if module.rows > ROWS_COLUMNS_MAX || module.columns > ROWS_COLUMNS_MAX {
            return Err(RenderError::Implausible("Rows or Columns is over 65,535".into()));
        }
        let photometric = Photometric::parse(&module.photometric_interpretation)?;
        let samples_expected = if photometric.is_single_sample() { 1 } else { 3 };
        if module.samples_per_pixel != samples_expected {
            return Err(RenderError::Implausible(
                "Samples per Pixel does not fit the Photometric Interpretation".into(),
            ));
        }
        let float = module.float_pixel_data || module.double_float_pixel_data;
        let mut shape = Self {
            rows: module.rows,
            columns: module.columns,
            samples_per_pixel: module.samples_per_pixel,
            bits_allocated: module.bits_allocated,
            bits_stored: module.bits_stored,
            high_bit: module.high_bit,
            signed: module.signed,
            planar: module.planar_configuration == 1 && module.samples_per_pixel > 1,
            float,
            photometric,
        };
        if float {
            // PS3.3 C.7.6.24 and C.7.6.25 fix Bits Allocated and know no Bits Stored.
            let bits = if module.double_float_pixel_data { 64 } else { 32 };
            (shape.bits_allocated, shape.bits_stored, shape.high_bit) = (bits, bits, bits - 1);
            shape.signed = true;
        }
        shape.check_bits()?;
        let bytes = shape.decoded_bytes();
        if bytes > FRAME_DECODED_MAX_BYTES {
            return Err(RenderError::TooLarge { bytes, limit_bytes: FRAME_DECODED_MAX_BYTES });
        }
        Ok(shape)
    }

    fn check_bits(&self) -> Result<(), RenderError> {
        match self.bits_allocated {
            1 | 8 | 16 | 32 => {}
            64 if self.float => {}
            2..=64 => return Err(RenderError::Unsupported("Bits Allocated other than 1, 8, 16, 32".into())),
            _ => return Err(RenderError::Implausible("Bits Allocated".into())),
        }
        if self.bits_stored == 0 || self.bits_stored > self.bits_allocated {
            return Err(RenderError::Implausible("Bits Stored is 0 or over Bits Allocated".into()));
        }
        if self.high_bit >= self.bits_allocated || self.high_bit + 1 < self.bits_stored {
            return Err(RenderError::Implausible("High Bit does not fit Bits Stored and Allocated".into()));
        }
        if self.samples_per_pixel > 1 && self.bits_allocated < 8 {
            return Err(RenderError::Unsupported("colour of 1 bit".into()));
        }
        Ok(())
    }

    /// Pixels of one frame; at most 2^32.
    pub fn pixels(&self) -> u64 {
        u64::from(self.rows) * u64::from(self.columns)
    }

    /// Samples of one decoded frame.
    pub fn samples(&self) -> u64 {
        self.pixels() * u64::from(self.samples_per_pixel)
    }

    /// Bytes of one decoded sample; a 1-bit sample takes a byte.
    pub fn sample_bytes(&self) -> u64 {
        u64::from(self.bits_allocated.div_ceil(8))
    }

    /// Size of the decoded frame.
    pub fn decoded_bytes(&self) -> u64 {
        self.samples() * self.sample_bytes()
    }

    /// Size of the native frame (PS3.5 8.1.1): 1-bit samples are packed, 4:2:2 has two samples a pixel.
    pub fn native_bytes(&self) -> u64 {
        match self.photometric {
            Photometric::YbrFull422 | Photometric::YbrPartial422 => {
                u64::from(self.rows) * u64::from(self.columns.div_ceil(2)) * 4 * self.sample_bytes()
            }
            _ => (self.samples() * u64::from(self.bits_allocated)).div_ceil(8),
        }
    }

    /// Refuses a frame that could not expand to its decoded size even at the codec's best.
    pub(crate) fn check_ratio(&self, found: usize, ratio_max: u64) -> Result<(), RenderError> {
        let (found_bytes, needed_bytes) = (found as u64, self.decoded_bytes());
        if found_bytes.saturating_mul(ratio_max) < needed_bytes {
            return Err(RenderError::Truncated { found_bytes, needed_bytes });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module() -> PixelModule {
        PixelModule {
            rows: 4,
            columns: 6,
            samples_per_pixel: 1,
            photometric_interpretation: "MONOCHROME2".into(),
            bits_allocated: 16,
            bits_stored: 12,
            high_bit: 11,
            ..PixelModule::default()
        }
    }

    #[test]
    fn sizes() {
        let shape = FrameShape::check(&module()).expect("plausible");
        assert_eq!((shape.pixels(), shape.decoded_bytes(), shape.native_bytes()), (24, 48, 48));
        let bits =
            PixelModule { bits_allocated: 1, bits_stored: 1, high_bit: 0, rows: 3, columns: 3, ..module() };
        let shape = FrameShape::check(&bits).expect("plausible");
        assert_eq!((shape.decoded_bytes(), shape.native_bytes()), (9, 2));
    }

    #[test]
    fn absurd_modules_are_refused() {
        let hostile = [
            PixelModule { rows: 0, ..module() },
            PixelModule { columns: u32::MAX, ..module() },
            PixelModule { rows: 65_535, columns: 65_535, ..module() },
            PixelModule { bits_allocated: 255, ..module() },
            PixelModule { bits_allocated: 0, ..module() },
            PixelModule { bits_stored: 0, ..module() },
            PixelModule { bits_stored: 17, ..module() },
            PixelModule { high_bit: 16, ..module() },
            PixelModule { high_bit: u16::MAX, ..module() },
            PixelModule { high_bit: 3, ..module() },
            PixelModule { samples_per_pixel: 65_535, ..module() },
            PixelModule { samples_per_pixel: 0, ..module() },
            PixelModule { photometric_interpretation: "RGB".into(), ..module() },
            PixelModule { photometric_interpretation: String::new(), ..module() },
            PixelModule {
                photometric_interpretation: "RGB".into(),
                samples_per_pixel: 3,
                bits_allocated: 1,
                bits_stored: 1,
                high_bit: 0,
                ..module()
            },
        ];
        for module in hostile {
            assert!(FrameShape::check(&module).is_err(), "{module:?}");
        }
    }
}
