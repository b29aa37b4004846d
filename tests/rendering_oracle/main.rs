//! Our decoded and rendered frames against those of pydicom with pylibjpeg and GDCM, for every readable file.
//!
//! Lossless frames must have the same stored values. Lossy ones may differ by one grey level of 255 on average, since
//! inverse transforms round differently. Each exception is listed with its reason. Files that pydicom cannot decode
//! are compared with a twin: the same image in another transfer syntax.

mod compare;
mod exceptions;
mod hostile;
mod instance;
mod oracle;

use std::collections::BTreeSet;

use rendering::{RenderOptions, RenderedImage, render_frame};
use tests::fixtures::{self, Fixture};

use crate::{
    compare::{compare_frame, compare_twins},
    instance::{Instance, read_instance},
    oracle::Oracle,
};

/// Frames compared of one instance: the first ones.
const FRAMES_MAX: usize = 3;

/// Files that pydicom cannot decode, and the same image in a form that it can.
const TWINS: &[(&str, &str)] = &[
    ("pydicom_data/liver_rle.dcm", "pydicom_data/liver.dcm"),
    ("pydicom_data/liver_deflate.dcm", "pydicom_data/liver.dcm"),
    ("pydicom_data/liver_nonbyte_aligned_rle.dcm", "pydicom_data/liver_nonbyte_aligned.dcm"),
    ("pydicom_data/liver_nonbyte_aligned_deflate.dcm", "pydicom_data/liver_nonbyte_aligned.dcm"),
    ("wg04/RG3_JPLY.dcm", "wg04/RG3_UNC.dcm"),
    ("wg04/XA1_JPLY.dcm", "wg04/XA1_UNC.dcm"),
];

#[derive(Default)]
struct Tally {
    compared: usize,
    unknown_to_the_oracle: usize,
    exceptions_met: BTreeSet<String>,
    failures: Vec<String>,
}

impl Tally {
    fn add(&mut self, fixture: &Fixture, instance: &Instance, index: usize, outcome: Result<(), String>) {
        match (outcome, exceptions::reason(&fixture.name)) {
            (Ok(()), _) => self.compared += 1,
            (Err(_), Some(_)) => {
                self.exceptions_met.insert(fixture.name.clone());
            }
            (Err(how), None) => {
                let syntax = &instance.transfer_syntax_uid;
                self.failures.push(format!("{} frame {} ({syntax}): {how}", fixture.name, index + 1));
            }
        }
    }
}

#[test]
fn frames_are_what_pydicom_decodes() {
    let files = fixtures::all();
    let mut oracle = Oracle::start();
    let mut tally = Tally::default();
    for fixture in &files {
        let Some(instance) = read_instance(&fixture.read()) else { continue };
        for index in 0..instance.frames.len().min(FRAMES_MAX) {
            match oracle.decode(&fixture.path, index) {
                Ok(expected) => {
                    tally.add(fixture, &instance, index, compare_frame(&instance, index, &expected));
                }
                Err(_) => tally.unknown_to_the_oracle += 1,
            }
        }
    }
    println!("{} frames agree; pydicom cannot decode {}", tally.compared, tally.unknown_to_the_oracle);
    assert!(
        tally.failures.is_empty(),
        "{} frames differ:\n{}",
        tally.failures.len(),
        tally.failures.join("\n")
    );
    assert!(tally.compared > 100, "only {} frames were compared: is pydicom whole?", tally.compared);
    for name in exceptions::names() {
        let present = files.iter().any(|fixture| fixture.name == name);
        let met = tally.exceptions_met.contains(name);
        assert!(!present || met, "{name} agrees now: take it off the list of exceptions");
    }
}

#[test]
fn twins_are_the_same_image() {
    let files = fixtures::all();
    let find = |name: &str| files.iter().find(|fixture| fixture.name == name);
    let mut compared = 0;
    for (name, twin) in TWINS {
        let (Some(fixture), Some(twin)) = (find(name), find(twin)) else { continue };
        let read = |fixture: &Fixture| read_instance(&fixture.read()).expect("an instance with frames");
        let (instance, twin) = (read(fixture), read(twin));
        for index in 0..instance.frames.len().min(FRAMES_MAX) {
            let outcome = compare_twins(&instance, &twin, index);
            assert!(outcome.is_ok(), "{name} frame {}: {outcome:?}", index + 1);
            compared += 1;
        }
    }
    assert!(compared > 0, "no twin is there");
}

/// JPEG 2000 frames are decoded only as finely as a small picture needs.
#[test]
fn reduced_decoding_shows_the_same_image() {
    let mut compared = 0;
    for fixture in fixtures::all() {
        let Some(instance) = read_instance(&fixture.read()) else { continue };
        let Some(frame) = instance.frames.first() else { continue };
        let (module, syntax) = (&instance.module, &instance.transfer_syntax_uid);
        // Without a window the span of the values decides, and averages have a smaller one.
        let windowed = module.samples_per_pixel > 1 || !module.windows.is_empty();
        if !windowed || !matches!(syntax.frame_media_type(), "image/jp2" | "image/jphc") {
            continue;
        }
        let render = |options: RenderOptions| render_frame(module, syntax, frame, &options);
        let Ok(whole) = render(RenderOptions::default()) else { continue };
        let small = render(RenderOptions::fit(100)).expect("what decodes whole decodes small");
        for (cell, (whole, small)) in cells(&whole).into_iter().zip(cells(&small)).enumerate() {
            assert!((whole - small).abs() < 6.0, "{} cell {cell}: {whole} and {small}", fixture.name);
        }
        compared += 1;
    }
    assert!(compared > 5, "only {compared} images were compared");
}

/// Mean levels of 16 parts of a picture.
fn cells(picture: &RenderedImage) -> Vec<f64> {
    let (mut sums, mut counts) = (vec![0.0; 16], vec![0.0; 16]);
    let row_samples = picture.width as usize * usize::from(picture.channels);
    for (index, level) in picture.samples.iter().enumerate() {
        let (x, y) = (index % row_samples, index / row_samples);
        let cell = y * 4 / picture.height as usize * 4 + x * 4 / row_samples;
        sums[cell] += f64::from(*level);
        counts[cell] += 1.0;
    }
    sums.iter().zip(counts).map(|(sum, count): (&f64, f64)| sum / count.max(1.0)).collect()
}
