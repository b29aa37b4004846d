//! Thumbnails fit into their viewport, whatever was made beforehand, and frames that are not there have none.

use bytes::Bytes;
use database::PreviewObjects;
use http::{StatusCode, header};
use model::{StudyInstanceUid, access::Scope};
use object_storage::ObjectKey;
use rendering::{ImageFormat, RenderedImage};

use super::{
    Door,
    instances::{JPEG_2000, Sample},
};

const INSTANCE: &str = "/studies/1.1/series/1.1.1/instances/1.1.1.1";

fn jpeg(width: u32, height: u32) -> Bytes {
    let samples = (0..width * height).map(|n| n as u8).collect();
    let picture = RenderedImage { width, height, channels: 1, samples };
    Bytes::from(rendering::encode(&picture, ImageFormat::Jpeg { quality: 85 }).expect("a file"))
}

/// Keeps two pictures of the one instance of a study, as the worker does, and gives their keys.
async fn keep(door: &Door, large: Bytes, small: Bytes) -> [ObjectKey; 2] {
    let study = StudyInstanceUid::parse("1.1").expect("a UID");
    let found = door.archive.database().instances(&Scope::internal(), &study, None, None).await;
    let instance = found.expect("rows").pop().expect("an instance");
    let (width, height) = rendering::picture_size(&large).expect("a picture");
    let put = async |picture: Bytes| door.archive.put_preview(&instance, picture).await.expect("kept");
    let (preview, thumbnail) = (put(large).await, put(small).await);
    let objects = PreviewObjects {
        preview_key: preview.key.into(),
        preview_seal: preview.seal.to_bytes().to_vec(),
        preview_length_bytes: preview.seal.length_bytes(),
        thumbnail_key: thumbnail.key.into(),
        thumbnail_seal: thumbnail.seal.to_bytes().to_vec(),
        thumbnail_length_bytes: thumbnail.seal.length_bytes(),
        media_type: "image/jpeg".into(),
        width,
        height,
    };
    door.archive.database().record_preview(instance.id, objects).await.expect("recorded");
    [preview.key, thumbnail.key]
}

#[tokio::test]
async fn thumbnails_fit_into_their_viewport() {
    let door = Door::open().await;
    // Four columns, two rows.
    assert_eq!(door.store(&[Sample::new("1.1", "1.1.1", "1.1.1.1").file()]).await.status, StatusCode::OK);
    let (large, small) = (jpeg(512, 256), jpeg(128, 64));
    keep(&door, large.clone(), small.clone()).await;
    let mut tags = Vec::new();
    for (query, size, as_kept) in [
        ("", (128, 64), Some(&small)),
        ("?viewport=128,128", (128, 64), Some(&small)),
        ("?viewport=64,64", (64, 32), None),
        ("?viewport=100,20", (40, 20), None),
        ("?viewport=300,300", (300, 150), None),
        ("?viewport=512,512", (512, 256), Some(&large)),
        // Larger than anything that is kept: of the frame.
        ("?viewport=800,800", (800, 400), None),
    ] {
        let path = format!("{INSTANCE}/thumbnail{query}");
        let answer = door.get(&path, "image/jpeg").await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {:?}", answer.body);
        assert_eq!(rendering::picture_size(&answer.body), Some(size), "{query}");
        assert!(as_kept.is_none_or(|kept| answer.body == *kept), "{query}");
        let again = door.get(&path, "image/jpeg").await;
        assert!(again.body == answer.body, "{query}");
        let tag = answer.header(header::ETAG).to_owned();
        let known = [(header::ACCEPT, "image/jpeg"), (header::IF_NONE_MATCH, tag.as_str())];
        assert_eq!(door.get_with(&path, &known).await.status, StatusCode::NOT_MODIFIED, "{query}");
        assert!(!tags.contains(&tag), "{query}");
        tags.push(tag);
    }
    // In another format than what is kept: of the frame, and as large as possible, too.
    let png = door.get(&format!("{INSTANCE}/thumbnail?viewport=64,64"), "image/png").await;
    assert_eq!(rendering::picture_size(&png.body), Some((64, 32)));
}

#[tokio::test]
async fn what_was_sent_lately_is_not_read_again() {
    let door = Door::open().await;
    assert_eq!(door.store(&[Sample::new("1.1", "1.1.1", "1.1.1.1").file()]).await.status, StatusCode::OK);
    let keys = keep(&door, jpeg(512, 256), jpeg(128, 64)).await;
    let as_kept = format!("{INSTANCE}/thumbnail");
    let fitted = format!("{INSTANCE}/thumbnail?viewport=300,300");
    let (of_kept, of_fitted) =
        (door.get(&as_kept, "image/jpeg").await, door.get(&fitted, "image/jpeg").await);
    for key in keys {
        door.archive.storage().delete(key).await.expect("deleted");
    }
    for (path, sent) in [(&as_kept, &of_kept), (&fitted, &of_fitted)] {
        let known = [(header::ACCEPT, "image/jpeg"), (header::IF_NONE_MATCH, sent.header(header::ETAG))];
        assert_eq!(door.get_with(path, &known).await.status, StatusCode::NOT_MODIFIED, "{path}");
    }
    assert!(door.get(&fitted, "image/jpeg").await.body == of_fitted.body);
}

#[tokio::test]
async fn what_is_not_there_has_no_thumbnail_and_what_cannot_be_shown_a_grey_one() {
    let sound = Sample::new("1.1", "1.1.1", "1.1.1.1");
    let bare = Sample { no_pixels: true, ..Sample::new("1.1", "1.1.1", "1.1.1.2") };
    let frames = vec![b"no codestream".to_vec()];
    let damaged = Sample { transfer_syntax: JPEG_2000, frames, ..Sample::new("1.1", "1.1.1", "1.1.1.3") };
    let door = Door::open().await;
    let files = [sound.file(), bare.file(), damaged.file()];
    assert_eq!(door.store(&files).await.status, StatusCode::OK);
    for (path, size) in [
        ("1.1.1.1/frames/1/thumbnail", Some((4, 2))),
        ("1.1.1.1/frames/2/thumbnail", None),
        ("1.1.1.3/frames/2/thumbnail", None),
        ("1.1.1.9/frames/1/thumbnail", None),
        ("1.1.1.9/thumbnail", None),
        ("1.1.1.2/thumbnail", Some((128, 128))),
        ("1.1.1.3/thumbnail", Some((128, 128))),
        ("1.1.1.3/frames/1/thumbnail?viewport=64,32", Some((64, 32))),
    ] {
        let answer = door.get(&format!("/studies/1.1/series/1.1.1/instances/{path}"), "image/jpeg").await;
        let status = if size.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(rendering::picture_size(&answer.body), size, "{path}");
    }
}
