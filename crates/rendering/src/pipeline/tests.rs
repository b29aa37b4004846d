//! Tiny images whose pictures can be computed by hand.

use model::{
    TransferSyntaxUid,
    pixel::{Lut, PixelModule, Rescale, Window},
};

use super::{RenderedImage, render_frame};
use crate::{
    error::RenderError,
    options::{RenderOptions, VoiFunction},
};

fn module(columns: u32, bits_allocated: u16, bits_stored: u16) -> PixelModule {
    PixelModule {
        rows: 1,
        columns,
        samples_per_pixel: 1,
        photometric_interpretation: "MONOCHROME2".into(),
        bits_allocated,
        bits_stored,
        high_bit: bits_stored - 1,
        number_of_frames: 1,
        ..PixelModule::default()
    }
}

fn render(module: &PixelModule, frame: &[u8], options: &RenderOptions) -> Result<RenderedImage, RenderError> {
    let uid = TransferSyntaxUid::parse("1.2.840.10008.1.2.1").expect("uid");
    render_frame(module, &uid, frame, options)
}

fn check(module: &PixelModule, values: &[i32], expected: &[u8]) {
    let frame: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()[..2].to_vec()).collect();
    let frame =
        if module.bits_allocated == 8 { values.iter().map(|value| *value as u8).collect() } else { frame };
    let picture = render(module, &frame, &RenderOptions::default()).expect("renders");
    assert_eq!(picture.samples, expected);
}

fn window(center: f64, width: f64) -> Vec<Window> {
    vec![Window { center, width }]
}

#[test]
fn without_a_window_the_values_span_black_to_white() {
    check(&module(3, 16, 12), &[100, 355, 610], &[0, 128, 255]);
    check(&module(2, 16, 12), &[7, 7], &[0, 0]);
}

#[test]
fn signed_values_are_extended() {
    let signed = PixelModule { signed: true, ..module(3, 16, 12) };
    check(&signed, &[0x0f00, 0, 0x0100], &[0, 128, 255]);
    check(&signed, &[-256, 0, 256], &[0, 128, 255]);
}

#[test]
fn low_is_white_once() {
    let inverse = PixelModule { photometric_interpretation: "MONOCHROME1".into(), ..module(2, 8, 8) };
    check(&inverse, &[10, 20], &[255, 0]);
    let both = PixelModule { presentation_lut_shape: "INVERSE".into(), ..inverse };
    check(&both, &[10, 20], &[255, 0]);
    let shape = PixelModule { presentation_lut_shape: "INVERSE ".into(), ..module(2, 8, 8) };
    check(&shape, &[10, 20], &[255, 0]);
}

#[test]
fn windows_follow_the_standards_pseudo_code() {
    // PS3.3 C.11.2.1.2.1, note: center 2048, width 4096 maps 0 to 0 and 4095 to 255.
    let linear = PixelModule { windows: window(2048.0, 4096.0), ..module(3, 16, 12) };
    check(&linear, &[0, 2048, 4095], &[0, 128, 255]);
    let threshold = PixelModule { windows: window(10.0, 1.0), ..module(3, 16, 12) };
    check(&threshold, &[9, 10, 11], &[0, 255, 255]);
    let exact = PixelModule {
        windows: window(10.0, 10.0),
        voi_lut_function: "LINEAR_EXACT".into(),
        ..module(4, 16, 12)
    };
    check(&exact, &[5, 10, 15, 99], &[0, 128, 255, 255]);
    let sigmoid =
        PixelModule { windows: window(10.0, 10.0), voi_lut_function: "SIGMOID".into(), ..module(3, 16, 12) };
    check(&sigmoid, &[0, 10, 20], &[5, 128, 250]);
}

#[test]
fn useless_windows_are_passed_over() {
    let windows = vec![
        Window { center: f64::NAN, width: 5.0 },
        Window { center: 1.0, width: 0.0 },
        Window { center: 10.0, width: 1.0 },
    ];
    check(&PixelModule { windows, ..module(2, 16, 12) }, &[9, 10], &[0, 255]);
}

#[test]
fn the_callers_window_wins() {
    let linear = PixelModule { windows: window(2048.0, 4096.0), ..module(2, 8, 8) };
    let options =
        RenderOptions { window: Some((10.0, 1.0, VoiFunction::Linear)), ..RenderOptions::default() };
    assert_eq!(render(&linear, &[9, 10], &options).expect("renders").samples, [0, 255]);
}

#[test]
fn modality_comes_before_the_window() {
    let rescale = Some(Rescale { slope: 2.0, intercept: -1000.0 });
    check(
        &PixelModule { rescale, windows: window(1000.5, 1.0), ..module(2, 16, 12) },
        &[999, 1001],
        &[0, 255],
    );
    let table = Lut { first_mapped: 1, bits: 16, entries: vec![500, 1000, 0] };
    let mapped = PixelModule { modality_lut: Some(table), ..module(4, 8, 8) };
    check(&mapped, &[0, 1, 2, 3], &[128, 128, 255, 0]);
}

#[test]
fn a_voi_table_clamps_at_its_ends() {
    let lut = |bits| Lut { first_mapped: 10, bits, entries: vec![0, 100, 255] };
    check(&PixelModule { voi_lut: Some(lut(8)), ..module(4, 8, 8) }, &[0, 11, 12, 200], &[0, 100, 255, 255]);
}

#[test]
fn padding_is_background_and_does_not_widen_the_span() {
    let padded = PixelModule { pixel_padding: Some((0, 0)), ..module(4, 16, 12) };
    check(&padded, &[0, 100, 150, 200], &[0, 0, 128, 255]);
    let inverse = PixelModule { photometric_interpretation: "MONOCHROME1".into(), ..padded };
    check(&inverse, &[0, 100, 150, 200], &[0, 255, 128, 0]);
}

#[test]
fn overlay_bits_above_the_stored_ones_are_ignored() {
    check(&module(2, 16, 12), &[0xf000, 0x8fff], &[0, 255]);
    check(&PixelModule { high_bit: 15, ..module(2, 16, 12) }, &[0x000f, 0xfff0], &[0, 255]);
}

fn colour(photometric: &str, frame: &[u8], columns: u32) -> Vec<u8> {
    let module = PixelModule {
        samples_per_pixel: 3,
        photometric_interpretation: photometric.into(),
        ..module(columns, 8, 8)
    };
    render(&module, frame, &RenderOptions::default()).expect("renders").samples
}

#[test]
fn colour_spaces() {
    assert_eq!(colour("RGB", &[1, 2, 3], 1), [1, 2, 3]);
    assert_eq!(colour("YBR_FULL", &[76, 85, 255], 1), [254, 0, 0]);
    assert_eq!(colour("YBR_FULL_422", &[0, 255, 128, 128], 2), [0, 0, 0, 255, 255, 255]);
    assert_eq!(colour("YBR_PARTIAL_422", &[16, 235, 128, 128], 2), [0, 0, 0, 255, 255, 255]);
}

#[test]
fn palettes_clamp_indices() {
    let lut = |entries: &[u16]| Lut { first_mapped: 1, bits: 16, entries: entries.to_vec() };
    let palette = Some(Box::new([lut(&[0, 0xffff]), lut(&[0x8000, 0x100]), lut(&[0, 0])]));
    let indexed =
        PixelModule { photometric_interpretation: "PALETTE COLOR".into(), palette, ..module(3, 8, 8) };
    check(&indexed, &[0, 2, 250], &[0, 128, 0, 255, 1, 0, 255, 1, 0]);
    let without = PixelModule { palette: None, ..indexed };
    assert!(render(&without, &[0; 3], &RenderOptions::default()).is_err());
}

#[test]
fn wide_and_floating_samples() {
    let wide = module(3, 32, 32);
    let frame: Vec<u8> = [0_u32, 1 << 31, u32::MAX].iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(render(&wide, &frame, &RenderOptions::default()).expect("renders").samples, [0, 128, 255]);
    let float = PixelModule { float_pixel_data: true, bits_stored: 0, high_bit: 0, ..module(4, 32, 32) };
    let frame: Vec<u8> =
        [-1.0_f32, 0.0, 1.0, f32::NAN].iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(render(&float, &frame, &RenderOptions::default()).expect("renders").samples, [0, 128, 255, 0]);
}

#[test]
fn reductions_agree_with_and_without_padding() {
    let plain = PixelModule { rows: 2, windows: window(2048.0, 4096.0), ..module(4, 16, 12) };
    let padded = PixelModule { pixel_padding: Some((4095, 4095)), ..plain.clone() };
    let frame: Vec<u8> = [0_u16, 400, 800, 1200, 1600, 2000, 2400, 2800]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let half = RenderOptions::fit(2);
    let averaged = render(&plain, &frame, &half).expect("renders");
    let looked_up = render(&padded, &frame, &half).expect("renders");
    assert_eq!((averaged.width, averaged.height), (2, 1));
    assert_eq!(averaged.samples, [62, 112]);
    // Rounding before averaging may cost a level.
    assert!(averaged.samples.iter().zip(&looked_up.samples).all(|(a, b)| a.abs_diff(*b) <= 1));
}

#[test]
fn a_region_is_cut_out() {
    let image = PixelModule { rows: 3, ..module(4, 8, 8) };
    let frame: Vec<u8> = (0..12).map(|n| n * 20).collect();
    let window = Some((128.0, 256.0, VoiFunction::Linear));
    let region = crate::Region::pixels(1.0, 1.0, 2.0, 2.0);
    let options = RenderOptions { window, region, ..RenderOptions::default() };
    let picture = render(&image, &frame, &options).expect("renders");
    assert_eq!((picture.width, picture.height), (2, 2));
    let whole = render(&image, &frame, &RenderOptions { region: None, ..options.clone() }).expect("renders");
    let expected = [5, 6, 9, 10].map(|index: usize| whole.samples[index]);
    assert_eq!(picture.samples, expected);
    let outside = RenderOptions { region: crate::Region::pixels(4.0, 0.0, 1.0, 1.0), ..options };
    assert!(matches!(render(&image, &frame, &outside), Err(RenderError::InvalidOptions(_))));
}

#[test]
fn a_negative_size_flips() {
    let window = Some((128.0, 256.0, VoiFunction::Linear));
    let turned = |image: &PixelModule, width: f64, height: f64| {
        let frame: Vec<u8> = (0..6).map(|n| n * 40).collect();
        let region = crate::Region::pixels(0.0, 0.0, width, height);
        let options = RenderOptions { window, region, ..RenderOptions::default() };
        render(image, &frame, &options).expect("renders").samples
    };
    let grey = PixelModule { rows: 2, ..module(3, 8, 8) };
    let plain = turned(&grey, 3.0, 2.0);
    assert!(plain.is_sorted_by(|a, b| a < b), "six levels: {plain:?}");
    for (width, height, order) in
        [(-3.0, 2.0, [2, 1, 0, 5, 4, 3]), (3.0, -2.0, [3, 4, 5, 0, 1, 2]), (-3.0, -2.0, [5, 4, 3, 2, 1, 0])]
    {
        let expected = order.map(|index: usize| plain[index]);
        assert_eq!(turned(&grey, width, height), expected, "{width} x {height}");
    }
    let photometric_interpretation = "RGB".into();
    let colour = PixelModule { samples_per_pixel: 3, photometric_interpretation, ..module(2, 8, 8) };
    assert_eq!(turned(&colour, -2.0, 1.0), [120, 160, 200, 0, 40, 80]);
    assert_eq!(turned(&colour, -2.0, -1.0), [120, 160, 200, 0, 40, 80]);
}
