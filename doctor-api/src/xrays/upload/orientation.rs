//! Turning a picture the right way up.

/// The samples of a picture, colour by pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raster {
    pub rows: u16,
    pub columns: u16,
    /// 1 or 3.
    pub samples_per_pixel: u16,
    /// 1 or 2, little endian.
    pub bytes_per_sample: u16,
    pub bytes: Vec<u8>,
}

impl Raster {
    /// Bytes that they take.
    pub fn length(rows: u16, columns: u16, samples_per_pixel: u16, bytes_per_sample: u16) -> usize {
        [rows, columns, samples_per_pixel, bytes_per_sample].into_iter().map(usize::from).product()
    }

    /// The picture as it is to be seen, when Exif says `orientation`.
    pub fn upright(self, orientation: u8) -> Self {
        if !(2..=8).contains(&orientation) {
            return self;
        }
        let (rows, columns) = (usize::from(self.rows), usize::from(self.columns));
        let size = usize::from(self.samples_per_pixel * self.bytes_per_sample);
        let turned = orientation >= 5;
        let (new_rows, new_columns) = if turned { (columns, rows) } else { (rows, columns) };
        let mut bytes = Vec::with_capacity(self.bytes.len());
        for row in 0..new_rows {
            for column in 0..new_columns {
                // Where the pixel stands in what was stored.
                let (y, x) = match orientation {
                    2 => (row, columns - 1 - column),
                    3 => (rows - 1 - row, columns - 1 - column),
                    4 => (rows - 1 - row, column),
                    5 => (column, row),
                    6 => (rows - 1 - column, row),
                    7 => (rows - 1 - column, columns - 1 - row),
                    _ => (column, columns - 1 - row),
                };
                let at = (y * columns + x) * size;
                bytes.extend_from_slice(&self.bytes[at..at + size]);
            }
        }
        let (rows, columns) = if turned { (self.columns, self.rows) } else { (self.rows, self.columns) };
        Self { rows, columns, bytes, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exif 2.32 4.6.4: what row 0 and column 0 of the stored picture are on the one to be seen.
    #[test]
    fn each_orientation() {
        let stored = Raster {
            rows: 2,
            columns: 3,
            samples_per_pixel: 1,
            bytes_per_sample: 1,
            bytes: b"abcdef".to_vec(),
        };
        for (orientation, seen, columns) in [
            (1, "abcdef", 3),
            (2, "cbafed", 3),
            (3, "fedcba", 3),
            (4, "defabc", 3),
            (5, "adbecf", 2),
            (6, "daebfc", 2),
            (7, "fcebda", 2),
            (8, "cfbead", 2),
        ] {
            let upright = stored.clone().upright(orientation);
            assert_eq!(
                (upright.bytes.as_slice(), upright.columns),
                (seen.as_bytes(), columns),
                "{orientation}"
            );
        }
    }
}
