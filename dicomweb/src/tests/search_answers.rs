//! QIDO-RS: what is said about the rows, and the forms in which they leave.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use model::access::Role;

use super::{
    Answer, Door, parts,
    search::{filled, rows},
};
use crate::DicomwebConfig;

const TOTAL_COUNT: &str = "x-total-count";

fn warnings(answer: &Answer) -> Vec<&str> {
    answer.headers.get_all(header::WARNING).iter().map(|value| value.to_str().expect("ASCII")).collect()
}

fn instances(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let rows = json.as_array().expect("rows").iter();
    rows.map(|row| row["00080018"]["Value"][0].as_str().expect("a UID").to_owned()).collect()
}

#[tokio::test]
async fn how_many_there_are() {
    let door = filled().await;
    for (query, total, remaining) in [
        ("", "4", None),
        ("limit=1", "4", Some(3)),
        ("limit=2&offset=1", "4", Some(1)),
        ("limit=2&offset=2", "4", None),
        ("limit=1&PatientID=P-1", "3", Some(2)),
        ("limit=1&ModalitiesInStudy=CR&PatientName=doe*", "3", Some(2)),
        ("limit=0", "4", Some(4)),
        ("offset=4", "", None),
    ] {
        let answer = door.get(&format!("/instances?{query}"), "*/*").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header(TOTAL_COUNT), total, "{query}");
        let expected: Vec<String> = remaining
            .map(|n| format!("299 maxray \"There are {n} additional results that can be requested\""))
            .into_iter()
            .collect();
        assert_eq!(warnings(&answer), expected, "{query}");
    }
    assert_eq!(door.get("/studies?limit=1", "*/*").await.header(TOTAL_COUNT), "2");
    assert_eq!(door.get("/studies/1.1/series?limit=1", "*/*").await.header(TOTAL_COUNT), "2");
}

/// `includefield=all` gives back what strangers have sent: an answer ends where it gets too long, and says so.
#[tokio::test]
async fn long_attributes_end_an_answer() {
    let door = Door::open().await;
    let mut long = Vec::from(*b"\xE1\x7F\x10\x00LO\x04\x00MINE");
    for number in 0..80_u8 {
        long.extend([0xE1, 0x7F, number, 0x10, b'U', b'T', 0, 0]);
        long.extend(60_000_u32.to_le_bytes());
        long.extend(vec![b'0' + number % 10; 60_000]);
    }
    let files = (1..=6).map(|n| {
        let sample = super::instances::Sample::new("1.1", "1.1.1", &format!("1.1.1.{n}"));
        [sample.file(), long.clone()].concat()
    });
    door.store(&files.collect::<Vec<_>>()).await;
    let answer = door.get("/instances?includefield=all", "*/*").await;
    assert_eq!(instances(&answer), ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"]);
    assert_eq!(answer.json()[3]["7FE1104F"]["vr"], "UT", "whole, but for the number of rows");
    assert_eq!(answer.header(TOTAL_COUNT), "6");
    assert_eq!(warnings(&answer), ["299 maxray \"There are 2 additional results that can be requested\""]);
    let rest = door.get("/instances?includefield=all&offset=4", "*/*").await;
    assert_eq!(instances(&rest), ["1.1.1.5", "1.1.1.6"]);
    let metadata = door.get("/studies/1.1/metadata", "application/dicom+json").await.json();
    assert_eq!(metadata.as_array().expect("all of them").len(), 6);
}

#[tokio::test]
async fn counting_has_a_limit() {
    let config = DicomwebConfig { search_count_max: 3, ..DicomwebConfig::default() };
    let door = Door::with(config).await;
    let files: Vec<Vec<u8>> = (1..=5)
        .map(|n| super::instances::Sample::new("1.1", "1.1.1", &format!("1.1.1.{n}")).file())
        .collect();
    door.store(&files[..3]).await;
    assert_eq!(door.get("/instances?limit=1", "*/*").await.header(TOTAL_COUNT), "3");
    door.store(&files[3..]).await;
    let many = door.get("/instances?limit=1", "*/*").await;
    assert_eq!(many.header(TOTAL_COUNT), "");
    assert_eq!(warnings(&many), ["299 maxray \"There are additional results that can be requested\""]);
}

// What is counted is what is in reach: threats.md row 39.
#[tokio::test]
async fn a_stranger_counts_nothing() {
    let door = filled().await;
    let request = Request::builder()
        .uri("/instances?limit=0")
        .header(header::AUTHORIZATION, door.token(Role::Doctor, Some(uuid::Uuid::from_u128(5))))
        .body(Body::empty());
    let answer = door.send(request.expect("request")).await;
    assert_eq!((answer.status, answer.header(TOTAL_COUNT)), (StatusCode::OK, "0"));
    assert!(warnings(&answer).is_empty());
}

#[tokio::test]
async fn keys_that_are_not_matched_on_are_named() {
    let door = filled().await;
    let answer = door.get("/studies?PatientAge=031Y&00091001=x&PatientID=P-1", "*/*").await;
    assert_eq!(rows(&answer), 1);
    let [warning] = warnings(&answer)[..] else { panic!("{:?}", answer.headers) };
    assert!(warning.contains("PatientAge, 00091001") && !warning.contains("031Y"), "{warning}");
}

#[tokio::test]
async fn rows_come_in_the_order_asked_for() {
    let door = filled().await;
    for (query, expected) in [
        ("", ["1.1.1.1", "1.1.1.2", "1.1.2.1", "1.2.1.1"]),
        ("orderby=-InstanceNumber", ["1.1.1.2", "1.1.1.1", "1.1.2.1", "1.2.1.1"]),
        ("orderby=Modality,-SOPInstanceUID", ["1.1.2.1", "1.2.1.1", "1.1.1.2", "1.1.1.1"]),
        ("orderby=-PatientName&orderby=SOPInstanceUID", ["1.2.1.1", "1.1.1.1", "1.1.1.2", "1.1.2.1"]),
        ("orderby=00100020,-00080018", ["1.1.2.1", "1.1.1.2", "1.1.1.1", "1.2.1.1"]),
    ] {
        let whole = instances(&door.get(&format!("/instances?{query}"), "*/*").await);
        assert_eq!(whole, expected, "{query}");
        let mut paged = Vec::new();
        for offset in 0..4 {
            paged.extend(instances(
                &door.get(&format!("/instances?{query}&limit=1&offset={offset}"), "*/*").await,
            ));
        }
        assert_eq!(paged, expected, "{query}");
    }
}

#[tokio::test]
async fn a_key_that_was_matched_on_is_in_the_rows() {
    let door = filled().await;
    let series = door.get("/studies/1.1/series?PatientID=P-1", "*/*").await.json();
    assert_eq!(series[0]["00100020"]["Value"][0], "P-1");
    assert!(series[0].get("00100010").is_none());
    let instance = door.get("/instances?limit=1&includefield=PhotometricInterpretation", "*/*").await.json();
    assert_eq!(instance[0]["00280004"]["Value"][0], "MONOCHROME2");
}

#[tokio::test]
async fn xml_has_a_part_for_each_row() {
    let door = filled().await;
    for accept in ["multipart/related; type=\"application/dicom+xml\"", "application/dicom+xml"] {
        let answer = door.get("/instances?includefield=all&PatientID=P-1", accept).await;
        assert_eq!(answer.status, StatusCode::OK);
        let parts = parts(&answer);
        assert_eq!(parts.len(), 3, "{accept}");
        for (content_type, body) in parts {
            assert_eq!(content_type, "application/dicom+xml");
            let xml = String::from_utf8(body).expect("UTF-8");
            assert!(xml.starts_with("<?xml ") && xml.ends_with("</NativeDicomModel>\n"), "{xml}");
            assert!(xml.contains("<FamilyName>Doe</FamilyName><GivenName>Jane</GivenName>"), "{xml}");
            assert!(
                xml.contains("keyword=\"PhotometricInterpretation\"><Value number=\"1\">MONOCHROME2<"),
                "{xml}"
            );
        }
    }
    let nothing = door.get("/studies?PatientID=nobody", "application/dicom+xml").await;
    assert_eq!(parts(&nothing).len(), 0);
}

#[tokio::test]
async fn a_table_for_spreadsheets() {
    let door = filled().await;
    let answer = door.get("/studies?orderby=StudyInstanceUID", "text/csv").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header(header::CONTENT_TYPE), "text/csv; charset=utf-8; header=present");
    let text = String::from_utf8(answer.body.to_vec()).expect("UTF-8");
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[0].contains("StudyDate,") && lines[0].contains(",PatientName,"), "{text}");
    assert!(lines[1].contains("Doe^Jane") && lines[1].contains("CR\\DX"), "{text}");
    assert!(lines[2].contains("M\u{fc}ller^Max"), "{text}");
}

#[tokio::test]
async fn unchanged_rows_are_not_sent_again() {
    let door = filled().await;
    for accept in ["*/*", "text/csv", "application/dicom+xml"] {
        let first = door.get("/studies", accept).await;
        let tag = first.header(header::ETAG).to_owned();
        assert!(tag.len() > 20, "{:?}", first.headers);
        let fields = [(header::ACCEPT, accept), (header::IF_NONE_MATCH, tag.as_str())];
        let again = door.get_with("/studies", &fields).await;
        assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!(again.header(header::ETAG), tag);
        assert_eq!(again.header(TOTAL_COUNT), "2");
        let other = door.get_with("/studies?limit=1", &fields).await;
        assert_eq!(other.status, StatusCode::OK);
    }
    let tag = door.get("/studies", "*/*").await.header(header::ETAG).to_owned();
    door.store(&[super::instances::Sample::new("1.1", "1.1.1", "1.1.1.9").file()]).await;
    let changed = door.get_with("/studies", &[(header::IF_NONE_MATCH, tag.as_str())]).await;
    assert_eq!(changed.status, StatusCode::OK);
}

#[tokio::test]
async fn head_is_get_without_rows() {
    let door = filled().await;
    for path in ["/studies?limit=1", "/studies/1.1/series", "/instances"] {
        let get = door.get(path, "*/*").await;
        let request = Request::builder()
            .method(Method::HEAD)
            .uri(path)
            .header(header::AUTHORIZATION, door.token(Role::Service, None))
            .body(Body::empty());
        let head = door.send(request.expect("request")).await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0), "{path}");
        for name in ["content-length", "content-type", "etag", TOTAL_COUNT, "warning"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
}

// threats.md row 37.
#[tokio::test]
async fn hostile_queries() {
    let door = filled().await;
    let wildcards = "*a".repeat(1_000);
    let pairs = "PatientID=1&".repeat(300);
    let uids = vec!["1.2"; 15_000].join(",");
    let keys = vec!["PatientName"; 1_000].join(",");
    for query in [
        format!("PatientName={wildcards}"),
        format!("PatientName={wildcards}&fuzzymatching=true&limit=1").replace('*', "%3F"),
        format!("StudyInstanceUID={uids}"),
        format!("orderby={keys}"),
        pairs,
        format!("PatientName={}", "x".repeat(60_000)),
        "limit=99999999999999999999".to_owned(),
        "offset=-1".to_owned(),
        "PatientID=%00%ff".to_owned(),
    ] {
        let answer = door.get(&format!("/studies?{query}"), "*/*").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query:.60}");
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json");
    }
    for query in [
        "PatientName=%5Ba-z%5D%2B%24%5E.%7C%5C&fuzzymatching=true",
        "PatientName=x'%20OR%20'1'%3D'1",
        "PatientName=%25&fuzzymatching=true",
        "PatientID=_-_",
        "limit=1000000000&offset=1000000000",
        "PatientID=%00",
        &format!("includefield={}", vec!["00100010"; 5_000].join(",")),
    ] {
        let answer = door.get(&format!("/studies?{query}"), "*/*").await;
        assert_eq!(answer.status, StatusCode::OK, "{query:.60}");
        let found = answer.json().as_array().map(Vec::len);
        assert_eq!(found, Some(if query.starts_with("includefield") { 2 } else { 0 }), "{query:.60}");
    }
}
