//! JPEG XL, which no tool of the reference kit speaks: what libjxl made goes in, and comes out as every other form.

use model::transfer_syntax as ts;
use reqwest::StatusCode;
use tests::{
    part10,
    platform::{Options, Platform},
    qido,
    scu::send_files,
    synthetic::encapsulated,
};

/// `(97 x + 61 y) mod 4096`, of 12 bits (crates/rendering/src/codec/jpeg_xl/tests.rs).
const GREY: &[u8] = include_bytes!("../../crates/rendering/src/codec/jpeg_xl/grey.jxl");
const ROWS: u16 = 21;
const COLUMNS: u16 = 33;

fn samples() -> Vec<u8> {
    let values =
        (0..u32::from(ROWS)).flat_map(|y| (0..u32::from(COLUMNS)).map(move |x| (97 * x + 61 * y) % 4096));
    values.flat_map(|value| (value as u16).to_le_bytes()).collect()
}

#[tokio::test]
async fn an_image_in_jpeg_xl_is_shown_and_sent_as_what_is_asked_for() {
    let platform = Platform::start(Options::default()).await;
    let service = platform.user("service", "service").await;
    let file = encapsulated("JXL", ts::JPEG_XL_LOSSLESS, ROWS, COLUMNS, GREY);
    let uid = part10::head(&file).expect("a Part 10 file").sop_instance_uid;
    assert_eq!(send_files(platform.dicom(), &[file]).expect("sent"), [0]);
    let place = qido::locate(&service, &uid).await.expect("it is found");
    let path = format!(
        "/dicomweb/studies/{}/series/{}/instances/{uid}",
        place.study_instance_uid, place.series_instance_uid
    );
    let frame = format!("{path}/frames/1");

    let stored = service.get_as(&frame, "image/jxl").await;
    assert_eq!(stored.status(), StatusCode::OK);
    assert!(stored.bytes().await.expect("a body").starts_with(GREY));
    let octets = format!("application/octet-stream; transfer-syntax={}", ts::EXPLICIT_VR_LITTLE_ENDIAN);
    let native = service.get_as(&frame, &octets).await;
    assert_eq!(native.status(), StatusCode::OK);
    assert_eq!(native.bytes().await.expect("a body"), samples());
    for (media_type, magic) in [("image/png", &b"\x89PNG"[..]), ("image/jpeg", b"\xff\xd8\xff")] {
        let shown = service.get_as(&format!("{path}/rendered"), media_type).await;
        assert_eq!(shown.status(), StatusCode::OK, "{media_type}");
        assert!(shown.bytes().await.expect("a body").starts_with(magic), "{media_type}");
    }
    let frames_of = async |uid: &str| {
        let answer =
            service.get_as(&frame, &format!("application/octet-stream; transfer-syntax={uid}")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{uid}");
        answer.bytes().await.expect("a body")
    };
    assert_eq!(frames_of(ts::HTJ2K_LOSSLESS).await, frames_of(ts::HTJ2K_LOSSLESS_RPCL).await);
    for uid in [ts::JPEG_2000_LOSSLESS, ts::HTJ2K_LOSSLESS, ts::JPEG_LS_LOSSLESS, ts::RLE_LOSSLESS] {
        let answer = service.get_as(&path, &format!("application/dicom; transfer-syntax={uid}")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{uid}");
        let bytes = answer.bytes().await.expect("a body");
        assert_eq!(part10::head(&bytes).expect("a Part 10 file").transfer_syntax_uid, uid);
    }
    // Nobody here makes JPEG XL of something else.
    let other = tests::synthetic::Synthetic::cr("CR", 16, 16);
    assert_eq!(send_files(platform.dicom(), &[other.part10()]).expect("sent"), [0]);
    let path = format!(
        "/dicomweb/studies/{}/series/{}/instances/{}",
        other.study_instance_uid, other.series_instance_uid, other.sop_instance_uid
    );
    let refused = service.get_as(&path, "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.110").await;
    assert_eq!(refused.status(), StatusCode::NOT_ACCEPTABLE);
    let problem = refused.text().await.expect("a problem");
    assert!(problem.contains(ts::HTJ2K_LOSSLESS), "what can be had is said: {problem}");
}
