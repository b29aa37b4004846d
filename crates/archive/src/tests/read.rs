//! Frames and bulk data, and that what is known wrongly gives no bytes.

use database::StoredInstance;
use model::{
    frame::{ByteRange, FrameTable},
    transfer_syntax as syntax,
};

use super::{
    Kit,
    bytes_of::{Image, deflate, element, encapsulated, noise},
    collect, explicit, in_syntax,
};
use crate::{ArchiveConfig, ReadError, read::stored_range};

async fn frames_of(kit: &Kit, uid: &str, data_set: &[u8]) -> Vec<Vec<u8>> {
    let stored = kit.store(in_syntax(uid), data_set, 1 << 16).await.expect("store");
    let (instance, header) = kit.instance(&stored).await;
    let mut frames = Vec::new();
    for index in 0..header.frame_table.len() {
        let frame = kit.archive.read_frame(&instance, &header, index).await.expect("frame");
        let streamed = kit.archive.stream_frame(&instance, &header, index).await.expect("frame");
        assert_eq!(collect(streamed).await, frame);
        frames.push(frame.to_vec());
    }
    let past = kit.archive.read_frame(&instance, &header, frames.len()).await.expect_err("past the last");
    assert!(past.is_not_found());
    frames
}

#[tokio::test]
async fn native_frames() {
    let kit = Kit::open().await;
    let pixels = noise(3 * 700 * 900 * 2);
    let image = Image {
        frames: "3",
        rows: 700,
        columns: 900,
        bits_allocated: 16,
        pixel_data: element(0x7FE0_0010, *b"OW", &pixels),
        ..Image::default()
    };
    let frames = frames_of(&kit, syntax::EXPLICIT_VR_LITTLE_ENDIAN, &image.data_set()).await;
    assert!(frames == pixels.chunks(700 * 900 * 2).map(<[u8]>::to_vec).collect::<Vec<_>>());
}

#[tokio::test]
async fn frames_of_one_bit_start_at_a_byte() {
    let kit = Kit::open().await;
    // Two frames of 3 x 4 pixels: 0xABC, 0x123.
    let image = Image {
        frames: "2",
        rows: 3,
        columns: 4,
        bits_allocated: 1,
        pixel_data: element(0x7FE0_0010, *b"OB", &[0xBC, 0x3A, 0x12]),
        ..Image::default()
    };
    let frames = frames_of(&kit, syntax::EXPLICIT_VR_LITTLE_ENDIAN, &image.data_set()).await;
    assert_eq!(frames, [[0xBC, 0x0A], [0x23, 0x01]]);
}

#[tokio::test]
async fn encapsulated_frames_lose_their_item_headers() {
    let kit = Kit::open().await;
    let (one, two, three) = (noise(1_000), noise(700_000), noise(800_000));
    let second = 8 + one.len() as u32;
    let image = Image {
        frames: "2",
        pixel_data: encapsulated(&[0, second], &[&one, &two, &three]),
        ..Image::default()
    };
    let frames = frames_of(&kit, syntax::JPEG_BASELINE, &image.data_set()).await;
    assert!(frames == [one, [two, three].concat()]);
}

#[tokio::test]
async fn frames_of_a_deflated_data_set() {
    let kit = Kit::open().await;
    let pixels = noise(5 * 64 * 1_000);
    let image = Image {
        frames: "5",
        rows: 64,
        columns: 1_000,
        pixel_data: element(0x7FE0_0010, *b"OB", &pixels),
        ..Image::default()
    };
    let deflated = deflate(&image.data_set());
    let frames = frames_of(&kit, syntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, &deflated).await;
    assert!(frames == pixels.chunks(64_000).map(<[u8]>::to_vec).collect::<Vec<_>>());
}

#[tokio::test]
async fn bulk_data_by_its_path() {
    let kit = Kit::open().await;
    let stored = kit.store_data_set(&Image::default().data_set()).await.expect("store");
    let (instance, header) = kit.instance(&stored).await;
    for range in [0..64, 0..1, 7..40, 64..64] {
        let read = kit.archive.read_bulk_data(&instance, &header, "7FE00010", range.clone()).await;
        let expected: Vec<u8> = range.map(|n| n as u8).collect();
        assert_eq!(collect(read.expect("bulk data")).await, expected);
    }
    assert!(kit.archive.read_bulk_data(&instance, &header, "7FE00010", 60..65).await.is_err());
    let missing = kit.archive.read_bulk_data(&instance, &header, "../7FE00010", 0..1).await;
    assert!(missing.err().expect("none").is_not_found());
}

#[tokio::test]
async fn a_frame_over_the_setting_is_only_streamed() {
    let kit = Kit::with(ArchiveConfig { frame_length_max_bytes: 63, ..Default::default() }).await;
    let stored = kit.store_data_set(&Image::default().data_set()).await.expect("store");
    let (instance, header) = kit.instance(&stored).await;
    let error = kit.archive.read_frame(&instance, &header, 0).await.expect_err("too long");
    assert!(matches!(error, ReadError::TooLong { .. }));
    assert_eq!(
        collect(kit.archive.stream_frame(&instance, &header, 0).await.expect("frame")).await.len(),
        64
    );
}

#[tokio::test]
async fn what_is_known_wrongly_is_an_error_and_never_wrong_bytes() {
    let kit = Kit::open().await;
    let data_set = Image::default().data_set();
    let stored = kit.store(explicit(), &data_set, 100).await.expect("store");
    let (instance, header) = kit.instance(&stored).await;
    let end = data_set.len() as u64;
    for table in [
        FrameTable::Encapsulated { frames: vec![vec![ByteRange { offset: end - 1, length: 2 }]] },
        FrameTable::Encapsulated { frames: vec![vec![ByteRange { offset: u64::MAX, length: 2 }]] },
        FrameTable::Encapsulated { frames: vec![vec![ByteRange { offset: 0, length: end }; 2]] },
        FrameTable::Native {
            value: ByteRange { offset: end - 10, length: 1_000 },
            frames: 1,
            bits_per_frame: 800,
        },
    ] {
        let mut header = header.clone();
        header.frame_table = table;
        let error = kit.archive.read_frame(&instance, &header, 0).await.expect_err("refused");
        assert!(matches!(error, ReadError::Damaged(_)), "{error}");
        assert!(kit.archive.stream_frame(&instance, &header, 0).await.is_err());
    }
    let longer = StoredInstance {
        object_length_bytes: instance.object_length_bytes + 1,
        data_set_length_bytes: end + 1,
        ..instance.clone()
    };
    assert!(kit.archive.read_instance(&longer).await.is_err());
    assert!(kit.archive.read_data_set(&longer).await.is_err());
    // The object goes on; what comes then is not of this data set.
    let shorter = StoredInstance { data_set_length_bytes: end - 1, ..instance.clone() };
    assert!(stored_range(&shorter, 0..end).is_err());
    let shifted = StoredInstance { data_set_offset: instance.data_set_offset + 2, ..instance };
    assert!(kit.archive.read_data_set(&shifted).await.is_err());
}

#[tokio::test]
async fn a_file_that_was_changed_does_not_verify() {
    use std::os::unix::fs::FileExt as _;
    let kit = Kit::open().await;
    let stored = kit.store_data_set(&Image::default().data_set()).await.expect("store");
    let (instance, _) = kit.instance(&stored).await;
    let key = instance.object_key;
    let shard = format!("objects/{:02x}/{key}", key.as_bytes()[15]);
    let file = std::fs::File::options().write(true).open(kit.root.path().join(shard)).expect("object");
    file.write_all_at(b"\x01", instance.object_length_bytes / 2).expect("write");
    assert!(!kit.archive.verify_instance(&instance).await.expect("verify"));
}

#[tokio::test]
async fn previews_are_kept() {
    let kit = Kit::open().await;
    let stored = kit.store_data_set(&Image::default().data_set()).await.expect("store");
    let (instance, _) = kit.instance(&stored).await;
    let put = kit.archive.put_preview(&instance, bytes::Bytes::from_static(b"picture")).await.expect("put");
    let (key, seal) = (put.key, put.seal.to_bytes());
    let picture = kit.archive.preview_picture(instance.id, key, &seal).await.expect("get");
    assert_eq!(picture.as_deref(), Some(&b"picture"[..]));
    // A power cut took the rest.
    let path = kit.root.path().join(format!("objects/{:02x}/{key}", key.uuid().as_bytes()[15]));
    std::fs::File::options().write(true).open(path).expect("object").set_len(100).expect("cut");
    assert_eq!(kit.archive.preview_picture(instance.id, key, &seal).await.expect("get"), None);
    kit.archive.storage().delete(key).await.expect("delete");
    assert_eq!(kit.archive.preview_picture(instance.id, key, &seal).await.expect("get"), None);
    assert_eq!(altered(&kit).await, [], "what a power cut takes is no news");
}

/// The events of altered objects.
async fn altered(kit: &Kit) -> Vec<(uuid::Uuid, String)> {
    let events = kit.archive.database().outbox_after(0, 100).await.expect("events");
    let altered = events.into_iter().filter_map(|envelope| match envelope.event {
        model::event::Event::ObjectAltered { xray_id, object, .. } => Some((xray_id, object)),
        _ => None,
    });
    altered.collect()
}

/// threats.md row 56: an error, and one event however often it is read.
#[tokio::test]
async fn an_altered_object_is_told_of_once() {
    let kit = Kit::open().await;
    let stored = kit.store_data_set(&Image::default().data_set()).await.expect("store");
    let (instance, header) = kit.instance(&stored).await;
    let key = instance.object_key;
    let path = kit.root.path().join(format!("objects/{:02x}/{key}", key.as_bytes()[15]));
    let mut content = std::fs::read(&path).expect("object");
    content[80] ^= 1;
    std::fs::write(&path, content).expect("write");
    for _ in 0..3 {
        let error = kit.archive.read_frame(&instance, &header, 0).await.expect_err("altered");
        assert!(matches!(error, ReadError::Storage(crate::StorageError::Altered { .. })), "{error}");
        let mut stream = kit.archive.read_instance(&instance).await.expect("opened");
        assert!(futures_util::StreamExt::next(&mut stream).await.expect("a piece").is_err());
    }
    for _ in 0..1_000 {
        if !altered(&kit).await.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(altered(&kit).await, [(instance.id, "instance".to_owned())]);
}
