//! Small frames there and back.

use super::*;

fn module(photometric: &str, samples: u16, bits: u16, stored: u16) -> PixelModule {
    PixelModule {
        rows: 3,
        columns: 5,
        samples_per_pixel: samples,
        photometric_interpretation: photometric.into(),
        bits_allocated: bits,
        bits_stored: stored,
        high_bit: stored - 1,
        ..PixelModule::default()
    }
}

fn syntax(uid: &str) -> TransferSyntaxUid {
    TransferSyntaxUid::parse(uid).expect("UID")
}

fn words(count: usize, mask: u16) -> Vec<u8> {
    (0..count).flat_map(|n| ((n as u16).wrapping_mul(7919) & mask).to_le_bytes()).collect()
}

#[test]
fn lossless_forms_give_back_every_sample() {
    let native = syntax(ts::EXPLICIT_VR_LITTLE_ENDIAN);
    let signed = PixelModule { signed: true, ..module("MONOCHROME2", 1, 16, 12) };
    let cases = [
        (module("MONOCHROME2", 1, 16, 12), words(15, 0xfff)),
        (module("MONOCHROME1", 1, 16, 16), words(15, 0xffff)),
        // A sign that goes on above the stored bits, and an overlay there.
        (signed, words(15, 0xffff)),
        (module("MONOCHROME2", 1, 16, 12), words(15, 0xffff)),
        (module("MONOCHROME2", 1, 32, 32), words(30, 0xffff)),
        (module("PALETTE COLOR", 1, 8, 8), words(8, 0xffff)[..15].to_vec()),
        (module("RGB", 3, 8, 8), words(23, 0xffff)[..45].to_vec()),
        (module("YBR_FULL", 3, 8, 8), words(23, 0xffff)[..45].to_vec()),
    ];
    for (module, frame) in cases {
        for target in targets(&module, &native).into_iter().filter(|target| !target.is_lossy()) {
            let made = transcode_frame(&module, &native, &frame, target).expect("encodes");
            let kept = [Target::Native, Target::Rle, Target::JpegLsLossless].contains(&target);
            let renamed = !kept && module.photometric_interpretation == "RGB";
            let photometric = if renamed { "YBR_RCT" } else { module.photometric_interpretation.as_str() };
            assert_eq!(made.description.photometric_interpretation, photometric);
            let new = syntax(target.transfer_syntax());
            let now = PixelModule { photometric_interpretation: photometric.into(), ..module.clone() };
            let back = transcode_frame(&now, &new, &made.bytes, Target::Native).expect("decodes");
            assert_eq!(back.bytes, frame, "{target:?} {module:?}");
        }
    }
}

#[test]
fn what_can_become_what() {
    let native = syntax(ts::EXPLICIT_VR_LITTLE_ENDIAN);
    let of = |module: &PixelModule| targets(module, &native).len();
    assert_eq!(of(&module("RGB", 3, 8, 8)), 7);
    assert_eq!(of(&module("MONOCHROME2", 1, 16, 12)), 6);
    assert_eq!(of(&module("PALETTE COLOR", 1, 8, 8)), 6);
    // More than one precinct would be needed; more memory and time than a decoder process has.
    assert_eq!(of(&PixelModule { rows: 9_000, columns: 9_000, ..module("MONOCHROME2", 1, 16, 12) }), 3);
    assert_eq!(of(&PixelModule { columns: 40_000, ..module("MONOCHROME2", 1, 16, 12) }), 3);
    assert_eq!(of(&module("MONOCHROME2", 1, 32, 32)), 2);
    assert_eq!(targets(&module("MONOCHROME2", 1, 1, 1), &native), [Target::Native]);
    let float = PixelModule { float_pixel_data: true, ..module("MONOCHROME2", 1, 32, 32) };
    assert_eq!(targets(&float, &native), [Target::Native]);
    assert_eq!(of(&PixelModule { rows: 0, ..module("RGB", 3, 8, 8) }), 0);
    for nothing in ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.94", "1.2.3"] {
        assert!(targets(&module("RGB", 3, 8, 8), &syntax(nothing)).is_empty(), "{nothing}");
    }
}

#[test]
fn lossy_jpeg_says_what_it_is() {
    let native = syntax(ts::EXPLICIT_VR_LITTLE_ENDIAN);
    let target = Target::JpegBaseline { quality: 90 };
    let rgb = module("RGB", 3, 8, 8);
    let frame: Vec<u8> = [200, 30, 60].repeat(15);
    let made = transcode_frame(&rgb, &native, &frame, target).expect("encodes");
    assert_eq!(made.description.photometric_interpretation, "YBR_FULL_422");
    let lossy = PixelModule { photometric_interpretation: "YBR_FULL_422".into(), ..rgb.clone() };
    let back = transcode_frame(&lossy, &syntax(ts::JPEG_BASELINE), &made.bytes, Target::Native);
    let back = back.expect("decodes");
    assert_eq!(back.description.photometric_interpretation, "RGB");
    assert!(back.bytes.iter().zip(&frame).all(|(new, old)| new.abs_diff(*old) <= 3), "{:?}", back.bytes);
    let twelve = module("MONOCHROME2", 1, 16, 12);
    let refused = transcode_frame(&twelve, &native, &words(15, 0xfff), target);
    assert!(matches!(refused, Err(RenderError::Unsupported(_))), "{refused:?}");
}

#[test]
fn single_bits_are_packed_again() {
    let bits = module("MONOCHROME2", 1, 1, 1);
    let native = syntax(ts::EXPLICIT_VR_LITTLE_ENDIAN);
    let made = transcode_frame(&bits, &native, &[0b1010_0110, 0b0110_1100], Target::Native).expect("decodes");
    assert_eq!(made.bytes, [0b1010_0110, 0b0110_1100]);
    assert_eq!((made.description.bits_allocated, made.description.native_bits()), (1, 15));
}
