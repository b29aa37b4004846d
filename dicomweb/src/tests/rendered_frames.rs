//! Lists of frames as pictures in parts, flipped pictures, and annotations that nobody draws.

use axum::body::Body;
use http::{Request, StatusCode, header};
use model::access::Role;
use tower::ServiceExt as _;

use super::{
    Door,
    instances::{RLE, Sample, rle_frame},
    parts,
};

const INSTANCE: &str = "/studies/1.1/series/1.1.1/instances/1.1.1.1";
const IN_PARTS: &str = "multipart/related; type=\"image/png\"";

/// A door with one instance of three frames, each with another pixel that is bright.
async fn three_frames() -> Door {
    let frame =
        |bright: usize| -> Vec<u8> { (0..16).map(|byte| if byte == 2 * bright { 200 } else { 0 }).collect() };
    let sample = Sample { frames: (0..3).map(frame).collect(), ..Sample::new("1.1", "1.1.1", "1.1.1.1") };
    let door = Door::open().await;
    assert_eq!(door.store(&[sample.file()]).await.status, StatusCode::OK);
    door
}

#[tokio::test]
async fn a_list_of_frames_comes_in_parts() {
    let door = three_frames().await;
    let mut alone = Vec::new();
    for frame in 1..=3 {
        let answer = door.get(&format!("{INSTANCE}/frames/{frame}/rendered"), "image/png").await;
        assert_eq!(answer.header(header::CONTENT_TYPE), "image/png");
        alone.push(("image/png".to_owned(), answer.body.to_vec()));
    }
    assert!(alone[0] != alone[1] && alone[1] != alone[2] && alone[0] != alone[2]);
    let mut tags = Vec::new();
    for (path, expected) in [
        ("frames/3,1,2/rendered", vec![2, 0, 1]),
        ("frames/1,2,3/rendered", vec![0, 1, 2]),
        ("frames/2/rendered", vec![1]),
        ("rendered", vec![0]),
    ] {
        let path = format!("{INSTANCE}/{path}");
        let answer = door.get(&path, IN_PARTS).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let expected: Vec<_> = expected.into_iter().map(|index: usize| alone[index].clone()).collect();
        assert!(parts(&answer) == expected, "{path}");
        let tag = answer.header(header::ETAG).to_owned();
        let known = [(header::ACCEPT, IN_PARTS), (header::IF_NONE_MATCH, tag.as_str())];
        assert_eq!(door.get_with(&path, &known).await.status, StatusCode::NOT_MODIFIED, "{path}");
        assert!(!tags.contains(&tag), "{path}");
        tags.push(tag);
    }
    // Whoever takes anything gets one picture as it is, and several in parts.
    let one = door.get(&format!("{INSTANCE}/frames/1/rendered"), "*/*").await;
    assert_eq!(one.header(header::CONTENT_TYPE), "image/jpeg");
    let all = parts(&door.get(&format!("{INSTANCE}/frames/1,2/rendered"), "*/*").await);
    assert!(all.len() == 2 && all.iter().all(|(media_type, _)| media_type == "image/jpeg"));
}

#[tokio::test]
async fn a_list_of_frames_that_cannot_be_sent_is_refused() {
    let door = three_frames().await;
    let alone = door.get(&format!("{INSTANCE}/frames/1,2/rendered"), "image/png, image/jpeg").await;
    assert_eq!(alone.status, StatusCode::NOT_ACCEPTABLE);
    assert!(alone.json()["detail"].as_str().is_some_and(|detail| detail.contains(IN_PARTS)), "{alone:?}");
    for (list, status) in [("1,4", 404), ("4", 404), ("1,1", 400), ("1,x", 400)] {
        let answer = door.get(&format!("{INSTANCE}/frames/{list}/rendered"), IN_PARTS).await;
        assert_eq!(answer.status.as_u16(), status, "{list}");
    }
    // Of several frames one that has no picture: a part for each, or none at all.
    let frames = vec![rle_frame(), b"no RLE".to_vec()];
    let broken = Sample { transfer_syntax: RLE, frames, ..Sample::new("1.1", "1.1.1", "1.1.1.1") };
    let door = Door::open().await;
    assert_eq!(door.store(&[broken.file()]).await.status, StatusCode::OK);
    let first = door.get(&format!("{INSTANCE}/frames/2,1/rendered"), IN_PARTS).await;
    assert_eq!(first.status, StatusCode::NOT_ACCEPTABLE);
    let request = Request::builder()
        .uri(format!("{INSTANCE}/frames/1,2/rendered"))
        .header(header::AUTHORIZATION, door.token(Role::Service, None))
        .header(header::ACCEPT, IN_PARTS)
        .body(Body::empty());
    let answer = door.router.clone().oneshot(request.expect("request")).await.expect("answer");
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(axum::body::to_bytes(answer.into_body(), 1 << 20).await.is_err(), "it is cut");
}

#[tokio::test]
async fn a_negative_size_flips_the_picture() {
    let plain = Sample::new("1.1", "1.1.1", "1.1.1.1");
    // Rows of four pixels of two bytes.
    let mirrored = |frame: &Vec<u8>| -> Vec<u8> {
        frame.chunks(8).flat_map(|row| row.chunks(2).rev().flatten().copied()).collect()
    };
    let frames = plain.frames.iter().map(mirrored).collect();
    let turned = Sample { frames, ..Sample::new("1.1", "1.1.1", "1.1.1.2") };
    let door = Door::open().await;
    assert_eq!(door.store(&[plain.file(), turned.file()]).await.status, StatusCode::OK);
    let picture = async |instance: &str, viewport: &str| {
        let path = format!("/studies/1.1/series/1.1.1/instances/{instance}/rendered?viewport={viewport}");
        let answer = door.get(&path, "image/png").await;
        assert_eq!(answer.status, StatusCode::OK, "{viewport}: {:?}", answer.body);
        answer.body
    };
    let expected = picture("1.1.1.2", "4,2").await;
    assert!(picture("1.1.1.1", "4,2").await != expected);
    assert!(picture("1.1.1.1", "4,2,,,-4").await == expected);
    assert!(picture("1.1.1.1", "4,2,0,0,-4,2").await == expected);
    assert!(picture("1.1.1.1", "4,2,,,,-2").await != picture("1.1.1.1", "4,2").await);
}

#[tokio::test]
async fn annotations_that_are_not_drawn_are_said() {
    let door = three_frames().await;
    let said = "299 maxray \"The following annotation values are not supported: patient, technique\"";
    for path in [
        "/studies/1.1/rendered".to_owned(),
        format!("{INSTANCE}/rendered"),
        format!("{INSTANCE}/frames/1/rendered"),
        format!("{INSTANCE}/frames/1,2/rendered"),
    ] {
        let plain = door.get(&path, "*/*").await;
        assert_eq!((plain.status, plain.header(header::WARNING)), (StatusCode::OK, ""), "{path}");
        let asked = format!("{path}?annotation=patient,technique");
        let answer = door.get(&asked, "*/*").await;
        assert_eq!((answer.status, answer.header(header::WARNING)), (StatusCode::OK, said), "{path}");
        assert!(answer.body == plain.body, "{path}");
        let known = [(header::ACCEPT, "*/*"), (header::IF_NONE_MATCH, answer.header(header::ETAG))];
        let known = door.get_with(&asked, &known).await;
        assert_eq!((known.status, known.header(header::WARNING)), (StatusCode::NOT_MODIFIED, said), "{path}");
        for value in ["", "logo", "patient,logo"] {
            let refused = door.get(&format!("{path}?annotation={value}"), "*/*").await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path} {value}");
        }
    }
}
