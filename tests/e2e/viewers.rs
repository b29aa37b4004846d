//! Viewers in a browser, from another origin: OHIF as it is published, and the JavaScript client that viewers are made
//! with. The screenshots of OHIF stay in `MAXRAY_TEST_SCREENSHOTS`, when it is set, to be looked at.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tests::{
    digest::sha256_hex,
    env, fixtures,
    operator::free_port,
    platform::{Options, Platform},
    scu::Dcmtk,
    session::Session,
    synthetic::Synthetic,
};

/// Runs one of the scripts of `tests/viewers` and gives the object that it prints.
pub(super) fn run(script: &str, arguments: &[String]) -> Value {
    let folder = env::path(env::VIEWERS).unwrap_or_else(|| {
        panic!("{} is not set: run ./test, which installs OHIF and the clients", env::VIEWERS)
    });
    let output = Command::new("node")
        .arg(script)
        .args(arguments)
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output()
        .expect("node starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{script}: {error}: {}\n{errors}", String::from_utf8_lossy(&output.stdout))
    })
}

async fn platform(port: u16) -> (Platform, Session) {
    let origin = format!("[\"http://127.0.0.1:{port}\"]");
    let platform =
        Platform::start(Options::default().with("MAXRAY_DICOMWEB__CORS_ALLOWED_ORIGINS", &origin)).await;
    let service = platform.user("service", "service").await;
    (platform, service)
}

fn screenshots(platform: &Platform) -> PathBuf {
    let folder = env::path(env::SCREENSHOTS).unwrap_or_else(|| platform.scratch().join("screenshots"));
    std::fs::create_dir_all(&folder).expect("a folder for screenshots");
    folder
}

/// What OHIF is to open: a CR, a DX, several frames, and series in compressed syntaxes.
const FILES: [&str; 6] = [
    "pydicom_dicomdir/77654033_CR1_6154.dcm",
    "cornerstone3d/CTImage.dcm_JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90.dcm",
    "cornerstone3d/TestPattern_JPEG-LS-Lossless.dcm",
    "pydicom/examples_ybr_color.dcm",
    "pydicom_data/OBXXXX1A_rle_2frame.dcm",
    "pydicom/MR_small_RLE.dcm",
];

/// One that is stored in Explicit VR Little Endian.
const EXPLICIT: &str = "pydicom/CT_small.dcm";

#[tokio::test]
async fn ohif_shows_what_is_stored() {
    let port = free_port();
    let (platform, service) = platform(port).await;
    let dx = Synthetic { modality: "DX".to_owned(), ..Synthetic::cr("OHIF-DX", 1024, 800) };
    let path = platform.scratch().join("dx.dcm");
    std::fs::write(&path, dx.part10()).expect("a file");
    let mut files: Vec<PathBuf> = FILES.iter().map(|name| fixtures::file(name).path).collect();
    files.push(path);
    let sent = Dcmtk::dcmsend(platform.dicom(), &[], &files);
    assert!(sent.success, "{}", sent.text);
    let rows = tests::qido::rows(&service, "/studies").await;
    assert_eq!(rows.len(), files.len(), "a study for each file");
    let studies = rows.iter().map(|row| {
        let name = row["00100010"]["Value"][0]["Alphabetic"].as_str().unwrap_or_default();
        let family = name.split('^').next();
        json!({"uid": tests::qido::text(row, "0020000D"), "name": family, "patient": tests::qido::text(row, "00100020")})
    });
    let mut arguments = vec![
        port.to_string(),
        platform.url(""),
        service.token().to_owned(),
        screenshots(&platform).display().to_string(),
    ];
    arguments.extend(studies.map(|study| study.to_string()));
    let found = run("ohif.mjs", &arguments);
    assert_eq!(found["complaints"], json!([]), "{found:#}");
    let opened = found["opened"].as_array().expect("studies");
    assert_eq!(opened.len(), files.len());
    for study in opened {
        assert!(study["values"].as_u64().is_some_and(|values| values > 8), "black: {study}");
        assert!(study["lit"].as_f64().is_some_and(|lit| lit > 0.02), "black: {study}");
        assert!(study["thumbnails"].as_u64().is_some_and(|count| count >= 1), "no thumbnail: {study}");
    }
}

#[tokio::test]
async fn the_javascript_client_works_in_a_page() {
    let port = free_port();
    let (platform, service) = platform(port).await;
    let files: Vec<PathBuf> = FILES.iter().chain([&EXPLICIT]).map(|name| fixtures::file(name).path).collect();
    let mut arguments = vec![port.to_string(), platform.url(""), service.token().to_owned()];
    arguments.extend(files.iter().map(|path| path.display().to_string()));
    let found = run("client.mjs", &arguments);
    // The one that was asked for on purpose.
    let complaints: Vec<&str> =
        found["complaints"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(complaints.iter().all(|line| line.contains("1.2.3.4.5")), "{complaints:#?}");
    assert_eq!(found["missing"], 404);
    let results = found["results"].as_array().expect("studies");
    assert_eq!(results.len(), files.len());
    for result in results {
        assert_eq!(result["counts"], json!([1, 1, 1, 1, 1]), "{result:#}");
        assert_eq!(result["rendered"], json!([0xFF, 0xD8, 0xFF]), "{result:#}");
        assert!(result["frame_bytes"].as_u64().is_some_and(|bytes| bytes > 100), "{result:#}");
        assert!(result["bulk"].as_str().is_some_and(|uri| uri.contains("/bulkdata/")), "{result:#}");
        assert_eq!(
            (&result["series"], &result["study"]),
            (&result["part10"], &result["part10"]),
            "{result:#}"
        );
    }
    // Bit for bit, where nothing has to be decoded.
    let file = fixtures::file(EXPLICIT).read();
    let sent = sha256_hex(tests::part10::data_set(&file));
    assert!(results.iter().any(|result| result["part10"] == sent.as_str()), "{results:#?}");
}
