//! `docs/conformance-retrieve.md` says what the code does.

use model::{
    TransferSyntaxUid,
    pixel::PixelModule,
    transfer_syntax::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN},
};
use rendering::{Target, targets};

use crate::capabilities::resources;

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/conformance-retrieve.md");
    std::fs::read_to_string(path).expect("docs/conformance-retrieve.md")
}

fn module(photometric: &str, samples: u16, bits: u16) -> PixelModule {
    PixelModule {
        rows: 8,
        columns: 8,
        samples_per_pixel: samples,
        photometric_interpretation: photometric.into(),
        bits_allocated: bits,
        bits_stored: bits,
        high_bit: bits - 1,
        number_of_frames: 1,
        ..PixelModule::default()
    }
}

/// What a cell must say: of 16-bit grey and 8-bit colour.
fn cell(stored: &TransferSyntaxUid, column: &str) -> &'static str {
    if stored.as_str() == column {
        return "stored";
    }
    let target = |target: &Target| target.transfer_syntax() == column;
    // A data set without VR holds the same native samples.
    let native = |target: &Target| column == IMPLICIT_VR_LITTLE_ENDIAN && *target == Target::Native;
    let possible =
        |module: &PixelModule| targets(module, stored).iter().any(|found| target(found) || native(found));
    match (possible(&module("MONOCHROME2", 1, 16)), possible(&module("RGB", 3, 8))) {
        (true, true) => "yes",
        (false, true) => "8 bits",
        _ => "no",
    }
}

#[test]
fn the_table_of_transfer_syntaxes_is_true() {
    let text = document();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.contains("| 1.2.840.10008.1.2"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    let columns = [
        EXPLICIT_VR_LITTLE_ENDIAN,
        IMPLICIT_VR_LITTLE_ENDIAN,
        Target::Rle.transfer_syntax(),
        Target::JpegLsLossless.transfer_syntax(),
        Target::Jpeg2000Lossless.transfer_syntax(),
        Target::HighThroughputLossless.transfer_syntax(),
        Target::HighThroughputLosslessRpcl.transfer_syntax(),
        Target::JpegBaseline { quality: 90 }.transfer_syntax(),
    ];
    assert_eq!(columns.len(), Target::ALL.len() + 1, "a column for each form");
    for row in rows {
        let stored = TransferSyntaxUid::parse(row[1]).expect("a UID");
        let expected: Vec<&str> = columns.iter().map(|column| cell(&stored, column)).collect();
        assert_eq!(row[2..], expected, "{}", row[0]);
    }
}

#[test]
fn every_retrieve_route_is_in_the_document() {
    let text = document();
    for (path, operations) in resources() {
        if operations.iter().all(|operation| operation.transaction == "Search") {
            continue;
        }
        let last = path.rsplit('/').next().unwrap_or_default().trim_end_matches('s');
        let named = match last {
            "" => text.contains("| `/` "),
            "studie" | "serie" | "instance" => continue,
            "{frame" | "{frames}" => text.contains("frames/{list}"),
            name => text.contains(name),
        };
        assert!(named, "{path} is not in docs/conformance-retrieve.md");
    }
}
