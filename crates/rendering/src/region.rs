//! PS3.18 8.3.5.1.3 and 9.1.2.2.3: the part of an image that is shown.

use serde::{Deserialize, Serialize};

/// A part of an image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Region {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
    /// Counted in pixels, else in shares of the width and height.
    pixels: bool,
    /// Left and right change places.
    flip_horizontally: bool,
    /// Top and bottom change places.
    flip_vertically: bool,
}

/// Pixels of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    pub x: u32,
    pub y: u32,
    pub columns: u32,
    pub rows: u32,
}

impl Region {
    /// By shares of the width and height, 0 to 1. `None` when they are none, or in the wrong order.
    pub fn shares(left: f64, top: f64, right: f64, bottom: f64) -> Option<Self> {
        let within = [left, top, right, bottom].iter().all(|share| (0.0..=1.0).contains(share));
        let (flip_horizontally, flip_vertically) = (false, false);
        let region = Self { left, top, right, bottom, pixels: false, flip_horizontally, flip_vertically };
        (within && left < right && top < bottom).then_some(region)
    }

    /// By pixels from the upper left corner: absolute values count, a negative width or height flips the picture (PS3.18
    /// 8.3.5.1.3). `None` when there is no area. What lies outside of the image is left out.
    pub fn pixels(x: f64, y: f64, width: f64, height: f64) -> Option<Self> {
        let (left, top) = (x.abs(), y.abs());
        let region = Self {
            left,
            top,
            right: left + width.abs(),
            bottom: top + height.abs(),
            pixels: true,
            flip_horizontally: width < 0.0,
            flip_vertically: height < 0.0,
        };
        // The sums too: what is not finite does not travel to the decoder process.
        let finite = region.right.is_finite() && region.bottom.is_finite();
        (finite && width.abs() > 0.0 && height.abs() > 0.0).then_some(region)
    }

    /// Whether the picture is flipped horizontally and vertically.
    pub(crate) fn flips(self) -> (bool, bool) {
        (self.flip_horizontally, self.flip_vertically)
    }

    /// The pixels of an image of this size, at least one; `None` when the region lies outside of it.
    pub(crate) fn cut(self, columns: u32, rows: u32) -> Option<Cut> {
        let side = |from: f64, to: f64, length: u32| {
            let unit = if self.pixels { 1.0 } else { f64::from(length) };
            let first = (from * unit).floor().min(f64::from(u32::MAX)) as u32;
            let end = (to * unit).ceil().min(f64::from(length)) as u32;
            (first < end).then_some((first, end - first))
        };
        let (x, columns) = side(self.left, self.right, columns)?;
        let (y, rows) = side(self.top, self.bottom, rows)?;
        Some(Cut { x, y, columns, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_whole_pixels_of_the_image() {
        let half = Region::shares(0.5, 0.0, 1.0, 0.5).expect("a region");
        assert_eq!(half.cut(10, 4), Some(Cut { x: 5, y: 0, columns: 5, rows: 2 }));
        let speck = Region::shares(0.999, 0.999, 1.0, 1.0).expect("a region");
        assert_eq!(speck.cut(10, 10), Some(Cut { x: 9, y: 9, columns: 1, rows: 1 }));
        let wide = Region::pixels(8.0, 1.0, 1e12, 2.0).expect("a region");
        assert_eq!(wide.cut(10, 10), Some(Cut { x: 8, y: 1, columns: 2, rows: 2 }));
        assert_eq!(Region::pixels(10.0, 0.0, 5.0, 5.0).expect("a region").cut(10, 10), None);
        assert_eq!(Region::shares(0.0, 0.5, 1.0, 0.5), None);
        let turned = Region::pixels(-8.0, 1.0, -2.0, 2.0).expect("a region");
        assert_eq!(turned.cut(10, 10), Some(Cut { x: 8, y: 1, columns: 2, rows: 2 }));
        assert_eq!(turned.flips(), (true, false));
        assert_eq!(Region::pixels(0.0, 0.0, -0.0, 5.0), None);
        assert_eq!(Region::pixels(0.0, 0.0, f64::NAN, 5.0), None);
        assert_eq!(Region::pixels(f64::MAX, 0.0, f64::MAX, 5.0), None);
    }
}
