//! WADO-RS: instances, metadata, frames, bulk data.

use http::{StatusCode, header};
use serde_json::json;

use super::{
    Door,
    instances::{BIG_ENDIAN, EXPLICIT, JPEG_2000, Sample},
    parts,
};

const INSTANCE: &str = "/studies/1.1/series/1.1.1/instances/1.1.1.1";
const STORED: &str = "multipart/related; type=application/octet-stream; transfer-syntax=*";

async fn with(samples: &[Sample]) -> Door {
    let door = Door::open().await;
    let files: Vec<Vec<u8>> = samples.iter().map(Sample::file).collect();
    assert_eq!(door.store(&files).await.status, StatusCode::OK);
    door
}

/// The data set is what was sent; the file meta group before it is ours.
fn assert_same_data_set(file: &[u8], sample: &Sample) {
    assert_eq!(&file[128..132], b"DICM");
    assert!(file.ends_with(&sample.data_set()), "{}", sample.instance);
}

#[tokio::test]
async fn instances_come_back_bit_for_bit() {
    let samples = [
        Sample::new("1.1", "1.1.1", "1.1.1.1"),
        Sample { number: 2, transfer_syntax: JPEG_2000, ..Sample::new("1.1", "1.1.1", "1.1.1.2") },
        Sample::new("1.1", "1.1.2", "1.1.2.1"),
    ];
    let door = with(&samples).await;
    let stored = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
    for (path, expected) in [("/studies/1.1", 3), ("/studies/1.1/series/1.1.1", 2), (INSTANCE, 1)] {
        for accept in [stored, "*/*", "multipart/related;type=\"application/dicom\";transfer-syntax=*"] {
            let answer = door.get(path, accept).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            // What may have to be converted has no length that is known before; this codestream cannot be, and goes
            // out as it is.
            if accept != "*/*" {
                assert_eq!(answer.header(header::CONTENT_LENGTH), answer.body.len().to_string());
            }
            let parts = parts(&answer);
            assert_eq!(parts.len(), expected, "{path}");
            for (sample, (content_type, file)) in samples.iter().zip(&parts) {
                assert_same_data_set(file, sample);
                let syntax = sample.transfer_syntax;
                assert_eq!(*content_type, format!("application/dicom; transfer-syntax={syntax}"));
            }
        }
    }
    let single = door.get(INSTANCE, "application/dicom").await;
    assert_eq!(single.header(header::CONTENT_TYPE), format!("application/dicom; transfer-syntax={EXPLICIT}"));
    assert_same_data_set(&single.body, &samples[0]);
}

#[tokio::test]
async fn what_would_need_conversion_is_not_acceptable() {
    let compressed = Sample { transfer_syntax: JPEG_2000, ..Sample::new("1.1", "1.1.1", "1.1.1.1") };
    let door = with(&[compressed]).await;
    let explicit = format!("multipart/related; type=\"application/dicom\"; transfer-syntax={EXPLICIT}");
    let answer = door.get(INSTANCE, &explicit).await;
    assert_eq!(answer.status, StatusCode::NOT_ACCEPTABLE);
    assert!(answer.json()["detail"].as_str().expect("detail").contains(JPEG_2000), "{:?}", answer.body);
    let frames = format!("{INSTANCE}/frames/1");
    for accept in ["multipart/related; type=application/octet-stream", "image/png"] {
        assert_eq!(door.get(&frames, accept).await.status, StatusCode::NOT_ACCEPTABLE, "{accept}");
    }
}

#[tokio::test]
async fn not_there_and_not_a_uid() {
    let door = with(&[Sample::new("1.1", "1.1.1", "1.1.1.1")]).await;
    for path in [
        "/studies/9.9",
        "/studies/1.1/series/9.9",
        "/studies/1.1/series/1.1.1/instances/9.9",
        "/studies/1.1/series/1.1.1/instances/9.9/frames/1",
        "/studies/9.9/metadata",
        "/studies/1.1/series/1.1.1/instances/1.1.1.1/frames/2",
        "/studies/1.1/series/1.1.1/instances/1.1.1.1/bulkdata/00282000",
        "/studies/9.9/series/1.1.1/instances/1.1.1.1/rendered",
    ] {
        assert_eq!(door.get(path, "*/*").await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/studies/x", "/studies/1..2/metadata", "/studies/1.1/series/%2e%2e", "/studies/%ff"] {
        assert_eq!(door.get(path, "*/*").await.status, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn metadata_from_the_database_alone() {
    let samples: Vec<Sample> = (1..=70)
        .map(|n| Sample { number: n, ..Sample::new("1.1", "1.1.1", &format!("1.1.1.{n}")) })
        .collect();
    let door = with(&samples).await;
    for accept in ["application/dicom+json", STORED, "application/json"] {
        let answer = door.get("/studies/1.1/metadata", accept).await;
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/dicom+json");
        let json = answer.json();
        assert_eq!(json.as_array().expect("instances").len(), 70);
        assert_eq!(json[69]["00080018"]["Value"][0], "1.1.1.70");
        let first = &json[0];
        let url = format!("/dicomweb{INSTANCE}");
        assert_eq!(first["00081190"]["Value"][0], url);
        assert_eq!(first["00083002"]["Value"][0], EXPLICIT);
        assert_eq!(first["7FE00010"]["BulkDataURI"], format!("{url}/bulkdata/7FE00010"));
        assert_eq!(first["00080005"]["Value"][0], "ISO_IR 192");
        assert_eq!(first["00100030"], json!({"vr": "DA"}));
        assert!(!first.as_object().expect("object").keys().any(|key| key.starts_with("0002")));
    }
    let one = door.get(&format!("{INSTANCE}/metadata"), "*/*").await;
    let tag = one.header(header::ETAG).to_owned();
    assert_eq!(one.json().as_array().expect("instance").len(), 1);
    let again =
        door.get_with(&format!("{INSTANCE}/metadata"), &[(header::IF_NONE_MATCH, tag.as_str())]).await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
}

#[tokio::test]
async fn frames_of_native_pixels() {
    let frames = vec![(0..16).collect::<Vec<u8>>(), (16..32).collect()];
    let sample = Sample { frames: frames.clone(), ..Sample::new("1.1", "1.1.1", "1.1.1.1") };
    let big_endian = Sample { transfer_syntax: BIG_ENDIAN, ..sample.clone() };
    for (sample, first) in [(sample, vec![0_u8, 1, 2, 3]), (big_endian, vec![1, 0, 3, 2])] {
        let door = with(&[sample]).await;
        let answer = door.get(&format!("{INSTANCE}/frames/2,1"), STORED).await;
        let found = parts(&answer);
        assert_eq!(answer.header(header::CONTENT_LENGTH), answer.body.len().to_string());
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].0, format!("application/octet-stream; transfer-syntax={EXPLICIT}"));
        assert_eq!(found[1].1[..4], first);
        let single = door.get(&format!("{INSTANCE}/frames/1"), "application/octet-stream").await;
        assert_eq!(single.body[..4], first);
        assert_eq!(single.body.len(), 16);
        for path in ["frames/0", "frames/x", "frames/1,1"] {
            let answer = door.get(&format!("{INSTANCE}/{path}"), STORED).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        }
    }
}

#[tokio::test]
async fn compressed_frames_go_out_as_they_are() {
    let frames = vec![b"\xff\x4f\xff\x51 one".to_vec(), b"\xff\x4f\xff\x51 second ".to_vec()];
    let sample = Sample {
        transfer_syntax: JPEG_2000,
        frames: frames.clone(),
        ..Sample::new("1.1", "1.1.1", "1.1.1.1")
    };
    let door = with(&[sample]).await;
    let own = format!("image/jp2; transfer-syntax={JPEG_2000}");
    for accept in [STORED, "*/*", "multipart/related; type=\"image/jp2\"", "image/webp, */*;q=0.8"] {
        let found = parts(&door.get(&format!("{INSTANCE}/frames/1,2"), accept).await);
        assert_eq!(found, [(own.clone(), frames[0].clone()), (own.clone(), frames[1].clone())], "{accept}");
    }
    let pixel_data =
        door.get(&format!("{INSTANCE}/bulkdata/7FE00010"), "multipart/related; type=\"*/*\"").await;
    assert_eq!(parts(&pixel_data).len(), 2);
}

#[tokio::test]
async fn ranges_of_a_frame_fit_together() {
    let door = with(&[Sample::new("1.1", "1.1.1", "1.1.1.1")]).await;
    let path = format!("{INSTANCE}/frames/1");
    let whole = door.get(&path, STORED).await;
    let mut joined = Vec::new();
    for (range, expected) in [("bytes=0-99", 100), ("bytes=100-", whole.body.len() - 100)] {
        let part = door.get_with(&path, &[(header::ACCEPT, STORED), (header::RANGE, range)]).await;
        assert_eq!((part.status, part.body.len()), (StatusCode::PARTIAL_CONTENT, expected));
        assert!(part.header(header::CONTENT_RANGE).starts_with("bytes "));
        joined.extend_from_slice(&part.body);
    }
    assert_eq!(joined, whole.body);
    let past = door.get_with(&path, &[(header::ACCEPT, STORED), (header::RANGE, "bytes=9999-")]).await;
    assert_eq!(past.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(past.header(header::CONTENT_RANGE), format!("bytes */{}", whole.body.len()));
    assert_eq!(past.header(header::CONTENT_TYPE), "application/problem+json");
    assert_eq!(past.json()["status"], 416);
}

/// 65 MiB: more than is put together in memory.
#[tokio::test]
async fn ranges_of_a_frame_that_is_too_long_for_memory() {
    let length = 65 << 20;
    let mut frame = vec![0_u8; length];
    frame[..5].copy_from_slice(b"first");
    frame[length / 2..length / 2 + 4].copy_from_slice(b"half");
    frame[length - 4..].copy_from_slice(b"last");
    let sample =
        Sample { transfer_syntax: JPEG_2000, frames: vec![frame], ..Sample::new("1.1", "1.1.1", "1.1.1.1") };
    let door = with(&[sample]).await;
    let path = format!("{INSTANCE}/frames/1");
    let part = async |accept: &str, range: &str| {
        let part = door.get_with(&path, &[(header::ACCEPT, accept), (header::RANGE, range)]).await;
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{accept} {range}");
        assert_eq!(part.header(header::CONTENT_LENGTH), part.body.len().to_string());
        part
    };
    let half = part("image/jp2", &format!("bytes={}-{}", length / 2, length / 2 + 3)).await;
    assert_eq!(half.body, "half");
    let expected = format!("bytes {}-{}/{length}", length / 2, length / 2 + 3);
    assert_eq!(half.header(header::CONTENT_RANGE), expected);
    assert_eq!(part("image/jp2", "bytes=0-4").await.body, "first");
    assert_eq!(part("image/jp2", "bytes=-4").await.body, "last");
    let start = part(STORED, "bytes=0-199").await;
    assert!(
        start.body.starts_with(b"--maxray-") && start.body.windows(9).any(|bytes| bytes == b"\r\n\r\nfirst")
    );
    let end = part(STORED, "bytes=-99").await;
    assert!(end.body.ends_with(b"--\r\n") && end.body.windows(6).any(|bytes| bytes == b"last\r\n"));
    let past = format!("bytes={length}-");
    let past = door.get_with(&path, &[(header::ACCEPT, "image/jp2"), (header::RANGE, past.as_str())]).await;
    assert_eq!(past.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(past.header(header::CONTENT_RANGE), format!("bytes */{length}"));
}

#[tokio::test]
async fn bulk_data_of_native_pixels() {
    let door = with(&[Sample::new("1.1", "1.1.1", "1.1.1.1")]).await;
    let path = format!("{INSTANCE}/bulkdata/7FE00010");
    let expected: Vec<u8> = (0..16).collect();
    for accept in
        ["multipart/related; type=\"*/*\"", "multipart/related; type=\"application/octet-stream\"", "*/*"]
    {
        let found = parts(&door.get(&path, accept).await);
        assert!(found.len() == 1 && found[0].1 == expected, "{accept}");
    }
    let single = door.get(&path, "application/octet-stream").await;
    assert_eq!((&single.body[..], single.header(header::CONTENT_LENGTH)), (&expected[..], "16"));
    for accept in ["application/octet-stream", "*/*"] {
        let whole = door.get(&path, accept).await.body;
        let mut joined = Vec::new();
        for range in ["bytes=0-6", "bytes=7-9", "bytes=10-"] {
            let part = door.get_with(&path, &[(header::ACCEPT, accept), (header::RANGE, range)]).await;
            assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{range}");
            assert_eq!(part.header(header::CONTENT_LENGTH), part.body.len().to_string());
            joined.extend_from_slice(&part.body);
        }
        assert_eq!(joined, whole, "{accept}");
        let past = door.get_with(&path, &[(header::ACCEPT, accept), (header::RANGE, "bytes=9999-")]).await;
        assert_eq!(past.status, StatusCode::RANGE_NOT_SATISFIABLE);
        assert!(past.header(header::CONTENT_RANGE).starts_with("bytes */"));
    }
}

#[tokio::test]
async fn metadata_as_xml() {
    let samples: Vec<Sample> = (1..=70)
        .map(|n| Sample { number: n, ..Sample::new("1.1", "1.1.1", &format!("1.1.1.{n}")) })
        .collect();
    let door = with(&samples).await;
    for accept in
        ["multipart/related; type=\"application/dicom+xml\"", "multipart/related;type=application/dicom+xml"]
    {
        let found = parts(&door.get("/studies/1.1/metadata", accept).await);
        assert_eq!(found.len(), 70);
        let (content_type, xml) = &found[69];
        let xml = String::from_utf8(xml.clone()).expect("UTF-8");
        assert_eq!(content_type, "application/dicom+xml");
        assert!(xml.starts_with("<?xml") && xml.contains("<Value number=\"1\">1.1.1.70</Value>"), "{xml}");
        assert!(
            xml.contains("<FamilyName>Doe</FamilyName>") && xml.contains("<BulkData uri=\"/dicomweb/"),
            "{xml}"
        );
    }
    let json = door.get("/studies/1.1/metadata", "application/dicom+json").await;
    let xml = door.get("/studies/1.1/metadata", "multipart/related; type=\"application/dicom+xml\"").await;
    assert_ne!(json.header(header::ETAG), xml.header(header::ETAG));
    // Several documents have no form without parts.
    for path in ["/studies/1.1/metadata", "/studies/1.1/series/1.1.1/metadata"] {
        assert_eq!(parts(&door.get(path, "application/dicom+xml").await).len(), 70, "{path}");
    }
}

#[tokio::test]
async fn metadata_of_one_instance_in_the_form_asked_for() {
    let door = with(&[Sample::new("1.1", "1.1.1", "1.1.1.1")]).await;
    let path = format!("{INSTANCE}/metadata");
    let one = door.get(&path, "application/dicom+xml").await;
    assert_eq!((one.status, one.header(header::CONTENT_TYPE)), (StatusCode::OK, "application/dicom+xml"));
    let found = parts(&door.get(&path, "multipart/related; type=\"application/dicom+xml\"").await);
    assert_eq!(found, [("application/dicom+xml".to_owned(), one.body.to_vec())]);
    // PS3.18 8.3.3.1: for clients that cannot set a field.
    let of_parts = r#"multipart/related; type="application/dicom+xml""#;
    for (accept, content_type) in [
        ("application/dicom+json", "application/dicom+json"),
        ("application/dicom%2Bxml", "application/dicom+xml"),
        ("multipart/related;type=application/dicom%2Bxml", of_parts),
        ("multipart/related;type=application/dicom+xml", of_parts),
        ("multipart/related;+type=%22application/dicom+xml%22", of_parts),
    ] {
        let answer = door.get(&format!("{path}?accept={accept}"), "image/png").await;
        let fits = answer.header(header::CONTENT_TYPE).starts_with(content_type);
        assert!(answer.status == StatusCode::OK && fits, "{accept}");
    }
}
