//! ITU-T T.800 Annex F: the reversible 5/3 wavelet, and Annex G: the reversible colour transform.

/// Coefficients of one component. Each decomposition leaves the low frequencies in the upper left corner.
#[derive(Debug)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    /// `width * height` values, row by row.
    pub(super) values: Vec<i32>,
}

impl Plane {
    /// Takes the low frequencies apart `levels` times (F.4.2, procedure FDWT).
    pub(super) fn decompose(&mut self, levels: u8) {
        let (mut width, mut height) = (self.width, self.height);
        for _ in 0..levels {
            self.vertical(width, height);
            self.horizontal(width, height);
            (width, height) = (width.div_ceil(2), height.div_ceil(2));
        }
    }

    /// Columns, all at once: a row is lifted with its neighbours above and below.
    fn vertical(&mut self, width: usize, height: usize) {
        if height < 2 {
            return;
        }
        for odd in (1..height).step_by(2) {
            let below = if odd + 1 < height { odd + 1 } else { odd - 1 };
            self.lift_row(odd, odd - 1, below, width, |high, above, below| high - ((above + below) >> 1));
        }
        for even in (0..height).step_by(2) {
            let above = if even == 0 { 1 } else { even - 1 };
            let below = if even + 1 < height { even + 1 } else { even - 1 };
            self.lift_row(even, above, below, width, |low, above, below| low + ((above + below + 2) >> 2));
        }
        let (stride, half) = (self.width, height.div_ceil(2));
        let mut high = Vec::with_capacity((height - half) * width);
        for odd in (1..height).step_by(2) {
            high.extend_from_slice(&self.values[odd * stride..][..width]);
        }
        for row in 1..half {
            let from = row * 2 * stride;
            self.values.copy_within(from..from + width, row * stride);
        }
        for (row, values) in high.chunks_exact(width).enumerate() {
            self.values[(half + row) * stride..][..width].copy_from_slice(values);
        }
    }

    fn lift_row(
        &mut self,
        row: usize,
        above: usize,
        below: usize,
        width: usize,
        lift: impl Fn(i32, i32, i32) -> i32,
    ) {
        let stride = self.width;
        let (before, rest) = self.values.split_at_mut(row * stride);
        let (this, after) = rest.split_at_mut(stride);
        let place = |other: usize| {
            if other < row {
                &before[other * stride..][..width]
            } else {
                &after[(other - row - 1) * stride..][..width]
            }
        };
        for ((value, above), below) in this.iter_mut().zip(place(above)).zip(place(below)) {
            *value = lift(*value, *above, *below);
        }
    }

    fn horizontal(&mut self, width: usize, height: usize) {
        if width < 2 {
            return;
        }
        let half = width.div_ceil(2);
        let (mut low, mut high) = (vec![0; half], vec![0; width - half]);
        for row in self.values.chunks_exact_mut(self.width).take(height) {
            let row = &mut row[..width];
            for (index, value) in high.iter_mut().enumerate() {
                let left = row[2 * index];
                let right = row.get(2 * index + 2).copied().unwrap_or(left);
                *value = row[2 * index + 1] - ((left + right) >> 1);
            }
            for (index, value) in low.iter_mut().enumerate() {
                let left = high[index.saturating_sub(1)];
                let right = high.get(index).copied().unwrap_or(left);
                *value = row[2 * index] + ((left + right + 2) >> 2);
            }
            row[..half].copy_from_slice(&low);
            row[half..].copy_from_slice(&high);
        }
    }
}

/// G.2: red, green and blue become one of brightness and two of difference, in place.
pub(super) fn colours_apart(planes: &mut [Plane]) {
    let [red, green, blue] = planes else { return };
    let colours = red.values.iter_mut().zip(&mut green.values).zip(&mut blue.values);
    for ((red, green), blue) in colours {
        let luminance = (*red + 2 * *green + *blue) >> 2;
        (*red, *green, *blue) = (luminance, *blue - *green, *red - *green);
    }
}
