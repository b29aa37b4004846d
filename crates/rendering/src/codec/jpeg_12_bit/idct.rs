//! ITU-T T.81 A.3.3: the inverse cosine transform of an 8 x 8 block.

use super::{AREA, SIDE};

/// `BASIS[u][x]` = C(u) / 2 * cos((2x + 1) u pi / 16).
const BASIS: [[f32; SIDE]; SIDE] = [
    [0.353_553_4, 0.353_553_4, 0.353_553_4, 0.353_553_4, 0.353_553_4, 0.353_553_4, 0.353_553_4, 0.353_553_4],
    [
        0.490_392_6,
        0.415_734_8,
        0.277_785_1,
        0.097_545_16,
        -0.097_545_16,
        -0.277_785_1,
        -0.415_734_8,
        -0.490_392_6,
    ],
    [
        0.461_939_8,
        0.191_341_7,
        -0.191_341_7,
        -0.461_939_8,
        -0.461_939_8,
        -0.191_341_7,
        0.191_341_7,
        0.461_939_8,
    ],
    [
        0.415_734_8,
        -0.097_545_16,
        -0.490_392_6,
        -0.277_785_1,
        0.277_785_1,
        0.490_392_6,
        0.097_545_16,
        -0.415_734_8,
    ],
    [
        0.353_553_4,
        -0.353_553_4,
        -0.353_553_4,
        0.353_553_4,
        0.353_553_4,
        -0.353_553_4,
        -0.353_553_4,
        0.353_553_4,
    ],
    [
        0.277_785_1,
        -0.490_392_6,
        0.097_545_16,
        0.415_734_8,
        -0.415_734_8,
        -0.097_545_16,
        0.490_392_6,
        -0.277_785_1,
    ],
    [
        0.191_341_7,
        -0.461_939_8,
        0.461_939_8,
        -0.191_341_7,
        -0.191_341_7,
        0.461_939_8,
        -0.461_939_8,
        0.191_341_7,
    ],
    [
        0.097_545_16,
        -0.277_785_1,
        0.415_734_8,
        -0.490_392_6,
        0.490_392_6,
        -0.415_734_8,
        0.277_785_1,
        -0.097_545_16,
    ],
];

/// Transforms in place. Rows of zeros, which are most of them, cost nothing.
pub(super) fn inverse(block: &mut [f32; AREA]) {
    // Along each row of coefficients, then down the columns.
    let mut half = [[0.0; SIDE]; SIDE];
    let mut rows_used = 0;
    for (row, (coefficients, half)) in block.chunks_exact(SIDE).zip(&mut half).enumerate() {
        for (coefficient, basis) in coefficients.iter().zip(&BASIS) {
            if *coefficient != 0.0 {
                rows_used = row + 1;
                half.iter_mut().zip(basis).for_each(|(sum, weight)| *sum += coefficient * weight);
            }
        }
    }
    for (y, samples) in block.chunks_exact_mut(SIDE).enumerate() {
        samples.fill(0.0);
        for (half, basis) in half[..rows_used].iter().zip(&BASIS) {
            samples.iter_mut().zip(half).for_each(|(sample, value)| *sample += value * basis[y]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_block_and_one_wave() {
        let mut flat = [0.0; AREA];
        flat[0] = 800.0;
        inverse(&mut flat);
        assert!(flat.iter().all(|sample| (sample - 100.0).abs() < 0.01));
        let mut wave = [0.0; AREA];
        wave[1] = 100.0;
        inverse(&mut wave);
        let expected = 100.0 * 0.490_392_6 * 0.353_553_4;
        assert!((wave[0] - expected).abs() < 0.01 && (wave[7] + expected).abs() < 0.01);
        assert!((wave[56] - expected).abs() < 0.01);
    }
}
