//! The drill of docs/operations.md: a backup beside a server that stores, restored to an empty place.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tests::{
    load::{Load, Shape},
    nodes::Nodes,
    platform::{Options, Platform},
    session::PASSWORD,
    wait,
};

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the workspace")
        .join("deploy/backup.sh")
}

fn back_up(data: &Path, destination: &Path) -> (bool, String) {
    let output = Command::new(script()).arg(data).arg(destination).output().expect("sh runs");
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Puts a backup, and the root key from where it is kept, into the empty data directory of a new server.
fn restore(backup: &Path, root_key: &Path, platform: &Platform) {
    let data = platform.data_directory();
    let copied = Command::new("cp").arg("-a").arg(backup).arg(&data).status().expect("cp runs");
    assert!(copied.success());
    fs::copy(root_key, data.join("root.key")).expect("the root key is put back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_beside_a_storing_server_is_whole() {
    let site = Platform::start(Options::default()).await;
    site.add_user("reader", "viewer");
    let before = Load::run(site.dicom(), "BEFORE", &Shape::mixed(2, 10));
    assert_eq!(before.ledger.len(), 20);

    let mut during = Load::start(site.dicom(), "DURING", &Shape::mixed(2, 150));
    while during.ledger.len() < 20 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let place = tempfile::tempdir().expect("a folder");
    let backup = place.path().join("backup");
    let acknowledged = during.ledger.entries();
    let (fine, text) = back_up(&site.data_directory(), &backup);
    assert!(fine, "{text}");
    assert!(during.ledger.len() > acknowledged.len(), "nothing was stored during the backup: {text}");
    assert!(!backup.join("root.key").exists(), "who has the backup alone reads nothing");
    assert!(!back_up(&site.data_directory(), &backup).0, "a backup is never written over");
    during.wait();

    let mut elsewhere = Platform::prepare(Options::default());
    restore(&backup, &site.data_directory().join("root.key"), &elsewhere);
    elsewhere.restart().await;
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

    // Objects that came into the copy after the snapshot: the index made again has them as well.
    let missing = during.ledger.differences(&reader).await.len();
    elsewhere.stop().await;
    let again = elsewhere.command(&["reindex", "--replace-index"]).output().expect("maxray runs");
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    elsewhere.restart().await;
    let reader = elsewhere.sign_in("reader", PASSWORD).await;
    before.ledger.check(&reader, "after the index was made again").await;
    assert!(during.ledger.differences(&reader).await.len() <= missing, "nothing is lost by it");
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
