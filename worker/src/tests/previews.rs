//! What becomes of each kind of instance.

use database::PreviewState;
use model::pixel::Rescale;
use rendering::wire::{Request, handle_request};

use super::{EXPLICIT, Kit, RLE, data_set, fragment, slope};

#[tokio::test]
async fn a_native_instance_gets_a_preview_and_a_thumbnail() {
    let kit = Kit::open(|_| panic!("native frames do not go to the decoder")).await;
    let id = kit.store("1.2.3.4.5", EXPLICIT, data_set("1.2.3.4.5", 300, 600, Some(slope(300, 600)))).await;
    let PreviewState::Made(made) = kit.while_running(kit.preview(id)).await else { panic!("no preview") };
    assert_eq!((made.width, made.height, made.media_type.as_str()), (512, 256, "image/jpeg"));
    let archive = &kit.state.archive;
    let picture = async |key, seal: &[u8]| {
        archive.preview_picture(id, key, seal).await.expect("readable").expect("there")
    };
    let preview = picture(made.preview_key, &made.preview_seal).await;
    let thumbnail = picture(made.thumbnail_key, &made.thumbnail_seal).await;
    assert!(preview.starts_with(&[0xff, 0xd8]) && thumbnail.starts_with(&[0xff, 0xd8]));
    assert_eq!(
        (preview.len() as u64, thumbnail.len() as u64),
        (made.preview_length_bytes, made.thumbnail_length_bytes)
    );
    assert!(thumbnail.len() < preview.len());
}

#[tokio::test]
async fn a_compressed_instance_goes_through_the_decoder() {
    let kit = Kit::open(handle_request).await;
    // Two segments: high bytes 0, low bytes 7, for 4 x 8 pixels.
    let mut frame = vec![2, 0, 0, 0, 64, 0, 0, 0, 66, 0, 0, 0];
    frame.resize(64, 0);
    frame.extend([225, 0, 225, 7]);
    let id = kit.store("1.2.3.4.6", RLE, data_set("1.2.3.4.6", 4, 8, Some(fragment(&frame)))).await;
    let ended = kit.while_running(kit.preview(id)).await;
    assert!(matches!(&ended, PreviewState::Made(made) if (made.width, made.height) == (8, 4)), "{ended:?}");
}

/// The decoder of [`a_preview_is_made_with_what_the_frame_says`].
fn with_values_of_the_frame(message: &[u8]) -> Vec<u8> {
    let length = u32::from_le_bytes(message[..4].try_into().expect("four bytes")) as usize;
    let request: Request = serde_json::from_slice(&message[4..4 + length]).expect("a request");
    assert_eq!(request.module.rescale, Some(Rescale { slope: 2.0, intercept: 0.0 }));
    handle_request(message)
}

#[tokio::test]
async fn a_preview_is_made_with_what_the_frame_says() {
    let kit = Kit::open(with_values_of_the_frame).await;
    let mut frame = vec![2, 0, 0, 0, 64, 0, 0, 0, 66, 0, 0, 0];
    frame.resize(64, 0);
    frame.extend([225, 0, 225, 7]);
    // Rescale Slope 5 of the instance; in Per-frame Functional Groups and Pixel Value Transformation Sequence 2.
    let mut rest = b"\x28\0\x53\x10DS\x02\x005 ".to_vec();
    for sequence in [b"\0\x52\x30\x92", b"\x28\0\x45\x91"] {
        rest.extend_from_slice(sequence);
        rest.extend_from_slice(b"SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff");
    }
    rest.extend_from_slice(b"\x28\0\x53\x10DS\x02\x002 ");
    for _ in 0..2 {
        rest.extend_from_slice(b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0");
    }
    rest.extend(fragment(&frame));
    let id = kit.store("1.2.3.4.11", RLE, data_set("1.2.3.4.11", 4, 8, Some(rest))).await;
    let ended = kit.while_running(kit.preview(id)).await;
    assert!(matches!(ended, PreviewState::Made(_)), "{ended:?}");
}

#[tokio::test]
async fn damaged_pixels_give_a_reason() {
    let kit = Kit::open(handle_request).await;
    let id = kit.store("1.2.3.4.7", RLE, data_set("1.2.3.4.7", 4, 8, Some(fragment(&[9; 80])))).await;
    let PreviewState::Failed { reason } = kit.while_running(kit.preview(id)).await else {
        panic!("a preview")
    };
    assert_eq!(
        reason,
        "no preview, because the RLE stream is damaged: the number of segments is not 1 to 15"
    );
}

#[tokio::test]
async fn a_decoder_that_dies_is_tried_three_times() {
    let kit = Kit::open(|_| panic!("a codec fell over")).await;
    let id = kit.store("1.2.3.4.8", RLE, data_set("1.2.3.4.8", 4, 8, Some(fragment(&[9; 80])))).await;
    let PreviewState::Failed { reason } = kit.while_running(kit.preview(id)).await else {
        panic!("a preview")
    };
    assert_eq!(reason, "no preview, because the decoder process ended without an answer");
}

#[tokio::test]
async fn without_pixel_data_there_is_nothing_to_do() {
    let kit = Kit::open(handle_request).await;
    let id = kit.store("1.2.3.4.9", EXPLICIT, data_set("1.2.3.4.9", 4, 8, None)).await;
    let PreviewState::Failed { reason } = kit.while_running(kit.preview(id)).await else {
        panic!("a preview")
    };
    assert!(reason.contains("no pixel data"), "{reason}");
}

#[tokio::test]
async fn every_instance_of_a_crowd_is_seen() {
    let kit = Kit::open(handle_request).await;
    let mut ids = Vec::new();
    for number in 1..=20 {
        let sop = format!("1.2.3.4.{number}");
        let pixels = if number % 5 == 0 { fragment(&[9; 80]) } else { slope(8, 8) };
        let syntax = if number % 5 == 0 { RLE } else { EXPLICIT };
        ids.push(kit.store(&sop, syntax, data_set(&sop, 8, 8, Some(pixels))).await);
    }
    let all = async {
        let mut made = 0;
        for id in ids {
            made += usize::from(matches!(kit.preview(id).await, PreviewState::Made(_)));
        }
        made
    };
    assert_eq!(kit.while_running(all).await, 16);
}

#[tokio::test]
async fn pictures_that_a_power_cut_took_are_made_again() {
    let kit = Kit::open(handle_request).await;
    let id = kit.store("1.2.3.4.10", EXPLICIT, data_set("1.2.3.4.10", 8, 8, Some(slope(8, 8)))).await;
    let PreviewState::Made(lost) = kit.while_running(kit.preview(id)).await else { panic!("no preview") };
    let archive = &kit.state.archive;
    archive.storage().delete(lost.preview_key.into()).await.expect("deleted");
    let seen = archive.preview_picture(id, lost.preview_key, &lost.preview_seal).await;
    assert_eq!(seen.expect("readable"), None);
    let PreviewState::Made(made) = kit.while_running(kit.preview(id)).await else { panic!("no preview") };
    assert_ne!(made.preview_key, lost.preview_key);
    let seen = archive.preview_picture(id, made.preview_key, &made.preview_seal).await;
    assert!(seen.expect("readable").is_some());
}
