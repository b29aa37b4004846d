//! From the machine into a consultation: an X-ray is sent, seen by its doctor, linked, and retrieved bit for bit.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{
    digest::sha256_hex,
    fixtures,
    ledger::{Acknowledged, Ledger},
    part10,
    platform::{Engine, Options, Platform},
    python, qido,
    scu::Dcmtk,
    session::{PASSWORD, Session},
    synthetic::Synthetic,
};

/// From the sender's end to the preview. An idle machine takes well under a second; tests share theirs.
const PREVIEW_TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn first_xray_on_sqlite() {
    first_xray(Engine::Sqlite).await;
}

#[tokio::test]
async fn first_xray_on_postgres() {
    first_xray(Engine::Postgres).await;
}

async fn first_xray(engine: Engine) {
    let platform = Platform::start(Options::on(engine)).await;
    let xray = Synthetic::cr("PAT-1", 600, 480);
    let (doctor, consultation) = doctor_with_consultation(&platform, "ada", &xray.patient_id).await;
    let (stranger, _) = doctor_with_consultation(&platform, "bob", "PAT-2").await;

    let echo = Dcmtk::echoscu(platform.dicom());
    assert!(echo.success, "{}", echo.text);
    let file = platform.scratch().join("xray.dcm");
    std::fs::write(&file, xray.part10()).expect("a file");
    let sent = Dcmtk::storescu(platform.dicom(), &[], std::slice::from_ref(&file));
    assert_eq!(sent.store_status(), Some(0), "{}", sent.text);
    let acknowledged = Instant::now();

    let link = json!({ "study_instance_uid": xray.study_instance_uid });
    doctor.post_json(&format!("/consultations/{consultation}/studies"), &link).await;
    let shown = doctor.get_json(&format!("/consultations/{consultation}")).await;
    let path = link_ending(&shown, "/preview").unwrap_or_else(|| panic!("no preview link in {shown}"));
    let preview = wait_for_preview(&doctor, &path, acknowledged).await;
    assert!(preview.starts_with(&[0xff, 0xd8]), "the preview is no JPEG");

    let metadata = doctor.get_json(&metadata_path(&xray)).await;
    assert_eq!(qido::text(&metadata[0], "00100020"), xray.patient_id);
    assert_eq!(qido::text(&metadata[0], qido::SOP_INSTANCE_UID), xray.sop_instance_uid);
    assert!(metadata[0]["7FE00010"].get("InlineBinary").is_none(), "pixel data in metadata");

    check_download(&doctor, &path, &xray).await;
    retrieve_with_dicomweb_client(&platform, &doctor, &file, &xray);
    let ledger = Ledger::default();
    ledger.acknowledge_synthetic(&xray, &xray.data_set());
    ledger.check(&doctor, "first X-ray").await;

    for path in [path.clone(), metadata_path(&xray), format!("/consultations/{consultation}")] {
        assert_eq!(stranger.get(&path).await.status(), 404, "{path} for a doctor who is not part of it");
        let nobody = platform.client().get(platform.url(&path)).send().await.expect("an answer");
        assert_eq!(nobody.status(), 401, "{path} without a token");
    }
    assert!(qido::rows(&stranger, "/studies").await.is_empty());
}

/// A real CR file: what a reading room gets from a plate reader.
#[tokio::test]
async fn a_graceful_stop_keeps_everything() {
    let mut platform = Platform::start(Options::default()).await;
    let real = fixtures::file("pydicom_dicomdir/77654033_CR1_6154.dcm");
    let sent = Dcmtk::dcmsend(platform.dicom(), &[], std::slice::from_ref(&real.path));
    assert!(sent.success, "{}", sent.text);
    assert!(platform.stop().await.success(), "{}", platform.log());
    platform.restart().await;

    let viewer = platform.user("viewer", "viewer").await;
    let file = real.read();
    let head = part10::head(&file).expect("a Part 10 file");
    let place = qido::locate(&viewer, &head.sop_instance_uid).await.expect("the instance is there");
    let ledger = Ledger::default();
    let data_set_sha256 = sha256_hex(part10::data_set(&file));
    ledger.acknowledge(&head.sop_instance_uid, Acknowledged { data_set_sha256, ..place });
    ledger.check(&viewer, "after a graceful stop").await;
}

async fn doctor_with_consultation(
    platform: &Platform,
    username: &str,
    patient_id: &str,
) -> (Session, String) {
    let admin = platform.user(&format!("admin-of-{username}"), "admin").await;
    let account = json!({ "username": username, "password": PASSWORD });
    let doctor = admin.post_json("/doctors", &json!({ "name": username, "account": account })).await;
    let session = platform.sign_in(username, PASSWORD).await;
    let id = doctor["id"].as_str().expect("a doctor has an id");
    let booking = json!({ "patient_id": patient_id, "patient_name": "Synthetic", "reason": "cough" });
    let consultation = session.post_json(&format!("/doctors/{id}/consultation"), &booking).await;
    (session, consultation["id"].as_str().expect("a consultation has an id").to_owned())
}

async fn wait_for_preview(session: &Session, path: &str, since: Instant) -> Vec<u8> {
    loop {
        let answer = session.get(path).await;
        let status = answer.status();
        let body = answer.bytes().await.expect("a body");
        if status == 200 {
            eprintln!("preview {} ms after the acknowledgement", since.elapsed().as_millis());
            return body.to_vec();
        }
        let text = String::from_utf8_lossy(&body);
        assert!(since.elapsed() < PREVIEW_TIMEOUT, "{path}: still {status} {text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The download beside the preview is the whole Part 10 file.
async fn check_download(session: &Session, preview: &str, xray: &Synthetic) {
    let path = preview.replace("/preview", "/download");
    let answer = session.get(&path).await;
    assert_eq!(answer.status(), 200, "{path}");
    let body = answer.bytes().await.expect("a body");
    assert_eq!(sha256_hex(part10::data_set(&body)), sha256_hex(&xray.data_set()), "{path}");
}

fn retrieve_with_dicomweb_client(
    platform: &Platform,
    doctor: &Session,
    file: &std::path::Path,
    xray: &Synthetic,
) {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/first_xray.py");
    let file = file.display().to_string();
    let output = python::run(&script, &[&platform.url("/dicomweb"), doctor.token(), &file, &xray.patient_id]);
    assert_eq!(output.trim(), "equal");
}

fn metadata_path(xray: &Synthetic) -> String {
    let Synthetic { study_instance_uid, series_instance_uid, sop_instance_uid, .. } = xray;
    format!(
        "/dicomweb/studies/{study_instance_uid}/series/{series_instance_uid}/instances/{sop_instance_uid}/metadata"
    )
}

/// The first text in a JSON value that ends so; what a client that follows links would click on.
fn link_ending(value: &Value, ending: &str) -> Option<String> {
    match value {
        Value::String(text) if text.ends_with(ending) => Some(text.clone()),
        Value::Array(items) => items.iter().find_map(|item| link_ending(item, ending)),
        Value::Object(fields) => fields.values().find_map(|field| link_ending(field, ending)),
        _ => None,
    }
}
