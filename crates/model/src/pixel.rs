//! PS3.3 C.7.6.3 and C.11: what is needed to turn stored samples into a picture, read once at ingest.

use serde::{Deserialize, Serialize};

/// A look-up table (PS3.3 C.11.1.1.1): LUT Descriptor and LUT Data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lut {
    /// First stored value mapped; already signed where the descriptor's VR or Pixel Representation says so.
    pub first_mapped: i32,
    /// Bits of each entry, 8 or 16.
    pub bits: u16,
    /// Entries, at most 65,536.
    pub entries: Vec<u16>,
}

/// Window Center and Window Width (PS3.3 C.11.2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Window Center (0028,1050).
    pub center: f64,
    /// Window Width (0028,1051).
    pub width: f64,
}

/// Rescale Slope and Intercept (PS3.3 C.11.1).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rescale {
    /// Rescale Slope (0028,1053).
    pub slope: f64,
    /// Rescale Intercept (0028,1052).
    pub intercept: f64,
}

/// The Image Pixel, Modality LUT and VOI LUT modules of an instance, as sent: nothing here is checked for sense.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct PixelModule {
    /// Rows (0028,0010).
    pub rows: u32,
    /// Columns (0028,0011).
    pub columns: u32,
    /// Samples per Pixel (0028,0002).
    pub samples_per_pixel: u16,
    /// Photometric Interpretation (0028,0004).
    pub photometric_interpretation: String,
    /// Planar Configuration (0028,0006), 0 when absent.
    pub planar_configuration: u16,
    /// Bits Allocated (0028,0100).
    pub bits_allocated: u16,
    /// Bits Stored (0028,0101).
    pub bits_stored: u16,
    /// High Bit (0028,0102).
    pub high_bit: u16,
    /// Pixel Representation (0028,0103): true for two's complement.
    pub signed: bool,
    /// Number of Frames (0028,0008), 1 when absent.
    pub number_of_frames: u32,
    /// Representative Frame Number (0028,6010), counted from 1.
    pub representative_frame_number: Option<u32>,
    /// Pixel Data is in (7FE0,0008) as 32-bit floats.
    pub float_pixel_data: bool,
    /// Pixel Data is in (7FE0,0009) as 64-bit floats.
    pub double_float_pixel_data: bool,
    /// Rescale Slope and Intercept at the top level or in functional groups, of several frames those of the first; see
    /// [`crate::functional_groups`].
    pub rescale: Option<Rescale>,
    /// Modality LUT Sequence (0028,3000), first item.
    pub modality_lut: Option<Lut>,
    /// All pairs of Window Center and Width, the default one first.
    pub windows: Vec<Window>,
    /// VOI LUT Function (0028,1056): LINEAR when absent.
    pub voi_lut_function: String,
    /// VOI LUT Sequence (0028,3010), first item.
    pub voi_lut: Option<Lut>,
    /// Presentation LUT Shape (2050,0020): IDENTITY, INVERSE or empty.
    pub presentation_lut_shape: String,
    /// Red, green and blue palette (0028,1101..1103, 1201..1203), expanded when segmented.
    pub palette: Option<Box<[Lut; 3]>>,
    /// Pixel Padding Value (0028,0120) and Pixel Padding Range Limit (0028,0121), in stored values.
    pub pixel_padding: Option<(i32, i32)>,
    /// Lossy Image Compression (0028,2110) is "01".
    pub lossy: bool,
}
