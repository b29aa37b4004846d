//! Pictures of all shapes there and back, through openjp2.

use jpeg2k::Image;

use super::*;

/// Numbers without a pattern.
fn noise(seed: u64) -> impl FnMut() -> u32 {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as u32
    }
}

/// Words of `precision` bits: noise, a slope with a little noise, edges, or one value everywhere.
fn words(kind: u32, columns: u32, pixels: u32, samples: u32, precision: u8, signed: bool) -> Vec<i32> {
    let mut noise = noise(u64::from(kind * 7919 + pixels));
    let most = (1_u32 << precision) - 1;
    let middle = if signed { 1 << (precision - 1) } else { 0 };
    let mut value = |index: u32| {
        let (pixel, sample) = (index / samples, index % samples);
        let (x, y) = (pixel % columns, pixel / columns);
        match kind {
            0 => noise() & most,
            1 => ((x * 5 + y * 3 + sample * 9) + (noise() & 3)).min(most),
            2 => most * ((x / 5 + y / 3) % 2),
            _ => most,
        }
    };
    (0..pixels * samples).map(|index| value(index).cast_signed() - middle).collect()
}

fn comes_back(columns: u32, rows: u32, samples: usize, precision: u8, signed: bool) {
    for kind in 0..4 {
        let values = words(kind, columns, columns * rows, samples as u32, precision, signed);
        let size = usize::from(precision).div_ceil(8);
        let words: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()[..size].to_vec()).collect();
        let picture = Picture { words: &words, rows, columns, samples, size, precision, signed };
        for coding in [BlockCoding::Arithmetic, BlockCoding::HighThroughput] {
            let what =
                format!("{columns} x {rows} x {samples}, {precision} bits, {signed}, {kind}, {coding:?}");
            let stream = encode(picture, true, coding).expect("encodes");
            let image = Image::from_bytes(&stream).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(image.components().len(), samples, "{what}");
            for (sample, component) in image.components().iter().enumerate() {
                assert_eq!(component.precision(), u32::from(precision), "{what}");
                let expected: Vec<i32> = values.iter().skip(sample).step_by(samples).copied().collect();
                assert!(component.data() == expected, "{what}: sample {sample} is altered");
            }
        }
    }
}

#[test]
fn every_shape_comes_back() {
    let sizes = [(1, 1), (1, 7), (7, 1), (2, 2), (5, 3), (17, 31), (63, 65), (64, 64), (1, 200), (200, 130)];
    for (columns, rows) in sizes {
        for (precision, signed) in [(8, false), (12, false), (16, false), (16, true), (10, true), (8, true)] {
            comes_back(columns, rows, 1, precision, signed);
        }
        comes_back(columns, rows, 3, 8, false);
        comes_back(columns, rows, 3, 16, false);
    }
}

#[test]
fn many_code_blocks_come_back() {
    comes_back(513, 300, 1, 12, false);
    comes_back(320, 257, 3, 8, false);
    // One bit: a segmentation.
    comes_back(100, 70, 1, 1, false);
}

/// Differences of colours that are all as large as can be need a bit-plane more than their samples.
#[test]
fn the_worst_colours_come_back() {
    for columns in 90..106 {
        comes_back(columns, 116, 3, 1, false);
    }
}

#[test]
fn colours_may_stay_as_they_are() {
    let words: Vec<u8> = (0..5 * 4 * 3).map(|n| (n * 37 % 251) as u8).collect();
    let picture =
        Picture { words: &words, rows: 4, columns: 5, samples: 3, size: 1, precision: 8, signed: false };
    let made = |apart| encode(picture, apart, BlockCoding::Arithmetic).expect("encodes");
    let (apart, alike) = (made(true), made(false));
    assert_ne!(apart, alike);
    let image = Image::from_bytes(&alike).expect("openjp2 reads it");
    let back = |pixel: usize, sample: usize| image.components()[sample].data()[pixel] as u8;
    assert!(words.iter().enumerate().all(|(index, word)| back(index / 3, index % 3) == *word));
}

#[test]
fn what_does_not_fit_is_an_error() {
    let words = [0; 64];
    let fits =
        Picture { words: &words, rows: 4, columns: 8, samples: 1, size: 2, precision: 12, signed: false };
    assert!(encode(fits, false, BlockCoding::Arithmetic).is_ok());
    for wrong in [
        Picture { rows: 0, ..fits },
        Picture { columns: 9, ..fits },
        Picture { samples: 2, columns: 4, ..fits },
        Picture { size: 4, columns: 4, ..fits },
        Picture { precision: 17, ..fits },
        Picture { precision: 0, ..fits },
        Picture { words: &words[..63], ..fits },
    ] {
        assert!(
            matches!(encode(wrong, false, BlockCoding::HighThroughput), Err(RenderError::Encode(_))),
            "{wrong:?}"
        );
    }
}
