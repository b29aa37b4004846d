//! `POST /xrays`: pictures of phones and scanners, and every DICOM file, read by other programs as what they are.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tests::{
    fixtures, part10,
    platform::{Options, Platform},
    python,
    session::Session,
};

/// Mean difference in grey levels of 255 that is allowed: pictures that lose nothing differ by nothing.
const LOSSY_LEVELS_MAX: f64 = 1.5;

async fn upload(session: &Session, metadata: &Value, file: &[u8]) -> Response {
    const EDGE: &str = "an-edge-that-no-picture-has";
    let part = |name: &str| {
        format!("--{EDGE}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x\"\r\n\r\n")
    };
    let mut body = format!("{}{metadata}\r\n{}", part("metadata"), part("file")).into_bytes();
    body.extend_from_slice(file);
    body.extend_from_slice(format!("\r\n--{EDGE}--\r\n").as_bytes());
    let request = session.request(Method::POST, "/xrays");
    let request = request.header("Content-Type", format!("multipart/form-data; boundary={EDGE}")).body(body);
    request.send().await.expect("an answer")
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python").join(name)
}

/// Runs a program that has to be there and gives what it prints; whether it must succeed is the caller's.
fn tool(name: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(name).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{name}: {error}: run ./test, it installs it"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn pictures_become_instances_that_other_programs_read() {
    let platform = Platform::start(Options::default()).await;
    let service = platform.user("uploads", "service").await;
    let folder = platform.scratch().join("pictures");
    fs::create_dir(&folder).expect("a folder");
    let names = python::run(&script("phone_pictures.py"), &[folder.to_str().expect("a path")]);
    assert!(names.lines().count() >= 16, "{names}");
    for name in names.lines() {
        let picture = folder.join(name);
        let metadata = json!({
            "patient_id": "P-1", "patient_name": "Mensah^Kofi", "body_part": "CHEST", "view": "PA",
            "captured_at": "2026-05-03T09:00:00Z", "paramedic": "Owusu^Efua"
        });
        let made = upload(&service, &metadata, &fs::read(&picture).expect("a picture")).await;
        assert_eq!(made.status(), StatusCode::CREATED, "{name}: {:?}", made.text().await);
        let location = made.headers()["location"].to_str().expect("ASCII").to_owned();
        let file = service.get(&format!("{location}/download")).await.bytes().await.expect("a file");
        let instance = folder.join(format!("{name}.dcm"));
        fs::write(&instance, &file).expect("written");
        check(name, &picture, &instance);
    }
    // Found and fetched by a DICOMweb client like what a machine sent.
    let found = tests::qido::rows(&service, "/instances?PatientID=P-1").await;
    assert_eq!(found.len(), names.lines().count());
}

/// DCMTK shows it (`dcmj2pnm` is the `dcm2pnm` that knows JPEG), pydicom decodes it, and dciodvfy finds no attribute of type 1 missing.
fn check(name: &str, picture: &Path, instance: &Path) {
    let (picture, instance) = (picture.to_str().expect("a path"), instance.to_str().expect("a path"));
    let shown = format!("{instance}.pnm");
    // Deep samples without a window: the lowest as black, the highest as white.
    let window: &[&str] = if name.contains("deep") || name.contains("film") { &["+Wm"] } else { &[] };
    let (done, said) = tool("dcmj2pnm", &[window, &["--write-raw-pnm", instance, &shown]].concat());
    assert!(done, "{name}: {said}");
    let read = python::run(&script("picture_check.py"), &[picture, instance, &shown]);
    let levels: Vec<f64> = read.split_whitespace().map(|one| one.parse().expect("a number")).collect();
    let lossless = Path::new(name).extension().is_none_or(|extension| extension != "jpg");
    // DCMTK's picture has 8 bits of those that are deeper.
    let allowed = if lossless { [0.0, 1.0] } else { [LOSSY_LEVELS_MAX; 2] };
    assert!(levels[0] <= allowed[0] && levels[1] <= allowed[1], "{name}: {read}");
    let (_, judged) = tool("dciodvfy", &[instance]);
    assert!(judged.contains("SCImage"), "{name}: {judged}");
    // Colours that are not subsampled are YBR_FULL (PS3.3 C.7.6.3.1.2); of JPEG the validator knows YBR_FULL_422 alone.
    let is_error = |line: &&str| line.starts_with("Error") && !line.contains("<YBR_FULL>");
    let errors: Vec<&str> = judged.lines().filter(is_error).collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}");
}

#[tokio::test]
async fn every_dicom_file_is_kept_as_it_is_or_refused_with_a_reason() {
    let platform = Platform::start(Options::default().with("MAXRAY_WORKER__PREVIEWS", "false")).await;
    let service = platform.user("uploads", "service").await;
    let (mut stored, mut twice, mut refused) = (0, 0, Vec::new());
    for fixture in fixtures::all() {
        let file = fixture.read();
        if part10::head(&file).is_none() {
            continue;
        }
        let answer = upload(&service, &json!({}), &file).await;
        if !answer.status().is_success() {
            let status = answer.status();
            let problem: Value = answer.json().await.expect("a problem");
            let told = problem["detail"].as_str().is_some_and(|detail| detail.len() > 10);
            assert!(status.is_client_error() && told, "{}: {problem}", fixture.name);
            if status == StatusCode::CONFLICT {
                // The set has some instances in several transfer syntaxes.
                twice += 1;
            } else {
                refused.push(fixture.name.clone());
            }
            continue;
        }
        let location = answer.headers()["location"].to_str().expect("ASCII").to_owned();
        let kept = service.get(&format!("{location}/download")).await.bytes().await.expect("a file");
        assert!(part10::data_set(&kept) == part10::data_set(&file), "{} is another one", fixture.name);
        stored += 1;
    }
    println!("{stored} stored, {twice} with a UID that is taken; refused: {refused:?}");
    assert!(
        stored > 50 && refused.len() * 2 <= stored,
        "{stored} stored, {twice} taken; refused: {refused:#?}"
    );
}
