//! What a thief finds on the disk.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tests::{
    digest::sha256_hex,
    home,
    ledger::Ledger,
    platform::{Options, Platform},
    synthetic::Synthetic,
};

use super::{fail, open_all, send, wait_for_objects};

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() { files.extend(files_below(&entry)) } else { files.push(entry) }
    }
    files
}

fn contains(content: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(content, part).is_some()
}

/// Rows 53 and 57, invariant I12: names only in the database files that docs/object-format.md lists, pixels nowhere.
#[tokio::test]
async fn neither_name_nor_pixels_lie_readable_on_the_disk() {
    let mut platform = Platform::start(Options::default()).await;
    let viewer = platform.user("viewer", "viewer").await;
    let ledger = Ledger::default();
    let first = Synthetic {
        patient_id: "QQ-4711-XYZ".to_owned(),
        patient_name: "Zyxwvut^Quibblefrost".to_owned(),
        ..Synthetic::cr("x", 300, 300)
    };
    let instances = first.series(3);
    send(&platform, &ledger, &instances);
    wait_for_objects(&platform, 9).await;
    let thumbnail = viewer.get_as(&format!("{}/thumbnail", super::instance_path(&first)), "image/jpeg").await;
    assert_eq!(thumbnail.status(), 200);
    let picture = thumbnail.bytes().await.expect("a picture");
    ledger.check(&viewer, "while all is well").await;
    let metrics = platform.metrics().await;

    // While it runs: database log and spool as they are.
    let mut pixels: Vec<Vec<u8>> = Vec::new();
    for instance in &instances {
        let data_set = instance.data_set();
        pixels.extend(
            [0, 7_777, 90_000, 179_000].map(|back| data_set[data_set.len() - 64 - back..][..64].to_vec()),
        );
    }
    pixels.push(picture[picture.len() / 2..][..64].to_vec());
    let names: [&[u8]; 4] = [b"Zyxwvut", b"Quibblefrost", b"QQ-4711-XYZ", b"zyxwvut"];
    let mut in_database = false;
    let on_the_disk = files_below(&platform.data_directory());
    let on_the_disk = on_the_disk.into_iter().map(|file| (fs::read(&file).expect("a file"), file));
    // In the other home the disk has nothing but what is on its way: what a thief finds is in the bucket.
    let elsewhere = if home::is_distributed() { platform.stored_objects() } else { Vec::new() };
    let elsewhere = elsewhere.into_iter().map(|object| (platform.read_object(&object), object));
    for (content, file) in on_the_disk.chain(elsewhere) {
        let of_database =
            file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("maxray.sqlite"));
        for name in names {
            let found = contains(&content, name);
            in_database |= found;
            assert!(of_database || !found, "{} holds {:?}", file.display(), String::from_utf8_lossy(name));
        }
        for part in &pixels {
            assert!(!contains(&content, part), "{} holds pixels", file.display());
        }
    }
    assert!(in_database || !platform.is_on_sqlite(), "the search finds what is there");
    for sink in [metrics.as_bytes(), platform.log().as_bytes()] {
        assert!(names.iter().all(|name| !contains(sink, name)));
    }

    // Another program with the root key finds everything, and the same.
    platform.stop().await;
    let opened = open_all(&platform.storage_folder());
    let kinds = |kind: &str| opened.iter().filter(|object| object["kind"] == kind).count();
    assert_eq!((kinds("instance"), kinds("picture"), opened.len()), (3, 6, 9), "{opened:?}");
    let digest = sha256_hex(&picture);
    assert!(opened.iter().any(|object| object["sha256"] == digest.as_str()), "the thumbnail is among them");
}

/// A start with the wrong key, or none, changes nothing and says what to do.
#[tokio::test]
async fn without_the_root_key_there_is_no_start() {
    let mut platform = Platform::start(Options::default()).await;
    let ledger = Ledger::default();
    send(&platform, &ledger, &[Synthetic::cr("KEY-1", 32, 32)]);
    platform.stop().await;
    let file = platform.data_directory().join("root.key");
    let right = fs::read(&file).expect("the key");
    fs::remove_file(&file).expect("removed");
    let reason = fail(&platform, &["serve"]);
    assert!(reason.contains("root.key is missing") && reason.contains("MAXRAY_KEYS__ROOT"), "{reason}");
    assert!(!file.exists(), "no new key over existing data");

    let other = platform.command(&["serve"]).env("MAXRAY_KEYS__ROOT", "A".repeat(43) + "=").output();
    let reason = String::from_utf8_lossy(&other.expect("maxray starts").stderr).into_owned();
    assert!(reason.contains("neither keys.root"), "{reason}");

    fs::write(&file, &right).expect("the key is back");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("chmod");
    assert!(fail(&platform, &["serve"]).contains("chmod 600"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("chmod");
    platform.restart().await;
    let viewer = platform.user("viewer", "viewer").await;
    ledger.check(&viewer, "with the key back").await;

    // The key may come another way, and nobody sees it.
    platform.stop().await;
    fs::remove_file(&file).expect("removed");
    let key = String::from_utf8(right).expect("base64").trim().to_owned();
    let shown = platform.command(&["config", "check"]).env("MAXRAY_KEYS__ROOT", &key).output().expect("runs");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("root = \"***\"") && !shown.contains(&key), "{shown}");
    let status = platform.command(&["key", "status"]).env("MAXRAY_KEYS__ROOT", &key).output().expect("runs");
    assert!(status.status.success() && String::from_utf8_lossy(&status.stdout).contains("the settings"));
}
