//! Answers in a content coding (RFC 9110 8.4): for whom, which ones, under which entity tags.

use std::io::Read as _;

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use model::access::Role;

use super::{Answer, Door, instances::Sample};

const METADATA: &str = "/studies/1.1/metadata";

/// So many instances that their metadata are streamed.
async fn filled() -> Door {
    let door = Door::open().await;
    let files: Vec<Vec<u8>> = (1..=70)
        .map(|n| Sample { number: n, ..Sample::new("1.1", "1.1.1", &format!("1.1.1.{n}")) }.file())
        .collect();
    assert_eq!(door.store(&files).await.status, StatusCode::OK);
    door
}

fn plain(answer: &Answer) -> Vec<u8> {
    let mut plain = Vec::new();
    match answer.header(header::CONTENT_ENCODING) {
        "zstd" => zstd::stream::copy_decode(&answer.body[..], &mut plain).expect("zstd"),
        "gzip" => {
            flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut plain).expect("gzip");
        }
        coding => panic!("{coding:?}"),
    }
    plain
}

#[tokio::test]
async fn texts_leave_compressed_for_those_who_take_it() {
    let door = filled().await;
    let xml = "multipart/related; type=\"application/dicom+xml\"";
    for (path, accept) in [
        (METADATA, "application/dicom+json"),
        (METADATA, xml),
        ("/studies/1.1/instances", "application/dicom+json"),
        ("/studies/1.1/instances", xml),
        ("/studies/1.1/instances", "text/csv"),
        ("/", "application/json"),
    ] {
        let whole = door.get(path, accept).await;
        assert_eq!(whole.header(header::CONTENT_ENCODING), "", "{path} {accept}");
        assert_eq!(whole.header(header::VARY), "Accept, Authorization, Accept-Encoding");
        let opaque = whole.header(header::ETAG).trim_end_matches('"').to_owned();
        for (takes, coding) in [("gzip, deflate, br, zstd", "zstd"), ("gzip, deflate", "gzip")] {
            let fields = [(header::ACCEPT, accept), (header::ACCEPT_ENCODING, takes)];
            let answer = door.get_with(path, &fields).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.header(header::CONTENT_ENCODING), coding, "{path} {accept}");
            assert_eq!(answer.header(header::CONTENT_LENGTH), "");
            assert_eq!(answer.header(header::ETAG), format!("{opaque}-{coding}\""));
            assert!(answer.body.len() < whole.body.len() / 2, "{path} {accept}");
            assert_eq!(plain(&answer), whole.body, "{path} {accept}");
        }
    }
}

#[tokio::test]
async fn what_is_short_or_asked_for_in_part_or_no_text_stays_as_it_is() {
    let door = filled().await;
    let nothing = "/studies/9.9/instances";
    let frame = "/studies/1.1/series/1.1.1/instances/1.1.1.1/frames/1";
    for (path, range) in [(nothing, None), (METADATA, Some("bytes=0-9")), (frame, None)] {
        let mut fields = vec![(header::ACCEPT_ENCODING, "gzip"), (header::ACCEPT, "*/*")];
        fields.extend(range.map(|range| (header::RANGE, range)));
        let answer = door.get_with(path, &fields).await;
        assert_eq!((answer.status, answer.header(header::CONTENT_ENCODING)), (StatusCode::OK, ""), "{path}");
        assert_eq!(answer.header(header::VARY).contains("Accept-Encoding"), path != frame, "{path}");
    }
    let only = door.get_with(nothing, &[(header::ACCEPT_ENCODING, "gzip, identity;q=0")]).await;
    assert_eq!(plain(&only), b"[]");
}

#[tokio::test]
async fn head_says_what_get_would() {
    let door = filled().await;
    for path in [METADATA, "/studies/9.9/instances"] {
        let get = door.get_with(path, &[(header::ACCEPT_ENCODING, "zstd")]).await;
        let request = Request::builder()
            .method(Method::HEAD)
            .uri(path)
            .header(header::AUTHORIZATION, door.token(Role::Service, None))
            .header(header::ACCEPT_ENCODING, "zstd")
            .body(Body::empty());
        let head = door.send(request.expect("request")).await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0), "{path}");
        assert_eq!(head.headers, get.headers, "{path}");
    }
}

#[tokio::test]
async fn each_coding_is_known_by_its_own_tag() {
    let door = filled().await;
    let plain = door.get_with(METADATA, &[]).await.header(header::ETAG).to_owned();
    let zstd = format!("{}-zstd\"", plain.trim_end_matches('"'));
    let weak = format!("W/{zstd}");
    let ask = async |tag: &str, takes: &str| {
        door.get_with(METADATA, &[(header::IF_NONE_MATCH, tag), (header::ACCEPT_ENCODING, takes)]).await
    };
    for (tag, takes, told) in
        [(&zstd, "gzip, zstd", &zstd), (&weak, "zstd", &zstd), (&plain, "zstd", &plain), (&plain, "", &plain)]
    {
        let answer = ask(tag, takes).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0), "{tag} {takes}");
        assert_eq!(answer.header(header::ETAG), told, "{tag} {takes}");
        assert_eq!(answer.header(header::VARY), "Accept, Authorization, Accept-Encoding");
    }
    // Who cannot read it any more is not told to go on using it.
    let other = ask(&zstd, "gzip").await;
    assert_eq!((other.status, other.header(header::CONTENT_ENCODING)), (StatusCode::OK, "gzip"));
    assert_eq!(ask(&zstd, "identity").await.status, StatusCode::OK);
}
