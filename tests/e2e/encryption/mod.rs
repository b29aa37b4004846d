//! Encryption at rest through the true program: what lies on the disk, what happens to who changes it, how keys are
//! changed, and how a patient is erased (threats.md section 4, rows 56 and 57, invariants I12 and I13).

mod altered;
mod at_rest;
mod delete;
mod erase;
mod rotate;

use std::{path::Path, process::Output, time::Duration};

use serde_json::Value;
use tests::{
    digest::sha256_hex,
    ledger::Ledger,
    platform::Platform,
    python,
    scu::{Association, Proposal},
    session::Session,
    synthetic::{CR_IMAGE_STORAGE, Synthetic},
};

/// How long previews and work on keys may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Stores instances over DIMSE and writes them down.
fn send(platform: &Platform, ledger: &Ledger, instances: &[Synthetic]) {
    let proposal = Proposal::new(CR_IMAGE_STORAGE, &instances[0].transfer_syntax_uid);
    let mut association = Association::request(platform.dicom(), "MAXRAY", std::slice::from_ref(&proposal))
        .expect("an association");
    for instance in instances {
        let data_set = instance.data_set();
        let status = association.store(&proposal, &instance.sop_instance_uid, &data_set).expect("an answer");
        assert_eq!(status, 0, "{} refused", instance.sop_instance_uid);
        ledger.acknowledge_synthetic(instance, &data_set);
    }
    association.release().expect("released");
}

/// `maxray ARGUMENTS`, whatever comes of it.
fn maxray(platform: &Platform, arguments: &[&str]) -> Output {
    platform.command(arguments).output().expect("maxray starts")
}

/// The same, which must succeed; gives what it printed.
fn succeed(platform: &Platform, arguments: &[&str]) -> String {
    let output = maxray(platform, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "maxray {arguments:?}: {errors}\n{}", platform.log());
    String::from_utf8(output.stdout).expect("text")
}

/// The same, which must fail; gives the reason.
fn fail(platform: &Platform, arguments: &[&str]) -> String {
    let output = maxray(platform, arguments);
    assert!(!output.status.success(), "maxray {arguments:?} succeeded");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Opens every stored object with a program that shares no code with MaxRay; one JSON value each.
fn open_all(storage_folder: &Path) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/mxe1.py");
    let text = python::run(&script, &["read", &storage_folder.display().to_string()]);
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Path of an instance below `/dicomweb`.
fn instance_path(instance: &Synthetic) -> String {
    let Synthetic { study_instance_uid, series_instance_uid, sop_instance_uid, .. } = instance;
    format!(
        "/dicomweb/studies/{study_instance_uid}/series/{series_instance_uid}/instances/{sop_instance_uid}"
    )
}

/// Waits until the thumbnail of an instance is one that was made beforehand: one more pair of objects.
async fn wait_for_objects(platform: &Platform, count: usize) {
    wait_until(platform, "previews are made", || platform.stored_objects().len() >= count).await;
}

async fn wait_until(platform: &Platform, what: &str, mut done: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !done() {
        assert!(std::time::Instant::now() < deadline, "{what}: not in time\n{}", platform.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// SHA-256 of a whole stored instance, when it comes whole.
async fn retrieve(session: &Session, instance: &Synthetic) -> Option<String> {
    let place = tests::ledger::Acknowledged {
        study_instance_uid: instance.study_instance_uid.clone(),
        series_instance_uid: instance.series_instance_uid.clone(),
        data_set_sha256: String::new(),
    };
    let file = tests::ledger::retrieve(session, &place, &instance.sop_instance_uid).await.ok()?;
    Some(sha256_hex(tests::part10::data_set(&file)))
}
