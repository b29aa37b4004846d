//! The drill of docs/operations.md: a backup beside a server that stores, restored to an empty place.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{
    cluster::programs,
    env, home,
    listener::Listener,
    load::{Load, Shape},
    nodes::Nodes,
    platform::{Options, Platform, binary},
    python,
    s3::{BUCKET, S3Server},
    session::PASSWORD,
    wait,
};

use crate::deploy::root;

const PREFIX: &str = "MAXRAY_OBJECT_STORAGE__S3__PREFIX";

fn script() -> PathBuf {
    root().join("deploy/backup.sh")
}

fn back_up(data: &Path, destination: &Path) -> (bool, String) {
    said(Command::new(script()).arg(data).arg(destination))
}

/// Whether it went well, and all that it said.
fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().expect("sh runs");
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// The script of the other home, with a copy command of the kit.
fn distributed(url: &str, bucket: &S3Server) -> Command {
    let copier = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/s3_copy.py");
    let path = format!("{}:{}", programs().display(), env::text("PATH").unwrap_or_default());
    let mut command = Command::new(root().join("deploy/backup-distributed.sh"));
    command.env_clear().env("PATH", path).env("MAXRAY", binary()).env("DATABASE_URL", url);
    command.env("BUCKET", format!("http://{}/{BUCKET}", bucket.address()));
    command.env("COPY", format!("{} {}", python::interpreter().display(), copier.display()));
    command
}

/// What no backup holds: it opens objects, makes tokens, or signs for a doctor.
const LEFT_OUT: [&str; 3] = ["root.key", "doctor-keys.secret", "token-keys.json"];

/// Puts a backup, and what is kept elsewhere, into the empty data directory of a new server.
fn restore(backup: &Path, safe: &Path, platform: &Platform) {
    let data = platform.data_directory();
    fs::create_dir(&data).expect("an empty directory");
    let copied = Command::new("cp").arg("-a").arg(backup.join(".")).arg(&data).status().expect("cp runs");
    assert!(copied.success());
    assert!(data.join("maxray.sqlite").exists(), "the backup lies in the directory, not below it");
    for kept in ["root.key", "doctor-keys.secret"] {
        fs::copy(safe.join(kept), data.join(kept)).unwrap_or_else(|error| panic!("{kept}: {error}"));
    }
}

/// Signs a prescription; the path at which anybody can verify it.
async fn sign_prescription(site: &Platform) -> String {
    let admin = site.user("operator", "admin").await;
    let account = json!({ "username": "ada", "password": PASSWORD });
    let doctor = admin.post_json("/doctors", &json!({ "name": "Ada", "account": account })).await;
    let doctor = doctor["id"].as_str().expect("an id");
    let ada = site.sign_in("ada", PASSWORD).await;
    let patient = json!({ "patient_id": "PAT-1" });
    let consultation = ada.post_json(&format!("/doctors/{doctor}/consultation"), &patient).await;
    let item = json!({
        "medication": { "text": "Amoxicillin" }, "dose": { "value": 1, "unit": "g" }, "route": "oral",
        "frequency": { "text": "once a day" }, "quantity": { "value": 7, "unit": "{capsule}" },
    });
    let body = json!({ "consultation_id": consultation["id"], "items": [item] });
    let draft = ada.post_json(&format!("/doctors/{doctor}/prescription"), &body).await;
    let path = format!("/prescriptions/{}", draft["id"].as_str().expect("an id"));
    let signed = ada.post_json(&format!("{path}/finalize"), &json!({})).await;
    let code = signed["signature"]["verification_code"].as_str().expect("a code");
    format!("{path}/verify?code={code}")
}

async fn assert_genuine(platform: &Platform, check: &str) {
    let answer = platform.client().get(platform.url(check)).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK, "{check}");
    let told: Value = answer.json().await.expect("JSON");
    assert_eq!(told["genuine"], true, "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_beside_a_storing_server_is_whole() {
    if home::embedded_only("deploy/backup.sh is for SQLite and a directory") {
        return;
    }
    let site = Platform::start(Options::default()).await;
    site.add_user("reader", "viewer");
    let before = Load::run(site.dicom(), "BEFORE", &Shape::mixed(2, 10));
    assert_eq!(before.ledger.len(), 20);
    let check = sign_prescription(&site).await;

    let mut during = Load::start(site.dicom(), "DURING", &Shape::mixed(2, 150));
    during.until_acknowledged(20).await;
    let place = tempfile::tempdir().expect("a folder");
    let backup = place.path().join("backup");
    let acknowledged = during.ledger.entries();
    let (fine, text) = back_up(&site.data_directory(), &backup);
    assert!(fine, "{text}");
    assert!(during.ledger.len() > acknowledged.len(), "nothing was stored during the backup: {text}");
    for name in LEFT_OUT {
        assert!(site.data_directory().join(name).exists(), "{name} is no file of ours any more");
        assert!(!backup.join(name).exists(), "who has the backup has {name}");
    }
    assert!(!back_up(&site.data_directory(), &backup).0, "a backup is never written over");
    during.wait();

    let mut elsewhere = Platform::prepare(Options::default());
    restore(&backup, &site.data_directory(), &elsewhere);
    // The copy of the objects is younger than the snapshot, and may hold more than that knows.
    let found = elsewhere.verify(&[]);
    assert_eq!((found.code, found.violations("I3")), (Some(2), 1), "{:#}", found.report);
    let (done, said) = elsewhere.operate(&["reindex", "--missing"]);
    assert!(done, "{said}");
    elsewhere.restart().await;
    assert_genuine(&elsewhere, &check).await;
    let reader = elsewhere.sign_in("reader", PASSWORD).await;
    before.ledger.check(&reader, "what was stored before the backup").await;
    let lost = during.ledger.differences(&reader).await;
    let lost: Vec<&String> = lost
        .iter()
        .filter(|text| acknowledged.keys().any(|uid| text.starts_with(&format!("{uid}:"))))
        .collect();
    assert!(lost.is_empty(), "acknowledged before the backup began: {lost:#?}");
    let ledger = place.path().join("acknowledged.jsonl");
    before.ledger.append_to(&ledger);
    elsewhere.assert_verified(Some(&ledger), "after the restore");
    let audit = elsewhere.command(&["audit", "verify"]).output().expect("maxray runs");
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));

    // The whole index made again has them as well.
    let missing = during.ledger.differences(&reader).await.len();
    elsewhere.stop().await;
    let again = elsewhere.command(&["reindex", "--replace-index"]).output().expect("maxray runs");
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    elsewhere.restart().await;
    let reader = elsewhere.sign_in("reader", PASSWORD).await;
    before.ledger.check(&reader, "after the index was made again").await;
    assert!(during.ledger.differences(&reader).await.len() <= missing, "nothing is lost by it");
}

#[tokio::test]
async fn objects_on_another_disk_are_in_the_backup() {
    if home::embedded_only("deploy/backup.sh is for SQLite and a directory") {
        return;
    }
    let place = tempfile::tempdir().expect("a folder");
    let (disk, backup) = (place.path().join("disk"), place.path().join("backup"));
    let directory = disk.display().to_string();
    let site = Platform::start(Options::default().with("MAXRAY_OBJECT_STORAGE__DIRECTORY", &directory)).await;
    site.add_user("reader", "viewer");
    let load = Load::run(site.dicom(), "DISK", &Shape::mixed(1, 4));
    let (fine, text) = back_up(&site.data_directory(), &backup);
    assert!(!fine && text.contains("the third argument"), "{text}");
    let (fine, text) = said(Command::new(script()).arg(site.data_directory()).arg(&backup).arg(&disk));
    assert!(fine, "{text}");

    // Into one directory, as it is by default.
    let mut restored = Platform::prepare(Options::default());
    restore(&backup, &site.data_directory(), &restored);
    let (done, said) = restored.operate(&["reindex", "--missing"]);
    assert!(done, "{said}");
    restored.restart().await;
    let reader = restored.sign_in("reader", PASSWORD).await;
    load.ledger.check(&reader, "after the restore").await;
    restored.assert_verified(None, "after the restore");
}

/// The other home: a dump, then the bucket, then its keys, while two nodes store.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_backup_of_a_dump_and_a_bucket_is_whole() {
    let nodes = Nodes::start(2, &[]).await;
    nodes.node(0).add_user("reader", "viewer");
    let before = Load::run(nodes.node(0).dicom(), "BEFORE", &Shape::mixed(2, 10));
    let mut during: Vec<Load> = nodes
        .all()
        .iter()
        .enumerate()
        .map(|(number, node)| Load::start(node.dicom(), &format!("DURING-{number}"), &Shape::mixed(2, 100)))
        .collect();
    wait::until("both nodes store", async || during.iter().all(|load| load.ledger.len() > 5).then_some(()))
        .await;
    let acknowledged: Vec<String> =
        during.iter().flat_map(|load| load.ledger.entries().into_keys()).collect();
    let dump = nodes.dump();
    let bucket = nodes.bucket().copied().await;
    let stored: usize = during.iter().map(|load| load.ledger.len()).sum();
    assert!(stored > acknowledged.len(), "nothing was stored during the backup");
    during.iter_mut().for_each(Load::wait);

    let restored = nodes.restored(&dump, &bucket).await;
    let reader = restored.sign_in("reader", PASSWORD).await;
    before.ledger.check(&reader, "what was stored before the backup").await;
    for load in &during {
        let lost = load.ledger.differences(&reader).await;
        let lost: Vec<&String> = lost
            .iter()
            .filter(|text| acknowledged.iter().any(|uid| text.starts_with(&format!("{uid}:"))))
            .collect();
        assert!(lost.is_empty(), "acknowledged before the backup began: {lost:#?}");
    }
    restored.assert_verified(None, "after the restore");

    // The other server counts transactions from a lower number: what comes now comes after all that came before.
    let mut heard = Listener::open(&reader, None).await;
    let after = Load::run(restored.dicom(), "AFTER", &Shape::mixed(1, 5));
    assert!(heard.wait_for("instance.stored").await["sequence"].is_i64());
    after.ledger.check(&reader, "what was stored after the restore").await;
    restored.assert_verified(None, "when it had stored again");
}

/// The same by `deploy/backup-distributed.sh`, from below one prefix of a bucket to below another one of another bucket.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_script_brings_back_what_it_saved_of_a_database_and_a_bucket() {
    let mut nodes = Nodes::start(1, &[(PREFIX, "site/a")]).await;
    nodes.node(0).add_user("reader", "viewer");
    let before = Load::run(nodes.node(0).dicom(), "BEFORE", &Shape::mixed(2, 10));
    let url = nodes.node(0).setting("MAXRAY_DATABASE__URL").expect("a URL").to_owned();
    let place = tempfile::tempdir().expect("a folder");
    let backup = place.path().join("backup");
    let folder = backup.display().to_string();
    let from_a = ["--prefix", "site/a", folder.as_str()];

    let (fine, text) = said(distributed(&url, nodes.bucket()).arg("objects").args(from_a));
    assert!(!fine && text.contains("the database comes first"), "{text}");
    let (fine, text) = said(distributed(&url, nodes.bucket()).args(["backup", &folder]));
    assert!(!fine && text.contains("is --prefix what"), "the keys are not where it looked: {text}");
    assert!(!backup.exists(), "what broke off is no backup");

    let mut during = Load::start(nodes.node(0).dicom(), "DURING", &Shape::mixed(2, 150));
    during.until_acknowledged(20).await;
    let acknowledged = during.ledger.entries();
    let (fine, text) = said(distributed(&url, nodes.bucket()).arg("backup").args(from_a));
    assert!(fine, "{text}");
    assert!(during.ledger.len() > acknowledged.len(), "nothing was stored during the backup: {text}");
    during.wait();
    let (fine, text) = said(distributed(&url, nodes.bucket()).arg("backup").args(from_a));
    assert!(!fine && text.contains("is there already"), "{text}");

    let url = nodes.cluster_mut().create_database("restored");
    let bucket = S3Server::start().await;
    let mut restored = Platform::prepare(nodes.options_over(&url, &bucket).with(PREFIX, "site/b"));
    let to_b = ["--prefix", "site/b", folder.as_str()];
    let settings = restored.command(&["verify"]);
    let settings = settings.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let settings = settings.filter(|(name, _)| name.to_string_lossy().starts_with("MAXRAY_"));
    let (fine, text) = said(distributed(&url, &bucket).envs(settings).arg("restore").args(to_b));
    assert!(fine && text.contains("indexed"), "{text}");
    assert!(bucket.names().iter().all(|name| name.starts_with("site/b/")), "{:?}", bucket.names());
    let (fine, text) = said(distributed(&url, &bucket).arg("restore").args(to_b));
    assert!(!fine && text.contains("is not empty"), "{text}");

    restored.restart().await;
    let reader = restored.sign_in("reader", PASSWORD).await;
    before.ledger.check(&reader, "what was stored before the backup").await;
    let lost = during.ledger.differences(&reader).await;
    let was_acknowledged =
        |text: &&String| acknowledged.keys().any(|uid| text.starts_with(&format!("{uid}:")));
    let lost: Vec<&String> = lost.iter().filter(was_acknowledged).collect();
    assert!(lost.is_empty(), "acknowledged before the backup began: {lost:#?}");
    restored.assert_verified(None, "after the restore");
}

#[tokio::test]
async fn a_backup_that_breaks_off_is_none() {
    let place = tempfile::tempdir().expect("a folder");
    let (data, backup) = (place.path().join("data"), place.path().join("backup"));
    fs::create_dir_all(data.join("objects")).expect("a folder");
    let (fine, text) = back_up(&data, &backup);
    assert!(!fine && text.contains("maxray.sqlite"), "{text}");
    fs::write(data.join("maxray.sqlite"), "this is no database").expect("a file");
    let (fine, text) = back_up(&data, &backup);
    assert!(!fine && !backup.exists(), "{text}");
}

#[test]
fn a_slash_at_the_end_of_the_destination_changes_nothing() {
    let place = tempfile::tempdir().expect("a folder");
    let (data, backup) = (place.path().join("data"), place.path().join("backup"));
    for folder in ["objects", "keys"] {
        fs::create_dir_all(data.join(folder)).expect("a folder");
    }
    let database = data.join("maxray.sqlite");
    let made = Command::new("sqlite3").arg(&database).arg("CREATE TABLE empty (id)").status();
    assert!(made.expect("sqlite3: run ./test, or: apt-get install sqlite3").success());
    let (fine, text) = back_up(&data.join(""), &backup.join(""));
    assert!(fine, "{text}");
    assert!(backup.join("maxray.sqlite").exists() && !backup.join(".unfinished").exists(), "{text}");
    let left = fs::read_dir(place.path()).expect("the folder").count();
    assert_eq!(left, 2, "data and backup, and nothing beside them");
    let (fine, text) = back_up(&data, &backup.join(""));
    assert!(!fine && text.contains("is there already"), "{text}");
}
