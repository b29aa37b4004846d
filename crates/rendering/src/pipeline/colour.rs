//! PS3.3 C.7.6.3.1.2 and C.7.9: RGB, YBR and palette images to RGB of 8 bits.

use model::pixel::{Lut, PixelModule};

use super::{RenderedImage, wrong_length};
use crate::{
    error::RenderError,
    frame::{DecodedFrame, SampleFormat},
    resize::{Reduction, to_level},
    shape::Photometric,
};

fn reduction(decoded: &DecodedFrame<'_>, target: (u32, u32)) -> Reduction {
    Reduction {
        width: decoded.columns as usize,
        height: decoded.rows as usize,
        channels: 3,
        target_width: target.0 as usize,
        target_height: target.1 as usize,
    }
}

/// Renders three samples a pixel. The conversions are linear: averaging may come first.
pub(super) fn render(decoded: &DecodedFrame<'_>, target: (u32, u32)) -> Result<RenderedImage, RenderError> {
    let pixels = decoded.rows as usize * decoded.columns as usize;
    if decoded.len() != pixels * 3 || pixels == 0 {
        return Err(wrong_length());
    }
    let reduction = reduction(decoded, target);
    let to_rgb = match decoded.photometric {
        Photometric::Rgb => |ybr: [f32; 3]| ybr,
        Photometric::YbrPartial422 => ybr_partial_to_rgb,
        _ => ybr_full_to_rgb,
    };
    let eight_bits = decoded.format == SampleFormat::Bits8 && decoded.bits_stored == 8;
    let picture = |samples| RenderedImage { width: target.0, height: target.1, channels: 3, samples };
    if eight_bits && !reduction.is_needed() && decoded.photometric == Photometric::Rgb {
        return Ok(picture(decoded.bytes.to_vec()));
    }
    let field = decoded.bits();
    let scale = 255.0 / f64::from(field.mask);
    let sample = |index: usize| {
        if eight_bits {
            return f32::from(decoded.bytes[index]);
        }
        let stored = decoded.stored_value(index) + f64::from(field.sign);
        (stored * scale) as f32
    };
    let mut samples = Vec::with_capacity(reduction.target_width * reduction.target_height * 3);
    let mut emit = |line: &[f32]| {
        for ybr in line.chunks_exact(3) {
            samples.extend(to_rgb([ybr[0], ybr[1], ybr[2]]).map(to_level));
        }
    };
    let row_samples = reduction.width * 3;
    if reduction.is_needed() {
        reduction.run(
            |y, weight, sums| {
                for (x, sum) in sums.iter_mut().enumerate() {
                    *sum += sample(y * row_samples + x) * weight;
                }
            },
            emit,
        );
    } else {
        let mut line = vec![0.0; row_samples];
        for y in 0..reduction.height {
            for (x, level) in line.iter_mut().enumerate() {
                *level = sample(y * row_samples + x);
            }
            emit(&line);
        }
    }
    Ok(picture(samples))
}

/// The same frame in RGB, at full resolution.
///
/// # Errors
/// [`RenderError::Unsupported`] for samples of other than 8 bits.
pub(crate) fn to_rgb(decoded: &DecodedFrame<'_>) -> Result<DecodedFrame<'static>, RenderError> {
    if decoded.format != SampleFormat::Bits8 || decoded.bits_stored != 8 {
        return Err(RenderError::Unsupported("YCbCr of other than 8 bits".into()));
    }
    let picture = render(decoded, (decoded.columns, decoded.rows))?;
    Ok(DecodedFrame {
        rows: decoded.rows,
        columns: decoded.columns,
        samples_per_pixel: 3,
        format: decoded.format,
        bits_stored: 8,
        high_bit: 7,
        signed: false,
        photometric: Photometric::Rgb,
        bytes: picture.samples.into(),
    })
}

fn ybr_full_to_rgb([y, cb, cr]: [f32; 3]) -> [f32; 3] {
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb]
}

fn ybr_partial_to_rgb([y, cb, cr]: [f32; 3]) -> [f32; 3] {
    let (y, cb, cr) = (1.164_4 * (y - 16.0), cb - 128.0, cr - 128.0);
    [y + 1.596 * cr, y - 0.391_8 * cb - 0.813 * cr, y + 2.017_2 * cb]
}

/// Renders indices into the palette; an index outside of a table takes its first or last entry.
pub(super) fn render_palette(
    decoded: &DecodedFrame<'_>,
    module: &PixelModule,
    target: (u32, u32),
) -> Result<RenderedImage, RenderError> {
    let pixels = decoded.rows as usize * decoded.columns as usize;
    if decoded.len() != pixels || pixels == 0 {
        return Err(wrong_length());
    }
    if !matches!(decoded.format, SampleFormat::Bits8 | SampleFormat::Bits16) {
        return Err(RenderError::Unsupported("palette indices over 16 bits".into()));
    }
    let palette = module.palette.as_deref().filter(|luts| luts.iter().all(|lut| !lut.entries.is_empty()));
    let palette = palette.ok_or(RenderError::Implausible("PALETTE COLOR without a palette".into()))?;
    let field = decoded.bits();
    // Entries that need more than 8 bits are of 16 bits whatever the descriptor says, and the other way round.
    let shift = if palette.iter().flat_map(|lut| &lut.entries).any(|entry| *entry > 255) { 8 } else { 0 };
    let level = |lut: &Lut, stored: i64| {
        let index = (stored - i64::from(lut.first_mapped)).max(0) as usize;
        (lut.entries[index.min(lut.entries.len() - 1)] >> shift) as u8
    };
    let colours: Vec<[u8; 3]> = (0..=field.mask.min(0xffff))
        .map(|normal| [0, 1, 2].map(|i: usize| level(&palette[i], i64::from(normal) - i64::from(field.sign))))
        .collect();
    let size = decoded.format.bytes();
    let colour = |index: usize| {
        let word = match decoded.bytes[index * size..] {
            [low, high, ..] if size == 2 => u32::from(u16::from_le_bytes([low, high])),
            [byte, ..] => u32::from(byte),
            [] => 0,
        };
        colours[field.normal(word) as usize]
    };
    let reduction = reduction(decoded, target);
    let mut samples = Vec::with_capacity(reduction.target_width * reduction.target_height * 3);
    if reduction.is_needed() {
        reduction.run(
            |y, weight, sums| {
                for (x, sums) in sums.chunks_exact_mut(3).enumerate() {
                    let colour = colour(y * reduction.width + x);
                    sums.iter_mut().zip(colour).for_each(|(sum, level)| *sum += f32::from(level) * weight);
                }
            },
            |line| samples.extend(line.iter().map(|level| to_level(*level))),
        );
    } else {
        samples.extend((0..pixels).flat_map(colour));
    }
    Ok(RenderedImage { width: target.0, height: target.1, channels: 3, samples })
}
