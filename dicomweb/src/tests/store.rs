//! STOW-RS.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use model::access::Role;
use serde_json::json;

use super::{Door, instances::Sample};

#[tokio::test]
async fn every_route_wants_a_token() {
    let door = Door::open().await;
    for (path, _) in crate::router::routes() {
        let path = path
            .replace("{study}", "1.2")
            .replace("{series}", "1.3")
            .replace("{instance}", "1.4")
            .replace("{frames}", "1")
            .replace("{path}", "00282000");
        for method in [Method::GET, Method::POST] {
            for token in [None, Some("Bearer x.y.z"), Some("Basic eDp4")] {
                let mut request = Request::builder().method(&method).uri(&path);
                if let Some(token) = token {
                    request = request.header(header::AUTHORIZATION, token);
                }
                let answer = door.send(request.body(Body::empty()).expect("request")).await;
                let refused = [StatusCode::UNAUTHORIZED, StatusCode::METHOD_NOT_ALLOWED];
                assert!(refused.contains(&answer.status), "{method} {path}: {}", answer.status);
            }
        }
    }
}

#[tokio::test]
async fn only_services_store() {
    let door = Door::open().await;
    for role in [Role::Admin, Role::Doctor, Role::Viewer] {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/studies")
            .header(header::AUTHORIZATION, door.token(role, Some(uuid::Uuid::from_u128(1))))
            .body(Body::empty());
        let answer = door.send(request.expect("request")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{role:?}");
    }
}

#[tokio::test]
async fn stored_and_sent_again() {
    let door = Door::open().await;
    let files: Vec<Vec<u8>> =
        (1..=20).map(|n| Sample::new("1.1", "1.1.1", &format!("1.1.1.{n}")).file()).collect();
    for _ in 0..2 {
        let answer = door.store(&files).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/dicom+json");
        let json = answer.json();
        assert_eq!(json["00081199"]["Value"].as_array().expect("items").len(), 20);
        assert_eq!(json["00081199"]["Value"][4]["00081155"]["Value"][0], "1.1.1.5");
        assert_eq!(json["00081190"]["Value"], json!(["/dicomweb/studies/1.1"]));
        assert!(json.get("00081198").is_none());
    }
    let counts = door.archive.database().counts().await.expect("counts");
    assert_eq!((counts.instances, counts.conflicts), (20, 0));
}

#[tokio::test]
async fn the_dialects_of_four_clients() {
    let door = Door::open().await;
    let file = |n: u32| Sample::new("1.1", "1.1.1", &format!("1.1.1.{n}")).file();
    let wrap = |before: &str, header: &str, after: &str, n: u32| {
        let mut body = format!("{before}--B\r\n{header}\r\n\r\n").into_bytes();
        body.extend(file(n));
        body.extend(format!("\r\n--B--{after}").bytes());
        body
    };
    let dicom = "Content-Type: application/dicom";
    let cases = [
        // dcmjs
        ("multipart/related; type=\"application/dicom\"; boundary=\"B\"", wrap("\r\n", dicom, "", 1)),
        // dicomweb-client (Python)
        ("multipart/related; type=\"application/dicom\"; boundary=\"B\"", wrap("", dicom, "", 2)),
        // Weasis
        ("multipart/related;type=\"application/dicom\";boundary=B", wrap("\r\n", dicom, "\r\n", 3)),
        // dcm4chee
        (
            "multipart/related; type=\"application/dicom\"; boundary=B",
            wrap("", &format!("{dicom};transfer-syntax=1.2.840.10008.1.2.1"), "\r\n", 4),
        ),
        ("application/dicom", file(5)),
    ];
    for (index, (content_type, body)) in cases.into_iter().enumerate() {
        let answer = door.post("/studies", content_type, body).await;
        assert_eq!(answer.status, StatusCode::OK, "case {index}: {:?}", answer.body);
    }
    assert_eq!(door.archive.database().counts().await.expect("counts").instances, 5);
}

#[tokio::test]
async fn some_or_all_fail() {
    let door = Door::open().await;
    let good = Sample::new("1.1", "1.1.1", "1.1.1.1").file();
    let answer = door.store(&[good.clone(), b"no DICOM at all".to_vec()]).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert!(answer.json()["0008119A"]["Value"][0]["00081197"]["Value"][0].is_u64(), "{:?}", answer.body);

    let answer = door.post("/studies/9.9", "application/dicom", good).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    let failed = &answer.json()["00081198"]["Value"][0];
    assert_eq!(failed["00081155"]["Value"][0], "1.1.1.1");
    assert_eq!(failed["00081197"], json!({"vr": "US", "Value": [0xA900]}));
    assert_eq!(door.get("/studies/9.9/metadata", "*/*").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn weasis_gets_xml() {
    let door = Door::open().await;
    let request = Request::builder()
        .method(Method::POST)
        .uri("/studies")
        .header(header::AUTHORIZATION, door.token(Role::Service, None))
        .header(header::CONTENT_TYPE, "application/dicom")
        .header(header::ACCEPT, "application/dicom+xml")
        .body(Body::from(Sample::new("1.1", "1.1.1", "1.1.1.1").file()));
    let answer = door.send(request.expect("request")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/dicom+xml");
    assert!(answer.body.starts_with(b"<?xml"));
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_nothing_is_half_stored() {
    let door = Door::open().await;
    let related = "multipart/related; type=\"application/dicom\"; boundary=B";
    let file = Sample::new("1.1", "1.1.1", "1.1.1.1").file();
    let mut cut = b"--B\r\nContent-Type: application/dicom\r\n\r\n".to_vec();
    cut.extend_from_slice(&file);
    let cases: [(&str, Vec<u8>, u16); 8] = [
        (related, Vec::new(), 400),
        (related, b"--B--".to_vec(), 400),
        (related, cut, 400),
        (related, vec![b'x'; 100_000], 400),
        ("multipart/related; type=\"application/dicom\"", b"--B--".to_vec(), 400),
        (&format!("{related}{}", "B".repeat(100)), b"--B--".to_vec(), 400),
        ("text/plain", file.clone(), 415),
        ("application/dicom", Vec::new(), 400),
    ];
    for (content_type, body, status) in cases {
        let answer = door.post("/studies", content_type, body).await;
        assert_eq!(answer.status.as_u16(), status, "{content_type}: {:?}", answer.body);
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json");
    }
    let counts = door.archive.database().counts().await.expect("counts");
    assert_eq!((counts.instances, counts.bytes), (0, 0));
}

#[tokio::test]
async fn limits_of_a_request() {
    let config = crate::DicomwebConfig {
        store_request_length_max_bytes: 2000,
        store_request_parts_max: 2,
        ..crate::DicomwebConfig::default()
    };
    let door = Door::with(config).await;
    let related = "multipart/related; type=\"application/dicom\"; boundary=B";
    let answer = door.post("/studies", related, vec![b'\r'; 3000]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let answer = door.post("/studies", related, "--B\r\n\r\n\r\n".repeat(10)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}
