//! The DICOMweb door as `dicomweb-client` (Python) and viewers use it: store, search, retrieve, bit for bit.

use std::path::Path;

use reqwest::StatusCode;
use tests::{
    fixtures, multipart,
    platform::{Engine, Options, Platform},
    python, qido,
    synthetic::Synthetic,
};

/// One file of each way to keep pixels, from as many studies.
const FILES: [&str; 8] = [
    "cornerstone3d/CT0012.fragmented_no_bot_jpeg_baseline.51.dcm",
    "cornerstone3d/TestPattern_RGB.dcm",
    "cornerstone3d/US-YBR_FULL_422-EVRLE.dcm",
    "cornerstone3d/CTImage.dcm_BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2.dcm",
    "pydicom/693_J2KI.dcm",
    "pydicom/CT_small.dcm",
    "pydicom/JPEG2000.dcm",
    "pydicom_dicomdir/77654033_CR1_6154.dcm",
];

/// What viewers send for frames.
const STORED_FRAMES: &str = "multipart/related; type=application/octet-stream; transfer-syntax=*";

#[tokio::test]
async fn dicomweb_client_on_sqlite() {
    check_dicomweb_client(Engine::Sqlite).await;
}

#[tokio::test]
async fn dicomweb_client_on_postgres() {
    check_dicomweb_client(Engine::Postgres).await;
}

async fn check_dicomweb_client(engine: Engine) {
    let platform = Platform::start(Options::on(engine)).await;
    let service = platform.user("service", "service").await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/dicomweb_client_check.py");
    let files: Vec<String> =
        FILES.iter().map(|name| fixtures::file(name).path.display().to_string()).collect();
    let url = platform.url("/dicomweb");
    let mut arguments = vec![url.as_str(), service.token()];
    arguments.extend(files.iter().map(String::as_str));
    let output = python::run(&script, &arguments);
    assert!(output.trim().starts_with(&format!("equal {}", FILES.len())), "{output}");
}

/// The same client's program, as a person at a prompt uses it.
#[tokio::test]
async fn the_program_of_dicomweb_client_is_served() {
    let platform = Platform::start(Options::default()).await;
    let service = platform.user("service", "service").await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/dicomweb_client_cli_check.py");
    let file = fixtures::file("pydicom/CT_small.dcm").path.display().to_string();
    let output = python::run(&script, &[&platform.url("/dicomweb"), service.token(), &file]);
    assert_eq!(output.trim(), "equal 1");
}

/// Files of which every value and every frame must survive the way through metadata and bulk data.
const TAKEN_APART: [&str; 12] = [
    "pydicom/CT_small.dcm",
    "pydicom/MR_small.dcm",
    "pydicom/SC_rgb_jpeg_dcmtk.dcm",
    "pydicom/SC_rgb_jpeg_gdcm.dcm",
    "pydicom/MR_small_jpeg_ls_lossless.dcm",
    "pydicom/MR_small_jp2klossless.dcm",
    "pydicom/693_J2KI.dcm",
    "pydicom/MR_small_RLE.dcm",
    "pydicom/SC_rgb_rle_2frame.dcm",
    "pydicom/test-SR.dcm",
    "pydicom/waveform_ecg.dcm",
    "pydicom/rtplan.dcm",
];

/// PS3.18 8.6.1.2.2: an instance made of metadata and bulk data is the one that was taken apart, as pydicom sees it.
#[tokio::test]
async fn metadata_and_bulk_data_make_the_same_instance() {
    let platform = Platform::start(Options::default()).await;
    let service = platform.user("service", "service").await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/stow_metadata_check.py");
    let files: Vec<String> =
        TAKEN_APART.iter().map(|name| fixtures::file(name).path.display().to_string()).collect();
    let url = platform.url("/dicomweb");
    let mut arguments = vec![url.as_str(), service.token()];
    arguments.extend(files.iter().map(String::as_str));
    let output = python::run(&script, &arguments);
    assert!(output.trim().starts_with(&format!("equal {}", TAKEN_APART.len())), "{output}");
}

/// Neither long bulk data nor very many short ones fill the memory, and a request that breaks off leaves nothing behind.
#[tokio::test]
async fn bulk_data_do_not_fill_the_memory() {
    let mut platform = Platform::start(Options::default()).await;
    let service = platform.user("service", "service").await;
    let metadata = |bulk: &str| {
        format!(
            r#"[{{"00080016":{{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.66"]}},"00080018":{{"vr":"UI","Value":["1.2.3.4"]}},
            "0020000D":{{"vr":"UI","Value":["1.2.3"]}},"0020000E":{{"vr":"UI","Value":["1.2.3.1"]}},"00091001":{{"vr":"OB","BulkDataURI":"{bulk}"}}}}]"#
        )
    };
    let part = |body: &mut Vec<u8>, head: &str, content: &[u8]| {
        body.extend_from_slice(format!("\r\n--b\r\n{head}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
    };
    let mut long = Vec::new();
    part(&mut long, "Content-Type: application/dicom+json", metadata("x").as_bytes());
    part(&mut long, "Content-Location: x", &vec![7; 300 << 20]);
    let mut short = Vec::new();
    part(&mut short, "Content-Type: application/dicom+json", metadata("0").as_bytes());
    for number in 0..5_000 {
        part(&mut short, &format!("Content-Location: {number}"), &vec![7; 20_000]);
    }
    let guard = platform.guard();
    // Without the closing delimiter, then with it.
    for (body, ending, status) in [(&long, "", 400), (&short, "", 400), (&long, "\r\n--b--", 200)] {
        let mut body = body.clone();
        body.extend_from_slice(ending.as_bytes());
        let request = service
            .request(reqwest::Method::POST, "/dicomweb/studies")
            .header("Content-Type", "multipart/related; type=\"application/dicom+json\"; boundary=b")
            .body(body);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{}", answer.text().await.unwrap_or_default());
        if status == 400 {
            guard.check(&mut platform, 60 << 20).await;
        }
    }
    guard.check_alive(&mut platform).await;
    let path = "/dicomweb/studies/1.2.3/series/1.2.3.1/instances/1.2.3.4/bulkdata/00091001";
    let answer = service.get_as(path, "*/*").await;
    assert!(answer.bytes().await.expect("a body").len() >= 300 << 20);
}

/// XML and CSV, read by other parsers, say what JSON says.
#[tokio::test]
async fn searches_say_the_same_in_every_form() {
    let platform = Platform::start(Options::default()).await;
    let service = platform.user("service", "service").await;
    for name in FILES.iter().chain(&TAKEN_APART) {
        let file = std::fs::read(&fixtures::file(name).path).expect("a fixture");
        let request = service
            .request(reqwest::Method::POST, "/dicomweb/studies")
            .header("Content-Type", "application/dicom")
            .body(file);
        assert!(request.send().await.expect("an answer").status().is_success(), "{name}");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/qido_forms_check.py");
    let url = platform.url("/dicomweb");
    let output = python::run(&script, &[url.as_str(), service.token()]);
    let values: u32 = output.trim().rsplit(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    assert!(output.starts_with("equal ") && values > 1_000, "{output}");
}

/// PS3.18 8.9: what this door can do is told where it is mounted, with a slash behind it too.
#[tokio::test]
async fn capabilities_with_a_slash_and_without() {
    let platform = Platform::start(Options::default()).await;
    let service = platform.user("service", "service").await;
    let mut told = Vec::new();
    for path in ["/dicomweb", "/dicomweb/"] {
        for method in [reqwest::Method::GET, reqwest::Method::OPTIONS] {
            let request = service.request(method.clone(), path).header("Accept", "application/json");
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::OK, "{method} {path}");
            told.push(answer.text().await.expect("a body"));
        }
    }
    assert!(told[0].contains("/studies/{study}") && told.iter().all(|body| *body == told[0]), "{told:?}");
}

/// The calls of OHIF 3 in their order, from the list to the pixels and the thumbnail.
#[tokio::test]
async fn what_ohif_asks_for() {
    let platform = Platform::start(Options::default()).await;
    let service = platform.user("service", "service").await;
    let xray = Synthetic::cr("OHIF-1", 64, 48);
    let request = service
        .request(reqwest::Method::POST, "/dicomweb/studies")
        .header("Content-Type", multipart::content_type("dcmjs"))
        .body(multipart::encode("dcmjs", &[&xray.part10()]));
    assert_eq!(request.send().await.expect("an answer").status(), StatusCode::OK);

    let viewer = platform.user("viewer", "viewer").await;
    let include = "includefield=00081030%2C00080060%2C00080090%2C00100030";
    let list = format!("/studies?limit=101&offset=0&fuzzymatching=false&{include}");
    assert_eq!(qido::rows(&viewer, &list).await.len(), 1);
    let Synthetic { study_instance_uid, series_instance_uid, sop_instance_uid, .. } = &xray;
    let twice = format!("{list}&StudyInstanceUID={study_instance_uid}%5C%5C1.2.3");
    assert_eq!(qido::rows(&viewer, &twice).await.len(), 1);
    let series = format!("/studies/{study_instance_uid}/series?includefield=00080021%2C00080031");
    let series = qido::rows(&viewer, &series).await;
    assert_eq!(series[0]["00201209"]["Value"][0], 1);
    assert_eq!(series[0]["0020000D"]["Value"][0], study_instance_uid.as_str());
    let place = format!("/dicomweb/studies/{study_instance_uid}/series/{series_instance_uid}");
    assert_eq!(qido::text(&series[0], "00081190"), platform.url(&place));

    let instance = format!(
        "/dicomweb/studies/{study_instance_uid}/series/{series_instance_uid}/instances/{sop_instance_uid}"
    );
    let frame = viewer.get_as(&format!("{instance}/frames/1"), STORED_FRAMES).await;
    assert_eq!(frame.status(), StatusCode::OK);
    let content_type = frame.headers()["content-type"].to_str().expect("ASCII").to_owned();
    let body = frame.bytes().await.expect("a body");
    let parts = multipart::decode(&content_type, &body);
    assert_eq!(parts.len(), 1);
    let header = parts[0].headers.iter().find(|line| line.starts_with("Content-Type:")).expect("spelled so");
    assert!(header.contains("transfer-syntax=1.2.840.10008.1.2") && !header.contains('"'), "{header}");

    for path in [
        format!("/dicomweb/studies/{study_instance_uid}/thumbnail"),
        format!(
            "/dicomweb/studies/{study_instance_uid}/series/{series_instance_uid}/thumbnail?viewport=256%2C256"
        ),
        format!("{instance}/thumbnail"),
        format!("{instance}/rendered"),
    ] {
        let picture = viewer.get_as(&path, "image/jpeg").await;
        assert_eq!(picture.status(), StatusCode::OK, "{path}");
        assert!(picture.bytes().await.expect("a body").starts_with(&[0xff, 0xd8]), "{path}");
    }
}
