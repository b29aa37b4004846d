//! Transfer syntaxes on the way out (PS3.18 8.7.3.5).

use http::{StatusCode, header};

use super::{
    Answer, Door,
    instances::{BIG_ENDIAN, EXPLICIT, JPEG_2000, RLE, Sample, rle_frame},
    parts,
};

const INSTANCE: &str = "/studies/1.1/series/1.1.1/instances/1.1.1.1";
const IMPLICIT: &str = "1.2.840.10008.1.2";
const JPEG_LS: &str = "1.2.840.10008.1.2.4.80";

async fn with(sample: &Sample) -> Door {
    let door = Door::open().await;
    assert_eq!(door.store(&[sample.file()]).await.status, StatusCode::OK);
    door
}

async fn instance(door: &Door, transfer_syntax: &str) -> Answer {
    let answer = door.get(INSTANCE, &format!("application/dicom; transfer-syntax={transfer_syntax}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{transfer_syntax}: {:?}", answer.body);
    let expected = format!("application/dicom; transfer-syntax={transfer_syntax}");
    assert_eq!(answer.header(header::CONTENT_TYPE), expected);
    answer
}

fn multi_frame(transfer_syntax: &'static str) -> Sample {
    let frames = vec![(0..16).collect::<Vec<u8>>(), (16..32).collect(), vec![0; 16]];
    Sample { transfer_syntax, frames, ..Sample::new("1.1", "1.1.1", "1.1.1.1") }
}

/// What the same instance looks like when it came in this syntax.
fn data_set_of(answer: &Answer) -> &[u8] {
    let at = answer.body.windows(8).position(|window| window == b"\x08\0\x05\0CS\x0a\0");
    &answer.body[at.expect("a data set")..]
}

#[tokio::test]
async fn a_compressed_instance_comes_out_native() {
    let rle = Sample { transfer_syntax: RLE, frames: vec![rle_frame(); 3], ..multi_frame(RLE) };
    let native = Sample { frames: vec![vec![0; 16]; 3], ..multi_frame(EXPLICIT) };
    let door = with(&rle).await;
    assert_eq!(data_set_of(&instance(&door, EXPLICIT).await), native.data_set());
    // Nothing said is Explicit VR Little Endian, a star is what is kept.
    for (accept, syntax) in [
        ("application/dicom", EXPLICIT),
        ("application/dicom; transfer-syntax=*", RLE),
        ("application/dicom; transfer-syntax=*;q=0.4, application/dicom;q=0.2", RLE),
    ] {
        let answer = door.get(INSTANCE, accept).await;
        assert_eq!(
            answer.header(header::CONTENT_TYPE),
            format!("application/dicom; transfer-syntax={syntax}")
        );
    }
    let found = parts(&door.get("/studies/1.1", "*/*").await);
    assert_eq!(found[0].0, format!("application/dicom; transfer-syntax={EXPLICIT}"));
    assert!(found[0].1.ends_with(&native.data_set()));
    let etag = instance(&door, EXPLICIT).await.header(header::ETAG).to_owned();
    let stored = instance(&door, RLE).await.header(header::ETAG).to_owned();
    assert_ne!(etag, stored);
    let accept = format!("application/dicom; transfer-syntax={EXPLICIT}");
    let again = [(header::ACCEPT, accept.as_str()), (header::IF_NONE_MATCH, etag.as_str())];
    assert_eq!(door.get_with(INSTANCE, &again).await.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn native_instances_in_every_encoding() {
    let explicit = multi_frame(EXPLICIT).data_set();
    let swapped = Sample {
        frames: vec![vec![1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14]],
        ..multi_frame(BIG_ENDIAN)
    };
    let big = with(&swapped).await;
    let little = Sample { frames: vec![(0..16).collect()], ..multi_frame(EXPLICIT) };
    assert_eq!(data_set_of(&instance(&big, EXPLICIT).await), little.data_set());
    let door = with(&multi_frame(EXPLICIT)).await;
    let implicit = instance(&door, IMPLICIT).await;
    // The character set without its VR, and the samples at the end.
    assert!(implicit.body.windows(8).any(|window| window == b"\x08\0\x05\0\x0a\0\0\0"));
    assert!(implicit.body.ends_with(&explicit[explicit.len() - 48..]));
    for syntax in [RLE, JPEG_LS] {
        let made = instance(&door, syntax).await;
        // What was made goes in and comes out again as it was.
        let again = Door::open().await;
        assert_eq!(again.store(&[made.body.to_vec()]).await.status, StatusCode::OK, "{syntax}");
        assert_eq!(data_set_of(&instance(&again, EXPLICIT).await), explicit, "{syntax}");
        assert_eq!(data_set_of(&instance(&again, syntax).await), data_set_of(&made), "{syntax}");
    }
}

#[tokio::test]
async fn frames_in_every_form() {
    let door = with(&multi_frame(EXPLICIT)).await;
    let path = format!("{INSTANCE}/frames/3,1");
    for (accept, content_type) in [
        ("image/dicom-rle".to_owned(), format!("image/dicom-rle; transfer-syntax={RLE}")),
        ("image/jls".to_owned(), format!("image/jls; transfer-syntax={JPEG_LS}")),
        (
            format!("application/octet-stream; transfer-syntax={RLE}"),
            format!("image/dicom-rle; transfer-syntax={RLE}"),
        ),
    ] {
        let answer = door.get(&path, &format!("multipart/related; type={accept}")).await;
        let found = parts(&answer);
        assert_eq!(found.len(), 2, "{accept}");
        assert!(found.iter().all(|(found, _)| *found == content_type), "{accept}: {}", found[0].0);
        let single = door.get(&format!("{INSTANCE}/frames/1"), &accept).await;
        assert_eq!(single.header(header::CONTENT_TYPE), content_type);
        assert_eq!(single.body, found[1].1, "{accept}");
    }
    let rle = with(&Sample { frames: vec![rle_frame(); 2], ..multi_frame(RLE) }).await;
    let native = format!("application/octet-stream; transfer-syntax={EXPLICIT}");
    for accept in ["*/*", "multipart/related; type=application/octet-stream", "multipart/related"] {
        let found = parts(&rle.get(&format!("{INSTANCE}/frames/1,2"), accept).await);
        assert_eq!(found, [(native.clone(), vec![0; 16]), (native.clone(), vec![0; 16])], "{accept}");
    }
    let range = [(header::ACCEPT, "application/octet-stream"), (header::RANGE, "bytes=4-7")];
    let part = rle.get_with(&format!("{INSTANCE}/frames/2"), &range).await;
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &[0; 4][..]));
    assert_eq!(rle.get(&format!("{INSTANCE}/frames/3"), "*/*").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_cannot_be_made_is_named() {
    let door = with(&multi_frame(EXPLICIT)).await;
    let answer = door.get(INSTANCE, "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.100").await;
    assert_eq!(answer.status, StatusCode::NOT_ACCEPTABLE);
    let detail = answer.json()["detail"].as_str().expect("detail").to_owned();
    for syntax in [EXPLICIT, IMPLICIT, RLE, JPEG_LS] {
        assert!(detail.contains(&format!("transfer-syntax={syntax}")), "{detail}");
    }
    // 16 bits do not fit into JPEG Baseline, and a broken codestream into nothing.
    let jpeg = "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50";
    assert_eq!(door.get(INSTANCE, jpeg).await.status, StatusCode::NOT_ACCEPTABLE);
    let broken =
        with(&Sample { frames: vec![b"\xff\x4f\xff\x51 x".to_vec()], ..multi_frame(JPEG_2000) }).await;
    let explicit = format!("application/dicom; transfer-syntax={EXPLICIT}");
    assert_eq!(broken.get(INSTANCE, &explicit).await.status, StatusCode::NOT_ACCEPTABLE);
    let kept = broken.get(INSTANCE, "application/dicom").await;
    assert_eq!(kept.header(header::CONTENT_TYPE), format!("application/dicom; transfer-syntax={JPEG_2000}"));
    // Fewer frames than are announced cannot be told apart.
    let frames = format!("{INSTANCE}/frames/1");
    assert_eq!(broken.get(&frames, "image/dicom-rle").await.status, StatusCode::NOT_ACCEPTABLE);
}
