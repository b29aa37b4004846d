//! Rendered studies and series, documents and video, parts of an image.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::{StatusCode, header};

use super::{
    Door,
    instances::{JPEG_2000, RLE, Sample, rle_frame},
    parts,
};
use crate::DicomwebConfig;

const INSTANCE: &str = "/studies/1.1/series/1.1.1/instances/1.1.1.1";
const PDF: &str = "1.2.840.10008.5.1.4.1.1.104.1";
pub const VIDEO: &str = "1.2.840.10008.1.2.4.102";

/// A Part 10 file of an encapsulated PDF.
pub fn pdf(document: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 128];
    file.extend_from_slice(b"DICM");
    let mut element = |tag: u32, vr: &str, value: &[u8]| {
        file.extend_from_slice(&((tag >> 16) as u16).to_le_bytes());
        file.extend_from_slice(&(tag as u16).to_le_bytes());
        file.extend_from_slice(vr.as_bytes());
        let length = value.len().next_multiple_of(2);
        if vr == "OB" {
            file.extend_from_slice(&[0, 0]);
            file.extend_from_slice(&(length as u32).to_le_bytes());
        } else {
            file.extend_from_slice(&(length as u16).to_le_bytes());
        }
        file.extend_from_slice(value);
        file.resize(file.len() + length - value.len(), 0);
    };
    element(0x0002_0010, "UI", b"1.2.840.10008.1.2.1");
    element(0x0008_0016, "UI", PDF.as_bytes());
    element(0x0008_0018, "UI", b"1.1.1.1");
    element(0x0010_0020, "LO", b"P-1 ");
    element(0x0020_000D, "UI", b"1.1");
    element(0x0020_000E, "UI", b"1.1.1");
    element(0x0042_0011, "OB", document);
    element(0x0042_0015, "UL", &(document.len() as u32).to_le_bytes());
    file
}

#[tokio::test]
async fn documents_come_as_they_are() {
    // Short ones are kept in the header, long ones are not; both of odd length.
    for length in [101, 50_001] {
        let document: Vec<u8> = b"%PDF-1.7\n".iter().copied().chain((0..length).map(|n| n as u8)).collect();
        let door = Door::open().await;
        assert_eq!(door.store(&[pdf(&document)]).await.status, StatusCode::OK);
        let path = format!("{INSTANCE}/rendered");
        for accept in ["application/pdf", "*/*"] {
            let answer = door.get(&path, accept).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.header(header::CONTENT_TYPE), "application/pdf");
            assert_eq!(answer.header(header::CONTENT_DISPOSITION), "attachment");
            assert!(answer.body == document, "{length}");
        }
        let range = [(header::ACCEPT, "application/pdf"), (header::RANGE, "bytes=1-3")];
        let part = door.get_with(&path, &range).await;
        assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &b"PDF"[..]));
        assert_eq!(door.get(&path, "image/jpeg").await.status, StatusCode::NOT_ACCEPTABLE);
        // It has no pixels: in another encoding it is the same document.
        let implicit = door.get(INSTANCE, "application/dicom; transfer-syntax=1.2.840.10008.1.2").await;
        assert_eq!(implicit.status, StatusCode::OK);
        assert!(implicit.body.windows(document.len()).any(|window| window == document));
    }
}

#[tokio::test]
async fn video_comes_as_it_is() {
    let stream: Vec<u8> = (0..=255).collect();
    let whole = Sample {
        transfer_syntax: VIDEO,
        frames: vec![stream.clone()],
        ..Sample::new("1.1", "1.1.1", "1.1.1.1")
    };
    let door = Door::open().await;
    assert_eq!(door.store(&[whole.file()]).await.status, StatusCode::OK);
    let path = format!("{INSTANCE}/rendered");
    let answer = door.get(&path, "video/mp4").await;
    assert_eq!(answer.header(header::CONTENT_TYPE), "video/mp4");
    assert_eq!(answer.body, stream);
    let range = [(header::ACCEPT, "video/mp4"), (header::RANGE, "bytes=250-")];
    assert_eq!(door.get_with(&path, &range).await.body, stream[250..]);
    assert_eq!(door.get(&path, "image/jpeg").await.status, StatusCode::NOT_ACCEPTABLE);
    let pieces = Sample { frames: vec![stream.clone(), stream], ..whole };
    let door = Door::open().await;
    assert_eq!(door.store(&[pieces.file()]).await.status, StatusCode::OK);
    assert_eq!(door.get(&path, "video/mp4").await.status, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn a_study_in_pictures() {
    let samples = [
        Sample { no_pixels: true, ..Sample::new("1.1", "1.1.1", "1.1.1.1") },
        Sample {
            number: 2,
            transfer_syntax: JPEG_2000,
            frames: vec![b"no codestream".to_vec()],
            ..Sample::new("1.1", "1.1.1", "1.1.1.2")
        },
        Sample { number: 3, ..Sample::new("1.1", "1.1.1", "1.1.1.3") },
        Sample { transfer_syntax: RLE, frames: vec![rle_frame()], ..Sample::new("1.1", "1.1.2", "1.1.2.1") },
    ];
    let door = Door::open().await;
    let files: Vec<Vec<u8>> = samples.iter().map(Sample::file).collect();
    assert_eq!(door.store(&files).await.status, StatusCode::OK);
    for (accept, media_type, start) in [
        ("*/*", "image/jpeg", &b"\xff\xd8"[..]),
        ("multipart/related; type=\"image/png\"", "image/png", b"\x89PNG"),
    ] {
        for (path, expected) in
            [("/studies/1.1/rendered?viewport=8,8", 2), ("/studies/1.1/series/1.1.1/rendered", 1)]
        {
            let found = parts(&door.get(path, accept).await);
            assert_eq!(found.len(), expected, "{path}");
            assert!(found.iter().all(|(kind, picture)| kind == media_type && picture.starts_with(start)));
        }
    }
    let path = "/studies/1.1/rendered";
    assert_eq!(door.get(path, "image/jpeg").await.status, StatusCode::NOT_ACCEPTABLE);
    assert_eq!(door.get("/studies/1.1/rendered?quality=0", "*/*").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(door.get("/studies/9.9/rendered", "*/*").await.status, StatusCode::NOT_FOUND);
    let nothing = Door::open().await;
    nothing.store(&files[..2]).await;
    assert_eq!(nothing.get(path, "*/*").await.status, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn a_part_of_an_image() {
    let door = Door::open().await;
    assert_eq!(door.store(&[Sample::new("1.1", "1.1.1", "1.1.1.1").file()]).await.status, StatusCode::OK);
    let size = async |query: &str| {
        let answer = door.get(&format!("{INSTANCE}/rendered?{query}"), "image/png").await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {:?}", answer.body);
        let side = |at: usize| u32::from_be_bytes(answer.body[at..at + 4].try_into().expect("four bytes"));
        (side(16), side(20))
    };
    // The image has four columns and two rows.
    assert_eq!(size("viewport=40,40").await, (40, 20));
    assert_eq!(size("viewport=40,40,0,0,2,2").await, (40, 40));
    assert_eq!(size("viewport=40,40,3,0,9,9").await, (20, 40));
    // What is left out: from the corner, to the edge.
    assert_eq!(size("viewport=40,40,,,2,2").await, (40, 40));
    assert_eq!(size("viewport=40,40,3").await, (20, 40));
    assert_eq!(size("viewport=40,40,,1").await, (40, 10));
    let outside = door.get(&format!("{INSTANCE}/rendered?viewport=9,9,4,0,1,1"), "image/png").await;
    assert_eq!(outside.status, StatusCode::BAD_REQUEST);
    let thumbnail = door.get(&format!("{INSTANCE}/thumbnail?viewport=9,9,0,0,1,1"), "image/png").await;
    assert_eq!(thumbnail.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn several_frames_move() {
    let frames: Vec<Vec<u8>> = (0..3).map(|n| vec![n * 40; 16]).collect();
    let door = Door::open().await;
    let sample = Sample { frames, ..Sample::new("1.1", "1.1.1", "1.1.1.1") };
    assert_eq!(door.store(&[sample.file()]).await.status, StatusCode::OK);
    let pictures = |body: &[u8]| body.windows(3).filter(|window| *window == b"\x21\xf9\x04").count();
    let all = door.get(&format!("{INSTANCE}/rendered"), "image/gif").await;
    assert_eq!(all.header(header::CONTENT_TYPE), "image/gif");
    assert!(all.body.starts_with(b"GIF89a") && all.body.ends_with(b"\x3b"));
    assert_eq!(pictures(&all.body), 3);
    // As the graphic control says: a tenth of a second each.
    let control = all.body.windows(3).position(|window| window == b"\x21\xf9\x04").expect("a picture");
    assert_eq!(all.body[control + 4..control + 6], [10, 0]);
    for path in ["frames/2/rendered", "thumbnail"] {
        let one = door.get(&format!("{INSTANCE}/{path}"), "image/gif").await;
        assert_eq!((one.status, pictures(&one.body)), (StatusCode::OK, 1), "{path}");
    }
}

/// Frames that the decoder of [`what_is_asked_for_twice_is_decoded_once`] was given.
static DECODED: AtomicUsize = AtomicUsize::new(0);

fn counting(message: &[u8]) -> Vec<u8> {
    DECODED.fetch_add(1, Ordering::SeqCst);
    rendering::wire::handle_request(message)
}

#[tokio::test]
async fn what_is_asked_for_twice_is_decoded_once() {
    let door = Door::with_decoder(DicomwebConfig::default(), counting).await;
    let sample =
        Sample { transfer_syntax: RLE, frames: vec![rle_frame()], ..Sample::new("1.1", "1.1.1", "1.1.1.1") };
    assert_eq!(door.store(&[sample.file()]).await.status, StatusCode::OK);
    let native = "multipart/related; type=\"application/octet-stream\"";
    for (path, accept, decoded) in [
        ("/rendered", "image/png", 1),
        ("/frames/1/rendered", "image/png", 1),
        ("/rendered", "image/jpeg", 2),
        ("/rendered?quality=20", "image/jpeg", 3),
        ("/rendered?quality=20", "image/jpeg", 3),
        ("/frames/1", native, 4),
        ("/frames/1", native, 4),
    ] {
        let answer = door.get(&format!("{INSTANCE}{path}"), accept).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(DECODED.load(Ordering::SeqCst), decoded, "{path} {accept}");
    }
    // In the cache or not, what is not yours is not there.
    let admin = door.token(model::access::Role::Viewer, None);
    let request = http::Request::builder()
        .uri(format!("{INSTANCE}/rendered"))
        .header(header::AUTHORIZATION, admin)
        .header(header::ACCEPT, "image/png");
    let answer = door.send(request.body(axum::body::Body::empty()).expect("request")).await;
    assert!([StatusCode::NOT_FOUND, StatusCode::UNAUTHORIZED].contains(&answer.status), "{}", answer.status);
}
