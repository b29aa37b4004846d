//! Grayscale: up to 16 stored bits go through one table; wider ones are computed a sample at a time.

use model::pixel::PixelModule;

use super::{
    RenderedImage,
    transfer::{Modality, Transfer, Voi, is_inverse, padding},
    wrong_length,
};
use crate::{
    error::RenderError,
    frame::{BitField, DecodedFrame, SampleFormat},
    options::RenderOptions,
    resize::{Reduction, to_level},
};

/// Renders to `target`, which is not larger than the frame.
pub(super) fn render(
    decoded: &DecodedFrame<'_>,
    module: &PixelModule,
    options: &RenderOptions,
    target: (u32, u32),
) -> Result<RenderedImage, RenderError> {
    let pixels = decoded.rows as usize * decoded.columns as usize;
    if decoded.len() != pixels || pixels == 0 {
        return Err(wrong_length());
    }
    let modality = Modality::of(module);
    let inverse = is_inverse(decoded.photometric, module);
    let samples = match decoded.format {
        SampleFormat::Bits8 => {
            render_narrow(&Bytes(decoded), decoded, module, options, (modality, inverse), target)
        }
        SampleFormat::Bits16 => {
            render_narrow(&Words(decoded), decoded, module, options, (modality, inverse), target)
        }
        _ => render_wide(decoded, module, options, (modality, inverse), target),
    };
    Ok(RenderedImage { width: target.0, height: target.1, channels: 1, samples })
}

fn reduction(decoded: &DecodedFrame<'_>, target: (u32, u32)) -> Reduction {
    Reduction {
        width: decoded.columns as usize,
        height: decoded.rows as usize,
        channels: 1,
        target_width: target.0 as usize,
        target_height: target.1 as usize,
    }
}

/// Samples of at most 16 bits, row by row, as words.
trait Narrow {
    fn row(&self, y: usize) -> impl Iterator<Item = u32>;
}

struct Bytes<'a>(&'a DecodedFrame<'a>);
struct Words<'a>(&'a DecodedFrame<'a>);

impl Narrow for Bytes<'_> {
    fn row(&self, y: usize) -> impl Iterator<Item = u32> {
        let columns = self.0.columns as usize;
        self.0.bytes[y * columns..(y + 1) * columns].iter().map(|byte| u32::from(*byte))
    }
}

impl Narrow for Words<'_> {
    fn row(&self, y: usize) -> impl Iterator<Item = u32> {
        let bytes = self.0.columns as usize * 2;
        let row = &self.0.bytes[y * bytes..(y + 1) * bytes];
        row.chunks_exact(2).map(|word| u32::from(u16::from_le_bytes([word[0], word[1]])))
    }
}

fn render_narrow(
    source: &impl Narrow,
    decoded: &DecodedFrame<'_>,
    module: &PixelModule,
    options: &RenderOptions,
    (modality, inverse): (Modality<'_>, bool),
    target: (u32, u32),
) -> Vec<u8> {
    let field = decoded.bits();
    let padding = padding(module);
    let rows = decoded.rows as usize;
    let voi = Voi::of(module, options).unwrap_or_else(|| {
        let is_padding = |stored: f64| padding.is_some_and(|(from, to)| stored >= from && stored <= to);
        let plain = padding.is_none() && modality.is_linear();
        let (least, most) =
            if plain { ends(source, rows, field) } else { seen(source, rows, field, is_padding) };
        span_of(&modality, field, least..=most, is_padding)
    });
    // The average of stored values shows the same as the average of levels where the way between is straight.
    let averages = padding.is_none() && modality.is_linear() && !matches!(voi, Voi::Table { .. });
    let transfer = Transfer { modality, voi, inverse };
    let levels = level_table(&transfer, field, padding);
    let reduction = reduction(decoded, target);
    let mut samples = Vec::with_capacity(reduction.target_width * reduction.target_height);
    let level = |word: u32| levels.get(field.normal(word) as usize).copied().unwrap_or(0);
    if !reduction.is_needed() {
        for y in 0..rows {
            samples.extend(source.row(y).map(level));
        }
    } else if averages {
        let last = levels.len() - 1;
        reduction.run(
            |y, weight, sums| {
                for (sum, word) in sums.iter_mut().zip(source.row(y)) {
                    // A normal value has at most 16 bits: by way of i32 the cast is one vector instruction.
                    *sum += field.normal(word).cast_signed() as f32 * weight;
                }
            },
            |line| samples.extend(line.iter().map(|normal| levels[((normal + 0.5) as usize).min(last)])),
        );
    } else {
        reduction.run(
            |y, weight, sums| {
                let row = source.row(y).map(|word| f32::from(level(word)));
                sums.iter_mut().zip(row).for_each(|(sum, level)| *sum += level * weight);
            },
            |line| samples.extend(line.iter().map(|level| to_level(*level))),
        );
    }
    samples
}

/// The level of each normal value. Padding is background: black, whatever the inversion.
fn level_table(transfer: &Transfer<'_>, field: BitField, padding: Option<(f64, f64)>) -> Vec<u8> {
    let level = |normal: u32| {
        let stored = f64::from(normal) - f64::from(field.sign);
        match padding {
            Some((from, to)) if stored >= from && stored <= to => 0,
            _ => transfer.level(stored),
        }
    };
    (0..=field.mask.min(0xffff)).map(level).collect()
}

/// Least and greatest normal value.
fn ends(source: &impl Narrow, rows: usize, field: BitField) -> (u32, u32) {
    (0..rows).fold((u32::MAX, 0), |ends, y| {
        source.row(y).fold(ends, |(least, most), word| {
            let normal = field.normal(word);
            (least.min(normal), most.max(normal))
        })
    })
}

/// Least and greatest normal value that is not padding.
fn seen(source: &impl Narrow, rows: usize, field: BitField, skip: impl Fn(f64) -> bool) -> (u32, u32) {
    let mut seen = vec![false; 1 << 16];
    for y in 0..rows {
        source.row(y).for_each(|word| seen[(field.normal(word) & 0xffff) as usize] = true);
    }
    let mut kept = (0_u32..)
        .zip(&seen)
        .filter(|(normal, seen)| **seen && !skip(f64::from(*normal) - f64::from(field.sign)));
    let least = kept.next().map_or(0, |(normal, _)| normal);
    (least, kept.last().map_or(least, |(normal, _)| normal))
}

/// The span of modality values between two normal values.
fn span_of(
    modality: &Modality<'_>,
    field: BitField,
    normals: std::ops::RangeInclusive<u32>,
    skip: impl Fn(f64) -> bool,
) -> Voi<'static> {
    let mut ends = (f64::INFINITY, f64::NEG_INFINITY);
    let mut take = |normal: u32| {
        let stored = f64::from(normal) - f64::from(field.sign);
        if !skip(stored) {
            let value = modality.apply(stored);
            ends = (ends.0.min(value), ends.1.max(value));
        }
    };
    if modality.is_linear() {
        take(*normals.start());
        take(*normals.end());
    } else {
        normals.for_each(take);
    }
    Voi::Span { least: ends.0, most: ends.1 }
}

fn render_wide(
    decoded: &DecodedFrame<'_>,
    module: &PixelModule,
    options: &RenderOptions,
    (modality, inverse): (Modality<'_>, bool),
    target: (u32, u32),
) -> Vec<u8> {
    let padding = padding(module);
    let is_padding = |stored: f64| padding.is_some_and(|(from, to)| stored >= from && stored <= to);
    let voi = Voi::of(module, options).unwrap_or_else(|| {
        let values = (0..decoded.len()).map(|index| decoded.stored_value(index));
        let values =
            values.filter(|stored| stored.is_finite() && !is_padding(*stored)).map(|s| modality.apply(s));
        let (least, most) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |ends, value| (ends.0.min(value), ends.1.max(value)));
        Voi::Span { least, most }
    });
    let transfer = Transfer { modality, voi, inverse };
    let level = |index: usize| {
        let stored = decoded.stored_value(index);
        if is_padding(stored) || stored.is_nan() { 0 } else { transfer.level(stored) }
    };
    let reduction = reduction(decoded, target);
    if !reduction.is_needed() {
        return (0..decoded.len()).map(level).collect();
    }
    let mut samples = Vec::with_capacity(reduction.target_width * reduction.target_height);
    reduction.run(
        |y, weight, sums| {
            let first = y * reduction.width;
            for (x, sum) in sums.iter_mut().enumerate() {
                *sum += f32::from(level(first + x)) * weight;
            }
        },
        |line| samples.extend(line.iter().map(|level| to_level(*level))),
    );
    samples
}
