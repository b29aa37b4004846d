//! One frame of ours against pydicom's, or against our own of a twin.

use model::transfer_syntax as ts;
use rendering::{DecodedFrame, RenderOptions, decode_frame, limits::OUTPUT_SIDE_MAX_PIXELS, render_frame};

use crate::{instance::Instance, oracle::Expected};

/// Mean difference allowed in grey levels of 255 where a transform rounds.
const MEAN_LEVELS_MAX: f64 = 1.0;
/// Greatest difference of one level of a lossless frame after windows or palettes: rounding.
const ROUNDING_LEVELS_MAX: f64 = 2.0;

/// Compares stored values, then levels after modality LUT, VOI LUT, palette and colour conversion.
pub fn compare_frame(instance: &Instance, index: usize, expected: &Expected) -> Result<(), String> {
    let (module, syntax, frame) = (&instance.module, &instance.transfer_syntax_uid, &instance.frames[index]);
    let lossless = is_lossless(syntax.as_str());
    let decoded = decode(instance, index)?;
    // Colours of 8 bits are compared as RGB below; ours are not converted yet here.
    if module.samples_per_pixel == 1 || module.bits_allocated > 8 {
        compare_values(&values(&decoded), &expected.values, decoded.bits_stored, lossless)?;
    }
    let Some(levels) = &expected.levels else { return Ok(()) };
    if module.rows.max(module.columns) > OUTPUT_SIDE_MAX_PIXELS {
        // The picture is smaller than the frame.
        return Ok(());
    }
    let picture = render_frame(module, syntax, frame, &RenderOptions::default())
        .map_err(|error| format!("not rendered: {error}"))?;
    let widen = |levels: &[u8]| levels.iter().copied().map(f64::from).collect::<Vec<_>>();
    let difference = Difference::of(&widen(&picture.samples), &widen(levels))?;
    if difference.mean > MEAN_LEVELS_MAX || (lossless && difference.most > ROUNDING_LEVELS_MAX) {
        return Err(format!("levels differ: {difference:?}"));
    }
    Ok(())
}

/// Compares stored values of two encodings of one image.
pub fn compare_twins(instance: &Instance, twin: &Instance, index: usize) -> Result<(), String> {
    let (ours, theirs) = (decode(instance, index)?, decode(twin, index)?);
    let lossless = is_lossless(instance.transfer_syntax_uid.as_str());
    compare_values(&values(&ours), &values(&theirs), ours.bits_stored, lossless)
}

fn decode(instance: &Instance, index: usize) -> Result<DecodedFrame<'_>, String> {
    let frame = instance.frames.get(index).ok_or("no such frame")?;
    decode_frame(&instance.module, &instance.transfer_syntax_uid, frame)
        .map_err(|error| format!("not decoded: {error}"))
}

fn values(frame: &DecodedFrame<'_>) -> Vec<f64> {
    (0..frame.len()).map(|index| frame.stored_value(index)).collect()
}

fn compare_values(ours: &[f64], theirs: &[f64], bits_stored: u16, lossless: bool) -> Result<(), String> {
    let difference = Difference::of(ours, theirs)?;
    if lossless && difference.most > 0.0 {
        return Err(format!("stored values differ: {difference:?}"));
    }
    if difference.mean / f64::from(bits_stored).exp2() * 255.0 > MEAN_LEVELS_MAX {
        return Err(format!("stored values differ too much: {difference:?} of {bits_stored} bits"));
    }
    Ok(())
}

/// JPEG-LS near-lossless is lossy to encode, but every decoder gives the same.
fn is_lossless(syntax: &str) -> bool {
    const PROGRESSIVE: [&str; 2] = ["1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55"];
    let lossy = [ts::JPEG_BASELINE, ts::JPEG_EXTENDED, ts::JPEG_2000, ts::HTJ2K];
    !lossy.contains(&syntax) && !PROGRESSIVE.contains(&syntax)
}

#[derive(Debug)]
struct Difference {
    mean: f64,
    most: f64,
}

impl Difference {
    fn of(ours: &[f64], theirs: &[f64]) -> Result<Self, String> {
        if ours.len() != theirs.len() {
            return Err(format!("{} samples against {}", ours.len(), theirs.len()));
        }
        let pairs = ours.iter().zip(theirs).filter(|(ours, theirs)| !(ours.is_nan() && theirs.is_nan()));
        let differences = pairs.map(|(ours, theirs)| (ours - theirs).abs());
        let (sum, most) = differences.fold((0.0, 0.0_f64), |(sum, most), next| (sum + next, most.max(next)));
        Ok(Self { mean: sum / ours.len().max(1) as f64, most })
    }
}
