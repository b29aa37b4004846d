//! WADO-URI (PS3.18 9), capabilities (PS3.18 8.9) and the methods of each route.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use model::access::Role;

use super::{
    Door,
    instances::{EXPLICIT, RLE, Sample, rle_frame},
    rendered::{VIDEO, pdf},
};
use crate::{MOUNT_PATH, capabilities::resources};

const URI: &str = "/wado?requestType=WADO&studyUID=1.1&seriesUID=1.1.1&objectUID=1.1.1.1";

async fn door() -> Door {
    let door = Door::open().await;
    let rle = Sample {
        transfer_syntax: RLE,
        frames: vec![rle_frame(); 2],
        ..Sample::new("1.1", "1.1.1", "1.1.1.1")
    };
    assert_eq!(door.store(&[rle.file()]).await.status, StatusCode::OK);
    door
}

#[tokio::test]
async fn pictures_by_uri() {
    let door = door().await;
    for (query, media_type, start) in [
        ("", "image/jpeg", &b"\xff\xd8"[..]),
        ("&contentType=image/png&rows=4&columns=4&frameNumber=2", "image/png", b"\x89PNG"),
        ("&contentType=image%2Fjpeg&windowCenter=5&windowWidth=9&imageQuality=20", "image/jpeg", b"\xff\xd8"),
        ("&region=0.0,0.0,0.5,1.0&contentType=image/png", "image/png", b"\x89PNG"),
        ("&contentType=image/jpeg,application/dicom", "image/jpeg", b"\xff\xd8"),
        ("&contentType=video/mpeg,image/png,image/jpeg", "image/png", b"\x89PNG"),
    ] {
        let answer = door.get(&format!("{URI}{query}"), "*/*").await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {:?}", answer.body);
        assert_eq!(answer.header(header::CONTENT_TYPE), media_type, "{query}");
        assert!(answer.body.starts_with(start), "{query}");
    }
    // Half of four columns, both rows: width and height stand behind the PNG's signature.
    let half = door.get(&format!("{URI}&region=0,0,0.5,1&contentType=image/png"), "*/*").await;
    assert_eq!(half.body[16..24], [0, 0, 0, 2, 0, 0, 0, 2]);
    for (query, status) in [
        ("&frameNumber=3", 400),
        ("&frameNumber=0", 400),
        ("&frameNumber=1.5", 400),
        ("&rows=x", 400),
        ("&region=0,0,2,2", 400),
        ("&anonymize=yes", 400),
        ("&contentType=video/mpeg", 406),
        ("&contentType=application/dicom+json", 406),
        ("&contentType=application/dicom%2Bjson", 406),
    ] {
        let answer = door.get(&format!("{URI}{query}"), "*/*").await;
        assert_eq!(answer.status.as_u16(), status, "{query}");
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json", "{query}");
    }
    for uri in [
        "/wado",
        "/wado?requestType=GET",
        "/wado?requestType=WADO&studyUID=1.1",
        "/wado?requestType=WADO&studyUID=x",
    ] {
        assert_eq!(door.get(uri, "*/*").await.status, StatusCode::BAD_REQUEST, "{uri}");
    }
    let absent = URI.replace("1.1.1.1", "1.1.1.9");
    assert_eq!(door.get(&absent, "*/*").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_image_of_one_frame_has_the_first_alone() {
    let door = Door::open().await;
    assert_eq!(door.store(&[Sample::new("1.1", "1.1.1", "1.1.1.1").file()]).await.status, StatusCode::OK);
    for (number, status) in [(1, 200), (2, 400)] {
        let answer = door.get(&format!("{URI}&frameNumber={number}"), "*/*").await;
        assert_eq!(answer.status.as_u16(), status, "{number}");
    }
}

#[tokio::test]
async fn documents_and_video_by_uri() {
    let document = b"%PDF-1.7 and a page".to_vec();
    let stream: Vec<u8> = (0..=255).collect();
    let video = Sample {
        transfer_syntax: VIDEO,
        frames: vec![stream.clone()],
        ..Sample::new("1.1", "1.1.1", "1.1.1.1")
    };
    for (file, media_type, content) in
        [(pdf(&document), "application/pdf", document), (video.file(), "video/mp4", stream)]
    {
        let door = Door::open().await;
        assert_eq!(door.store(&[file]).await.status, StatusCode::OK);
        for types in ["", media_type, &format!("image/jpeg,{media_type},application/dicom")] {
            let answer = door.get(&format!("{URI}&contentType={types}"), "*/*").await;
            assert_eq!(answer.status, StatusCode::OK, "{types}: {:?}", answer.body);
            assert_eq!(answer.header(header::CONTENT_TYPE), media_type, "{types}");
            assert_eq!(answer.header(header::CONTENT_DISPOSITION), "attachment", "{types}");
            assert_eq!(answer.body, content, "{types}");
        }
        let picture = door.get(&format!("{URI}&contentType=image/jpeg"), "*/*").await;
        assert_eq!(picture.status, StatusCode::NOT_ACCEPTABLE, "{media_type}");
        // There is no picture, so it is the instance; and the trail says which of them it was.
        let instance = door.get(&format!("{URI}&contentType=image/jpeg,application/dicom"), "*/*").await;
        assert_eq!(&instance.body[128..132], b"DICM", "{media_type}");
        let mut trail = door.archive.database().audit_page(0, 100).await.expect("audit");
        assert_eq!(trail.pop().expect("a record").record.action, "retrieve_instances", "{media_type}");
    }
}

#[tokio::test]
async fn instances_by_uri() {
    let door = door().await;
    for (query, syntax) in [
        ("", EXPLICIT),
        ("&transferSyntax=1.2.840.10008.1.2.5", RLE),
        ("&transferSyntax=1.2.840.10008.1.2", "1.2.840.10008.1.2"),
    ] {
        let answer = door.get(&format!("{URI}&contentType=application/dicom{query}"), "image/jpeg").await;
        assert_eq!(answer.status, StatusCode::OK, "{query}");
        let expected = format!("application/dicom; transfer-syntax={syntax}");
        assert_eq!(answer.header(header::CONTENT_TYPE), expected);
        assert_eq!(&answer.body[128..132], b"DICM");
    }
    let impossible = "&contentType=application/dicom&transferSyntax=1.2.840.10008.1.2.4.100";
    assert_eq!(door.get(&format!("{URI}{impossible}"), "*/*").await.status, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn the_door_says_what_it_can_do() {
    let door = door().await;
    let json = door.get("/", "application/json").await;
    let paths = json.json()["resources"].as_array().map(Vec::len);
    assert_eq!(paths, Some(resources().len()));
    for method in [Method::GET, Method::OPTIONS, Method::HEAD] {
        let request = Request::builder()
            .method(&method)
            .uri("/")
            .header(header::AUTHORIZATION, door.token(Role::Viewer, None));
        let answer = door.send(request.body(Body::empty()).expect("request")).await;
        assert_eq!(answer.status, StatusCode::OK, "{method}");
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/vnd.sun.wadl+xml");
        assert_eq!(answer.body.is_empty(), method == Method::HEAD);
    }
    assert_eq!(door.get("/", "image/png").await.status, StatusCode::NOT_ACCEPTABLE);
    assert!(String::from_utf8_lossy(&door.get("/", "*/*").await.body).contains(MOUNT_PATH));
}

/// A path of the router's table, of the instance that is there.
fn filled(path: &str) -> String {
    path.replace("{study}", "1.1")
        .replace("{series}", "1.1.1")
        .replace("{instance}", "1.1.1.1")
        .replace("{frames}", "1")
        .replace("{path}", "7FE00010")
        .replace("/wado", URI)
}

#[tokio::test]
async fn what_it_says_of_media_types_is_so() {
    let door = door().await;
    let (mut asked, mut sent) = (0, 0);
    for (path, operation) in
        resources().into_iter().flat_map(|(path, all)| all.into_iter().map(move |one| (filled(path), one)))
    {
        let exact = ["Search", "RetrieveMetadata", "RetrieveInstances", "RetrieveCapabilities"];
        for media_type in operation.gives.iter().filter(|_| exact.contains(&operation.transaction)) {
            let answer = door.get(&path, media_type).await;
            assert_eq!(answer.status, StatusCode::OK, "{path} as {media_type}");
            let essence = media_type.split(';').next().unwrap_or_default();
            assert!(answer.header(header::CONTENT_TYPE).starts_with(essence), "{path} as {media_type}");
            asked += 1;
        }
        for media_type in &operation.takes {
            let boundary = if media_type.starts_with("multipart/") { "; boundary=b" } else { "" };
            let request = Request::builder()
                .method(&operation.method)
                .uri(&path)
                .header(header::AUTHORIZATION, door.token(Role::Service, None))
                .header(header::CONTENT_TYPE, format!("{media_type}{boundary}"));
            let answer = door.send(request.body(Body::from("--b--")).expect("request")).await;
            assert_ne!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path} of {media_type}");
            sent += 1;
        }
    }
    assert!(asked > 30 && sent == 12, "{asked} asked for, {sent} sent");
}

#[tokio::test]
async fn every_route_says_which_methods_it_has() {
    let door = door().await;
    for (path, operations) in resources() {
        let path = filled(path);
        let request = |method: Method| {
            Request::builder()
                .method(method)
                .uri(&path)
                .header(header::AUTHORIZATION, door.token(Role::Service, None))
                .body(Body::empty())
                .expect("request")
        };
        let refused = door.send(request(Method::PUT)).await;
        assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed = refused.header(header::ALLOW).to_owned();
        let posts = operations.iter().any(|operation| operation.method == Method::POST);
        assert!(allowed.contains("GET") && allowed.contains("HEAD"), "{path}: {allowed}");
        assert_eq!(allowed.contains("POST"), posts, "{path}: {allowed}");
        let head = door.send(request(Method::HEAD)).await;
        let get = door.send(request(Method::GET)).await;
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
        for field in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::ETAG] {
            let (head, get) = (head.headers.get(&field), get.headers.get(&field));
            assert!(head == get || get.is_none(), "{path} {field}: {head:?} {get:?}");
        }
    }
}
