//! Pictures, and what browsers need.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use model::access::Role;

use super::{
    Door,
    instances::{JPEG_2000, RLE, Sample, rle_frame},
};
use crate::DicomwebConfig;

const INSTANCE: &str = "/studies/1.1/series/1.1.1/instances/1.1.1.1";

#[tokio::test]
async fn rendered_pictures() {
    let native = Sample::new("1.1", "1.1.1", "1.1.1.1");
    let rle = Sample { transfer_syntax: RLE, frames: vec![rle_frame()], ..native.clone() };
    for sample in [native, rle] {
        let door = Door::open().await;
        assert_eq!(door.store(&[sample.file()]).await.status, StatusCode::OK);
        for (accept, media_type, start) in [
            ("image/jpeg", "image/jpeg", &b"\xff\xd8"[..]),
            ("*/*", "image/jpeg", b"\xff\xd8"),
            ("image/png", "image/png", b"\x89PNG"),
            ("image/webp, image/png;q=0.5", "image/webp", b"RIFF"),
            ("image/gif", "image/gif", b"GIF89a"),
        ] {
            for path in
                ["rendered", "frames/1/rendered", "rendered?viewport=8,8&window=8,16,linear&quality=80"]
            {
                let answer = door.get(&format!("{INSTANCE}/{path}"), accept).await;
                assert_eq!(answer.status, StatusCode::OK, "{path}: {:?}", answer.body);
                assert_eq!(answer.header(header::CONTENT_TYPE), media_type, "{accept}");
                assert!(answer.body.starts_with(start), "{accept}");
            }
        }
        for (query, status) in [
            ("viewport=1e9,1", 400),
            ("window=NaN,1,linear", 400),
            ("quality=1000000000", 400),
            ("accept=image/avif", 406),
        ] {
            let answer = door.get(&format!("{INSTANCE}/rendered?{query}"), "*/*").await;
            assert_eq!(answer.status.as_u16(), status, "{query}");
        }
        let answer = door.get(&format!("{INSTANCE}/frames/-1/rendered"), "*/*").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn thumbnails_never_fail() {
    let corrupt = Sample {
        transfer_syntax: JPEG_2000,
        frames: vec![b"not a codestream".to_vec()],
        ..Sample::new("1.2", "1.2.1", "1.2.1.1")
    };
    let bare = Sample { no_pixels: true, ..Sample::new("1.3", "1.3.1", "1.3.1.1") };
    let good = Sample::new("1.1", "1.1.1", "1.1.1.1");
    let door = Door::open().await;
    let files = [good.file(), corrupt.file(), bare.file()];
    assert_eq!(door.store(&files).await.status, StatusCode::OK);
    for sample in [good, corrupt, bare] {
        let Sample { study, series, instance, .. } = sample;
        for path in [
            format!("/studies/{study}/thumbnail"),
            format!("/studies/{study}/series/{series}/thumbnail?viewport=256%2C256"),
            format!("/studies/{study}/series/{series}/instances/{instance}/thumbnail?viewport=64,64"),
        ] {
            let answer = door.get(&path, "image/jpeg").await;
            assert_eq!(answer.status, StatusCode::OK, "{path}: {:?}", answer.body);
            assert!(answer.body.starts_with(b"\xff\xd8"), "{path}");
        }
    }
    let rendered = door.get("/studies/1.2/series/1.2.1/instances/1.2.1.1/rendered", "image/jpeg").await;
    assert_eq!(rendered.status, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let door = Door::open().await;
    door.store(&[Sample::new("1.1", "1.1.1", "1.1.1.1").file()]).await;
    let get = door.get(INSTANCE, "*/*").await;
    let request = Request::builder()
        .method(Method::HEAD)
        .uri(INSTANCE)
        .header(header::AUTHORIZATION, door.token(Role::Service, None))
        .body(Body::empty());
    let head = door.send(request.expect("request")).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header(header::CONTENT_LENGTH), get.header(header::CONTENT_LENGTH));
    assert_eq!(head.header(header::ETAG), get.header(header::ETAG));
}

#[tokio::test]
async fn other_origins_only_when_configured() {
    let ask = |origin: &'static str| {
        Request::builder()
            .method(Method::OPTIONS)
            .uri("/studies")
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,accept,range")
            .body(Body::empty())
            .expect("request")
    };
    let config = DicomwebConfig {
        cors_allowed_origins: vec!["https://viewer.example".into()],
        ..DicomwebConfig::default()
    };
    let door = Door::with(config).await;
    let allowed = door.send(ask("https://viewer.example")).await;
    assert_eq!(allowed.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "https://viewer.example");
    let fields = allowed.header(header::ACCESS_CONTROL_ALLOW_HEADERS);
    for field in ["authorization", "accept", "content-type", "range", "if-range", "if-none-match"] {
        assert!(fields.split(',').any(|name| name.trim() == field), "{fields}");
    }
    let methods = allowed.header(header::ACCESS_CONTROL_ALLOW_METHODS);
    for method in ["GET", "HEAD", "POST", "DELETE"] {
        assert!(methods.contains(method), "{methods}");
    }
    let other = door.send(ask("https://evil.example")).await;
    assert_eq!(other.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "");
    let fields = door.get_with("/studies", &[(header::ORIGIN, "https://viewer.example")]).await;
    let exposed = fields.header(header::ACCESS_CONTROL_EXPOSE_HEADERS);
    for field in [
        "content-type",
        "content-disposition",
        "content-range",
        "content-length",
        "accept-ranges",
        "etag",
        "retry-after",
        "warning",
        "x-total-count",
    ] {
        assert!(exposed.contains(field), "{exposed}");
    }
    let closed = Door::open().await;
    assert_eq!(
        closed.send(ask("https://viewer.example")).await.header(header::ACCESS_CONTROL_ALLOW_ORIGIN),
        ""
    );
}

/// PS3.18 8.9: OPTIONS asks for them, unless a browser asks what it may do.
#[tokio::test]
async fn capabilities_by_options_also_where_other_origins_are_configured() {
    let any = DicomwebConfig { cors_allowed_origins: vec!["*".into()], ..DicomwebConfig::default() };
    for config in [DicomwebConfig::default(), any] {
        let door = Door::with(config).await;
        let request = Request::builder()
            .method(Method::OPTIONS)
            .uri("/")
            .header(header::AUTHORIZATION, door.token(Role::Service, None))
            .header(header::ACCEPT, "application/json")
            .body(Body::empty());
        let answer = door.send(request.expect("request")).await;
        assert_eq!((answer.status, answer.header(header::ALLOW)), (StatusCode::OK, "GET, HEAD, OPTIONS"));
        assert!(answer.json()["resources"].as_array().is_some_and(|found| !found.is_empty()));
    }
}

#[tokio::test]
async fn reads_are_audited() {
    let door = Door::open().await;
    door.store(&[Sample::new("1.1", "1.1.1", "1.1.1.1").file()]).await;
    for _ in 0..3 {
        door.get(INSTANCE, "*/*").await;
        door.get(&format!("{INSTANCE}/frames/1"), "*/*").await;
    }
    let page = door.archive.database().audit_page(0, 100).await.expect("audit");
    let actions: Vec<String> = page.into_iter().map(|row| row.record.action).collect();
    let count = |name: &str| actions.iter().filter(|action| *action == name).count();
    assert_eq!((count("retrieve_instances"), count("read_study")), (3, 1), "{actions:?}");
}
