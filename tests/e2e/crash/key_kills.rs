//! kill -9 while a patient is erased, while keys are changed, and while the audit trail is signed: whoever comes next
//! finishes it (threats.md K34, K35, K38, K39, K40).

use std::{
    collections::BTreeSet, fs, os::unix::process::ExitStatusExt as _, path::Path, process::Stdio,
    time::Duration,
};

use fail_point::Point;
use tests::{
    digest::sha256_hex,
    ledger::retrieve,
    load::{Load, Shape},
    platform::{Engine, Options, Platform},
    qido,
    session::PASSWORD,
};

/// How long the program may take to come to a point, and work on keys to be finished.
const PATIENCE: Duration = Duration::from_secs(30);
/// Patients of one load, and instances of each.
const PATIENTS: usize = 3;
const INSTANCES: usize = 4;

fn options(engine: Engine) -> Options {
    Options { fsync: true, ..Options::on(engine) }
        .with("MAXRAY_KEYS__ROTATION_GRACE_MS", "200")
        .with("MAXRAY_KEYS__JOB_LEASE_MS", "2000")
        .with("MAXRAY_WORKER__POLL_INTERVAL_MS", "100")
        .with("MAXRAY_WORKER__PREVIEWS", "false")
        .with("MAXRAY_AUDIT__CHECKPOINT_INTERVAL_MS", "200")
}

async fn start(engine: Engine) -> Platform {
    let platform = Platform::start(options(engine)).await;
    platform.add_user("reader", "viewer");
    platform
}

/// Patients `LABEL-0`, `LABEL-1`, ..
fn store(platform: &Platform, label: &str) -> Load {
    let load = Load::run(platform.dicom(), label, &Shape::mixed(PATIENTS, INSTANCES));
    assert_eq!(load.ledger.len(), PATIENTS * INSTANCES, "{}", platform.log());
    load
}

async fn wait_until(platform: &Platform, what: &str, done: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !done() {
        assert!(std::time::Instant::now() < deadline, "{what}: not in time\n{}", platform.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The patient keys that seal the stored objects (docs/object-format.md, the seal).
fn keys_in_use(platform: &Platform) -> BTreeSet<String> {
    let ids = platform.stored_objects().into_iter().map(|path| {
        let object = platform.read_object(&path);
        uuid::Uuid::from_slice(&object[object.len() - 120..][..16]).expect("the id of a key").to_string()
    });
    ids.collect()
}

fn is_there(platform: &Platform, key: &str) -> bool {
    platform.stored_keys().contains(key)
}

#[tokio::test]
async fn an_erasure_is_finished_on_sqlite() {
    an_erasure_is_finished(Engine::Sqlite).await;
}

#[tokio::test]
async fn an_erasure_is_finished_on_postgres() {
    an_erasure_is_finished(Engine::Postgres).await;
}

/// The server is down while the patient is erased, so that the command does all of it until it dies.
async fn an_erasure_is_finished(engine: Engine) {
    let mut platform = start(engine).await;
    let load = store(&platform, "ERASED");
    let mut entries = load.ledger.entries();
    for (number, point) in
        [Point::K34RowsErased, Point::K39KeyDestroyed, Point::K35ObjectRemoved].into_iter().enumerate()
    {
        let reader = platform.sign_in("reader", PASSWORD).await;
        let patient = format!("ERASED-{number}");
        let of_patient = qido::rows(&reader, &format!("/instances?PatientID={patient}")).await;
        assert_eq!(of_patient.len(), INSTANCES);
        let objects = platform.stored_objects().len();
        platform.stop().await;
        let mut command = platform.command(&["erase", "patient", &patient, "--reason", "asked for"]);
        command.env("TEST_MAXRAY_FAIL_POINT", format!("{}:kill:1", point.name()));
        let output = command.stdin(Stdio::null()).output().expect("maxray starts");
        assert_eq!(output.status.signal(), Some(9), "{}", String::from_utf8_lossy(&output.stderr));
        platform.restart().await;
        let what = format!("killed at {}: what was erased is removed", point.name());
        wait_until(&platform, &what, || platform.stored_objects().len() == objects - INSTANCES).await;
        let reader = platform.sign_in("reader", PASSWORD).await;
        for row in of_patient {
            let uid = qido::text(&row, qido::SOP_INSTANCE_UID);
            assert!(qido::locate(&reader, &uid).await.is_none(), "{uid} is found after {}", point.name());
            entries.remove(&uid);
        }
        for (uid, place) in &entries {
            let file =
                retrieve(&reader, place, uid).await.unwrap_or_else(|why| panic!("{what}: {uid}: {why}"));
            assert_eq!(sha256_hex(tests::part10::data_set(&file)), place.data_set_sha256, "{what}: {uid}");
        }
    }
    platform.assert_verified(None, "after three erasures that died");
}

#[tokio::test]
async fn a_rotation_is_finished_on_sqlite() {
    a_rotation_is_finished(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_rotation_is_finished_on_postgres() {
    a_rotation_is_finished(Engine::Postgres).await;
}

async fn a_rotation_is_finished(engine: Engine) {
    let mut platform = start(engine).await;
    let load = store(&platform, "ROTATED");
    let path = platform.scratch().join("acknowledged.jsonl");
    load.ledger.append_to(&path);
    for (point, of) in [
        (Point::K38KeyRewrapped, "--root"),
        (Point::K38SealedAnew, "--all-patients"),
        (Point::K38RowReplaced, "--all-patients"),
        (Point::K39KeyDestroyed, "--all-patients"),
    ] {
        // What an earlier death left without a row may name a key that is destroyed.
        let old_keys: Vec<String> =
            keys_in_use(&platform).into_iter().filter(|key| is_there(&platform, key)).collect();
        assert!(old_keys.len() >= PATIENTS, "{old_keys:?}");
        let old_root = fs::read(platform.data_directory().join("root.key")).expect("a root key");
        platform.kill();
        platform.restart_armed(&format!("{}:kill:2", point.name())).await;
        let mut command = platform.command(&["key", "rotate", of]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("maxray starts");
        platform.await_death(PATIENCE, point.name()).await;
        platform.restart().await;
        let status =
            tokio::task::spawn_blocking(move || child.wait()).await.expect("a thread").expect("a child");
        assert!(status.success(), "killed at {}: {status}\n{}", point.name(), platform.log());
        if of == "--root" {
            let root = fs::read(platform.data_directory().join("root.key")).expect("a root key");
            assert_ne!(root, old_root, "the root key is another one");
        } else {
            let gone = || !old_keys.iter().any(|key| is_there(&platform, key));
            wait_until(&platform, "the old keys are destroyed", gone).await;
        }
        let reader = platform.sign_in("reader", PASSWORD).await;
        load.check(&reader, point.name()).await;
    }
    platform.assert_verified(Some(&path), "after four rotations that died");
}

#[tokio::test]
async fn a_checkpoint_is_finished() {
    let mut platform = start(Engine::of_home()).await;
    for point in [Point::K40CheckpointStored, Point::K40CheckpointHalfWritten] {
        platform.kill();
        platform.restart_armed(&format!("{}:kill:1", point.name())).await;
        platform.await_death(PATIENCE, point.name()).await;
        let file = platform.data_directory().join("audit-checkpoints.jsonl");
        let before = whole_lines(&file);
        let cut = !fs::read(&file).expect("checkpoints").ends_with(b"\n");
        assert_eq!(cut, point == Point::K40CheckpointHalfWritten, "{}", point.name());
        platform.restart().await;
        wait_until(&platform, "the checkpoint is in its file", || whole_lines(&file) > before).await;
        let verified = platform.command(&["audit", "verify"]).output().expect("maxray starts");
        assert!(verified.status.success(), "{}: {verified:?}", point.name());
    }
}

fn whole_lines(file: &Path) -> usize {
    fs::read_to_string(file).expect("checkpoints").matches('\n').count()
}
