//! PS3.3 C.7.6.3, C.11.1, C.11.2: from kept values to [`PixelModule`]. Nothing is checked for sense here.

use model::pixel::{Lut, PixelModule, Rescale, Window};

use crate::{facts::Facts, lut, scope::Scope, tag};

/// Pairs of Window Center and Width kept.
const WINDOWS_MAX: usize = 64;

/// Reads the module; `pixel_tag` is the element that holds the pixel data.
pub(crate) fn pixel_module(facts: &Facts, pixel_tag: u32) -> PixelModule {
    let number = |tag| facts.integer(Scope::Root, tag).unwrap_or(0);
    let text = |tag| facts.text(Scope::Root, tag).unwrap_or_default().to_owned();
    let signed = number(tag::PIXEL_REPRESENTATION) == 1;
    let bits_allocated = bits_allocated(facts, pixel_tag);
    PixelModule {
        rows: to_u32(number(tag::ROWS)),
        columns: to_u32(number(tag::COLUMNS)),
        samples_per_pixel: to_u16(facts.integer(Scope::Root, tag::SAMPLES_PER_PIXEL).unwrap_or(1)),
        photometric_interpretation: text(tag::PHOTOMETRIC_INTERPRETATION),
        planar_configuration: to_u16(number(tag::PLANAR_CONFIGURATION)),
        bits_allocated,
        bits_stored: facts.integer(Scope::Root, tag::BITS_STORED).map_or(bits_allocated, to_u16),
        high_bit: facts.integer(Scope::Root, tag::HIGH_BIT).map_or(bits_allocated.saturating_sub(1), to_u16),
        signed,
        number_of_frames: number_of_frames(facts),
        representative_frame_number: facts
            .integer(Scope::Root, tag::REPRESENTATIVE_FRAME_NUMBER)
            .and_then(|number| u32::try_from(number).ok()),
        float_pixel_data: pixel_tag == tag::FLOAT_PIXEL_DATA,
        double_float_pixel_data: pixel_tag == tag::DOUBLE_FLOAT_PIXEL_DATA,
        rescale: rescale(facts, Scope::Root).or_else(|| rescale(facts, Scope::PixelValueTransformation)),
        modality_lut: lut::discrete(facts, Scope::ModalityLut, (tag::LUT_DESCRIPTOR, tag::LUT_DATA), signed),
        windows: windows(facts),
        voi_lut_function: voi_lut_function(facts),
        voi_lut: lut::discrete(facts, Scope::VoiLut, (tag::LUT_DESCRIPTOR, tag::LUT_DATA), signed),
        presentation_lut_shape: text(tag::PRESENTATION_LUT_SHAPE),
        palette: palette(facts, signed),
        pixel_padding: pixel_padding(facts),
        lossy: facts.text(Scope::Root, tag::LOSSY_IMAGE_COMPRESSION) == Some("01"),
    }
}

/// Number of Frames, 1 when it is absent or makes no sense.
pub(crate) fn number_of_frames(facts: &Facts) -> u32 {
    let frames = facts.integer(Scope::Root, tag::NUMBER_OF_FRAMES).unwrap_or(1);
    u32::try_from(frames.max(1)).unwrap_or(u32::MAX)
}

/// Bits Allocated; float pixel data have it in their name (PS3.3 C.7.6.24).
fn bits_allocated(facts: &Facts, pixel_tag: u32) -> u16 {
    match pixel_tag {
        tag::FLOAT_PIXEL_DATA => 32,
        tag::DOUBLE_FLOAT_PIXEL_DATA => 64,
        _ => to_u16(facts.integer(Scope::Root, tag::BITS_ALLOCATED).unwrap_or(0)),
    }
}

fn rescale(facts: &Facts, scope: Scope) -> Option<Rescale> {
    let slope = facts.numbers(scope, tag::RESCALE_SLOPE).first().copied();
    let intercept = facts.numbers(scope, tag::RESCALE_INTERCEPT).first().copied();
    if slope.is_none() && intercept.is_none() {
        return None;
    }
    Some(Rescale { slope: slope.unwrap_or(1.0), intercept: intercept.unwrap_or(0.0) })
}

fn windows(facts: &Facts) -> Vec<Window> {
    let of = |scope| -> Vec<Window> {
        let centers = facts.numbers(scope, tag::WINDOW_CENTER);
        let widths = facts.numbers(scope, tag::WINDOW_WIDTH);
        let pairs = centers.into_iter().zip(widths);
        pairs.map(|(center, width)| Window { center, width }).take(WINDOWS_MAX).collect()
    };
    let windows = of(Scope::Root);
    if windows.is_empty() { of(Scope::FrameVoiLut) } else { windows }
}

fn voi_lut_function(facts: &Facts) -> String {
    let function = |scope| facts.text(scope, tag::VOI_LUT_FUNCTION);
    function(Scope::Root).or_else(|| function(Scope::FrameVoiLut)).unwrap_or("LINEAR").to_owned()
}

fn palette(facts: &Facts, signed: bool) -> Option<Box<[Lut; 3]>> {
    let read = |color: usize| {
        let descriptor = tag::PALETTE_DESCRIPTORS[color];
        lut::discrete(facts, Scope::Root, (descriptor, tag::PALETTE_DATA[color]), signed).or_else(|| {
            lut::segmented(facts, Scope::Root, (descriptor, tag::SEGMENTED_PALETTE_DATA[color]), signed)
        })
    };
    Some(Box::new([read(0)?, read(1)?, read(2)?]))
}

fn pixel_padding(facts: &Facts) -> Option<(i32, i32)> {
    let number = |tag| facts.integer(Scope::Root, tag).and_then(|number| i32::try_from(number).ok());
    let value = number(tag::PIXEL_PADDING_VALUE)?;
    Some((value, number(tag::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(value)))
}

fn to_u16(number: i64) -> u16 {
    u16::try_from(number.max(0)).unwrap_or(u16::MAX)
}

fn to_u32(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}
