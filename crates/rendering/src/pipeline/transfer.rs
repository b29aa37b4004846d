//! PS3.3 C.11.1, C.11.2, C.11.6: one stored value to one grey level.

use model::pixel::{Lut, PixelModule, Window};

use crate::{
    options::{RenderOptions, VoiFunction},
    shape::Photometric,
};

/// Modality LUT: Rescale Slope and Intercept or a table.
pub(super) enum Modality<'a> {
    Linear { slope: f64, intercept: f64 },
    Table(&'a Lut),
}

impl<'a> Modality<'a> {
    pub fn of(module: &'a PixelModule) -> Self {
        if let Some(lut) = module.modality_lut.as_ref().filter(|lut| !lut.entries.is_empty()) {
            return Self::Table(lut);
        }
        match module.rescale {
            Some(rescale)
                if rescale.slope.is_finite() && rescale.intercept.is_finite() && rescale.slope != 0.0 =>
            {
                Self::Linear { slope: rescale.slope, intercept: rescale.intercept }
            }
            _ => Self::Linear { slope: 1.0, intercept: 0.0 },
        }
    }

    pub fn is_linear(&self) -> bool {
        matches!(self, Self::Linear { .. })
    }

    pub fn apply(&self, stored: f64) -> f64 {
        match self {
            Self::Linear { slope, intercept } => stored * slope + intercept,
            Self::Table(lut) => f64::from(look_up(lut, stored)),
        }
    }
}

/// An entry of a table; values outside of it get the first or last one (PS3.3 C.11.1.1.1). `lut` has entries.
fn look_up(lut: &Lut, value: f64) -> u16 {
    let last = lut.entries.len() - 1;
    // A cast of a float saturates at 0 and at the greatest; NaN becomes 0.
    let index = (value - f64::from(lut.first_mapped)) as usize;
    lut.entries[index.min(last)]
}

/// VOI LUT: a table, a window, or the whole span of values.
pub(super) enum Voi<'a> {
    Table { lut: &'a Lut, most: f64 },
    Window { center: f64, width: f64, function: VoiFunction },
    Span { least: f64, most: f64 },
}

impl<'a> Voi<'a> {
    /// What the caller or else the instance says; `None` when nothing usable is said.
    pub fn of(module: &'a PixelModule, options: &RenderOptions) -> Option<Self> {
        if let Some((center, width, function)) = options.window {
            return Some(Self::Window { center, width, function });
        }
        if let Some(lut) = module.voi_lut.as_ref().filter(|lut| !lut.entries.is_empty()) {
            let said = f64::from((1_u32 << u32::from(lut.bits.clamp(1, 16))) - 1);
            let found = lut.entries.iter().max().copied().map_or(0.0, f64::from);
            // Tables whose entries need more bits than the descriptor says do occur.
            return Some(Self::Table { lut, most: if found > said { 65_535.0 } else { said } });
        }
        let function = VoiFunction::parse(&module.voi_lut_function).unwrap_or_default();
        let usable = |window: &&Window| {
            let least = if function == VoiFunction::Linear { 1.0 } else { f64::MIN_POSITIVE };
            window.center.is_finite() && window.width.is_finite() && window.width >= least
        };
        let window = module.windows.iter().find(usable)?;
        Some(Self::Window { center: window.center, width: window.width, function })
    }

    /// 0.0 (black) to 1.0 (white).
    fn apply(&self, value: f64) -> f64 {
        match self {
            Self::Table { lut, most } => f64::from(look_up(lut, value)) / most,
            Self::Window { center, width, function: VoiFunction::Linear } => {
                // PS3.3 C.11.2.1.2.1: a window of width 1 is a threshold.
                let (center, width) = (center - 0.5, width - 1.0);
                if value <= center - width / 2.0 {
                    0.0
                } else if value > center + width / 2.0 {
                    1.0
                } else {
                    (value - center) / width + 0.5
                }
            }
            Self::Window { center, width, function: VoiFunction::LinearExact } => {
                ((value - center) / width + 0.5).clamp(0.0, 1.0)
            }
            Self::Window { center, width, function: VoiFunction::Sigmoid } => {
                1.0 / (1.0 + (-4.0 * (value - center) / width).exp())
            }
            Self::Span { least, most } if most > least => ((value - least) / (most - least)).clamp(0.0, 1.0),
            Self::Span { .. } => 0.0,
        }
    }
}

/// Everything between a stored value and its grey level.
pub(super) struct Transfer<'a> {
    pub modality: Modality<'a>,
    pub voi: Voi<'a>,
    /// MONOCHROME1 or Presentation LUT Shape INVERSE.
    pub inverse: bool,
}

impl Transfer<'_> {
    pub fn level(&self, stored: f64) -> u8 {
        let shown = self.voi.apply(self.modality.apply(stored));
        let shown = if self.inverse { 1.0 - shown } else { shown };
        // NaN becomes 0, black.
        (shown * 255.0 + 0.5) as u8
    }
}

/// Whether low values are white (PS3.3 C.7.6.3.1.2, C.11.6.1.2). MONOCHROME1 goes with INVERSE: that is one inversion.
pub(super) fn is_inverse(photometric: Photometric, module: &PixelModule) -> bool {
    photometric == Photometric::Monochrome1 || module.presentation_lut_shape.trim_end() == "INVERSE"
}

/// Pixel Padding Value to Pixel Padding Range Limit, in order (PS3.3 C.7.5.1.1.2).
pub(super) fn padding(module: &PixelModule) -> Option<(f64, f64)> {
    let (from, to) = module.pixel_padding?;
    Some((f64::from(from.min(to)), f64::from(from.max(to))))
}
