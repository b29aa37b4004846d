//! PS3.18 8.3.5 and 9.5: what a caller may ask of a rendering.

use serde::{Deserialize, Serialize};

use crate::{
    error::RenderError,
    limits::OUTPUT_SIDE_MAX_PIXELS,
    region::{Cut, Region},
};

/// VOI LUT Function (PS3.3 C.11.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VoiFunction {
    /// PS3.3 C.11.2.1.2.1.
    #[default]
    Linear,
    /// PS3.3 C.11.2.1.3.2.
    LinearExact,
    /// PS3.3 C.11.2.1.3.1.
    Sigmoid,
}

impl VoiFunction {
    /// Reads the value of VOI LUT Function, or of the query parameter `window` in any case and with `-` for `_`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim_end().to_ascii_uppercase().replace('-', "_").as_str() {
            "" | "LINEAR" => Some(Self::Linear),
            "LINEAR_EXACT" => Some(Self::LinearExact),
            "SIGMOID" => Some(Self::Sigmoid),
            _ => None,
        }
    }
}

/// How to render a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct RenderOptions {
    /// Window Center, Window Width and function instead of those of the instance; colour images ignore it.
    pub window: Option<(f64, f64, VoiFunction)>,
    /// Width and height in pixels that the picture is fitted into, keeping its aspect.
    pub size_max: Option<(u32, u32)>,
    /// Also enlarge up to `size_max`.
    pub enlarge: bool,
    /// Only this part of the image.
    pub region: Option<Region>,
}

impl RenderOptions {
    /// Fits the picture into a square of this side.
    pub fn fit(side_pixels: u32) -> Self {
        Self { size_max: Some((side_pixels, side_pixels)), ..Self::default() }
    }

    /// Checks what came from a query string.
    ///
    /// # Errors
    /// [`RenderError::InvalidOptions`] with a text for the client.
    pub fn check(&self) -> Result<(), RenderError> {
        if let Some((center, width, function)) = self.window {
            let least = if function == VoiFunction::Linear { 1.0 } else { f64::MIN_POSITIVE };
            if !center.is_finite() || !width.is_finite() || width < least {
                return Err(RenderError::InvalidOptions(
                    "the window needs a finite center and a width of at least 1".into(),
                ));
            }
        }
        match self.size_max {
            Some((width, height)) if width == 0 || height == 0 => {
                Err(RenderError::InvalidOptions("the size of the picture must be at least 1 x 1".into()))
            }
            Some((width, height)) if width > OUTPUT_SIDE_MAX_PIXELS || height > OUTPUT_SIDE_MAX_PIXELS => {
                Err(RenderError::InvalidOptions("the size of the picture is limited to 4096 x 4096".into()))
            }
            _ => Ok(()),
        }
    }

    /// The pixels of a frame that are shown.
    pub(crate) fn cut(&self, columns: u32, rows: u32) -> Result<Cut, RenderError> {
        let whole = Cut { x: 0, y: 0, columns, rows };
        let outside = || RenderError::InvalidOptions("the region lies outside of the image".into());
        self.region.map_or(Ok(whole), |region| region.cut(columns, rows).ok_or_else(outside))
    }

    /// Width and height of the picture of a frame; without a wish the largest that is allowed.
    pub fn target(&self, columns: u32, rows: u32) -> (u32, u32) {
        let (width_max, height_max) =
            self.size_max.unwrap_or((OUTPUT_SIDE_MAX_PIXELS, OUTPUT_SIDE_MAX_PIXELS));
        let enlarge = self.enlarge && self.size_max.is_some();
        if !enlarge && columns <= width_max && rows <= height_max {
            return (columns, rows);
        }
        let (columns, rows) = (u64::from(columns.max(1)), u64::from(rows.max(1)));
        let (width_max, height_max) = (u64::from(width_max), u64::from(height_max));
        // width_max / columns against height_max / rows: the smaller factor decides.
        let half_up = |value: u64, times: u64, by: u64| ((value * times + by / 2) / by).max(1) as u32;
        if width_max * rows <= height_max * columns {
            (width_max as u32, half_up(rows, width_max, columns).min(height_max as u32))
        } else {
            (half_up(columns, height_max, rows).min(width_max as u32), height_max as u32)
        }
    }
}

/// The file format of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageFormat {
    /// JPEG baseline.
    Jpeg {
        /// 1 to 100.
        quality: u8,
    },
    /// PNG.
    Png,
    /// WebP, lossless.
    Webp,
    /// GIF of one frame, colour in a palette of 256.
    Gif {
        /// How long it is shown among others, in hundredths of a second.
        delay: u16,
    },
}

impl ImageFormat {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg { .. } => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Gif { .. } => "image/gif",
        }
    }
}

/// One picture to make of a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// How to render.
    pub options: RenderOptions,
    /// How to encode.
    pub format: ImageFormat,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_aspect() {
        let fit = RenderOptions::fit(512);
        assert_eq!(fit.target(2500, 3000), (427, 512));
        assert_eq!(fit.target(3000, 2500), (512, 427));
        assert_eq!(fit.target(100, 50), (100, 50));
        assert_eq!(fit.target(65_535, 1), (512, 1));
        let enlarge = RenderOptions { enlarge: true, ..RenderOptions::fit(512) };
        assert_eq!(enlarge.target(100, 50), (512, 256));
        assert_eq!(RenderOptions::default().target(5000, 100), (4096, 82));
    }

    #[test]
    fn absurd_wishes_are_refused() {
        for window in [(f64::NAN, 1.0), (0.0, f64::NAN), (0.0, f64::INFINITY), (0.0, 0.0), (0.0, -5.0)] {
            let options = RenderOptions {
                window: Some((window.0, window.1, VoiFunction::Linear)),
                ..RenderOptions::default()
            };
            assert!(options.check().is_err(), "{window:?}");
        }
        for size_max in [(0, 5), (5, 0), (1_000_000_000, 5), (5, 4097)] {
            let options = RenderOptions { size_max: Some(size_max), ..RenderOptions::default() };
            assert!(options.check().is_err(), "{size_max:?}");
        }
    }
}
