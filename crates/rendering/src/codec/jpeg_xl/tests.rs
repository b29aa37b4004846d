//! Small pictures that libjxl made, and damaged ones. How they were made is in the names of the tests' formulas.

use model::{TransferSyntaxUid, pixel::PixelModule, transfer_syntax as ts};

use crate::{codec::decode_frame, error::RenderError, frame::DecodedFrame, shape::Photometric};

/// `cjxl -d 0 --override_bitdepth=12`, which takes 16 bits, of `(97 x + 61 y) mod 4096`.
const GREY: &[u8] = include_bytes!("grey.jxl");
/// `cjxl -d 0` of 16 bits: `(1987 x + 3061 y) mod 65536`.
const GREY_16: &[u8] = include_bytes!("grey16.jxl");
/// `cjxl -d 0` of 8 bits: `7 x mod 256, 11 y mod 256, x y mod 256`.
const RGB: &[u8] = include_bytes!("rgb.jxl");
/// `cjxl -d 1`, which is XYB, of 8 bits: `200 - 3 x, 40 + 5 y, 60`.
const LOSSY: &[u8] = include_bytes!("lossy.jxl");
/// `cjxl --lossless_jpeg=1` of the same as JPEG of quality 90, in a container.
const RECOMPRESSED: &[u8] = include_bytes!("recompressed.jxl");
const COLUMNS: u32 = 33;
const ROWS: u32 = 21;

fn module(photometric: &str, bits: u16, stored: u16) -> PixelModule {
    PixelModule {
        rows: ROWS,
        columns: COLUMNS,
        samples_per_pixel: if photometric.starts_with("MONOCHROME") { 1 } else { 3 },
        photometric_interpretation: photometric.into(),
        bits_allocated: bits,
        bits_stored: stored,
        high_bit: stored - 1,
        ..PixelModule::default()
    }
}

fn decode(module: &PixelModule, frame: &'static [u8]) -> Result<DecodedFrame<'static>, RenderError> {
    decode_frame(module, &TransferSyntaxUid::parse(ts::JPEG_XL).expect("UID"), frame)
}

fn pixels() -> impl Iterator<Item = (u32, u32)> {
    (0..ROWS).flat_map(|y| (0..COLUMNS).map(move |x| (x, y)))
}

fn words(decoded: &DecodedFrame<'_>) -> Vec<u32> {
    decoded.bytes.chunks_exact(2).map(|word| u32::from(u16::from_le_bytes([word[0], word[1]]))).collect()
}

#[test]
fn lossless_samples_are_exact() {
    let twelve = decode(&module("MONOCHROME2", 16, 12), GREY).expect("decodes");
    let expected = pixels().map(|(x, y)| (97 * x + 61 * y) % 4096);
    assert!(words(&twelve).into_iter().eq(expected));
    assert_eq!((twelve.bits_stored, twelve.high_bit, twelve.photometric), (12, 11, Photometric::Monochrome2));
    // The stream says how many bits there are, whatever the data set does.
    let twelve = decode(&module("MONOCHROME1", 16, 16), GREY).expect("decodes");
    assert_eq!((twelve.bits_stored, twelve.photometric), (12, Photometric::Monochrome1));
    let sixteen = decode(&module("MONOCHROME2", 16, 16), GREY_16).expect("decodes");
    assert!(words(&sixteen).into_iter().eq(pixels().map(|(x, y)| (1987 * x + 3061 * y) % 65_536)));
    for photometric in ["RGB", "YBR_FULL"] {
        let colours = decode(&module(photometric, 8, 8), RGB).expect("decodes");
        let expected = pixels().flat_map(|(x, y)| [7 * x % 256, 11 * y % 256, x * y % 256]);
        assert!(colours.bytes.iter().map(|byte| u32::from(*byte)).eq(expected), "{photometric}");
        // No transform is in the stream: the samples are what the data set calls them.
        assert_eq!(colours.photometric == Photometric::Rgb, photometric == "RGB");
    }
}

#[test]
fn what_is_lossy_comes_out_in_rgb() {
    for (photometric, frame) in [("XYB", LOSSY), ("RGB", LOSSY), ("YBR_FULL_422", RECOMPRESSED)] {
        let decoded = decode(&module(photometric, 8, 8), frame).expect("decodes");
        assert_eq!(decoded.photometric, Photometric::Rgb, "{photometric}");
        let expected = pixels().flat_map(|(x, y)| [200 - 3 * x, 40 + 5 * y, 60]);
        let off: u32 = decoded.bytes.iter().zip(expected).map(|(is, was)| u32::from(*is).abs_diff(was)).sum();
        assert!(off < 3 * 3 * ROWS * COLUMNS, "{photometric}: {off}");
    }
}

#[test]
fn what_does_not_fit_the_data_set_is_refused() {
    let refused = |module: PixelModule, frame| decode(&module, frame).expect_err("refused");
    for (module, frame) in [
        (PixelModule { rows: ROWS - 1, ..module("MONOCHROME2", 16, 12) }, GREY),
        (PixelModule { columns: 65_535, ..module("MONOCHROME2", 16, 12) }, GREY),
        (module("RGB", 8, 8), GREY),
        (module("MONOCHROME2", 8, 8), GREY),
        (module("MONOCHROME2", 8, 8), RGB),
    ] {
        let error = refused(module, frame);
        assert!(error.to_string().contains("JPEG XL"), "{error}");
    }
    refused(module("MONOCHROME2", 32, 32), GREY);
}

#[test]
fn damaged_streams_are_errors() {
    let module = module("MONOCHROME2", 16, 16);
    for length in (0..GREY_16.len()).step_by(13) {
        assert!(decode(&module, &GREY_16[..length]).is_err(), "{length} bytes");
    }
    assert!(decode(&module, b"\xff\x4f\xff\x51 this is something else").is_err());
}

/// A flipped bit is an error or another picture, and never a panic.
#[test]
fn flipped_bits_end_in_an_answer() {
    let mut errors = 0;
    for (module, frame) in [
        (module("MONOCHROME2", 16, 12), GREY),
        (module("RGB", 8, 8), RGB),
        (module("XYB", 8, 8), LOSSY),
        (module("YBR_FULL_422", 8, 8), RECOMPRESSED),
    ] {
        for bit in (0..frame.len() * 8).step_by(97) {
            let mut damaged = frame.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let syntax = TransferSyntaxUid::parse(ts::JPEG_XL).expect("UID");
            errors += usize::from(decode_frame(&module, &syntax, &damaged).is_err());
        }
    }
    assert!(errors > 20, "{errors}");
}
