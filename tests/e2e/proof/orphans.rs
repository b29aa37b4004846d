//! Objects that a crash left without a row are removed, after the grace and not before; many at once stay, because
//! they mean that an older database was put back. (threats.md K9 to K11, K36, K37)

use std::{
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use tests::{
    platform::{Options, Platform},
    synthetic::Synthetic,
    wait,
};

use super::send;

const TIMEOUT: Duration = Duration::from_secs(20);
/// A few looks at the store.
const SOME_SWEEPS: Duration = Duration::from_secs(4);

async fn platform() -> Platform {
    let options = Options::default()
        .with("MAXRAY_WORKER__PREVIEWS", "false")
        .with("MAXRAY_WORKER__ORPHAN_INTERVAL_SECONDS", "1")
        .with("MAXRAY_WORKER__ORPHANS_MAX", "3");
    let mut platform = Platform::start(options).await;
    send(&platform, &Synthetic::cr("KEPT", 64, 64).series(5));
    platform.kill();
    platform
}

/// As a kill between the name and the commit leaves it, long ago.
fn orphan(platform: &Platform, number: u8, age: Duration) -> PathBuf {
    let known = platform.stored_objects().pop().expect("an object");
    let object = platform.object_path(&format!("01890000-0000-7000-8000-0000000000{number:02x}"));
    platform.copy_object(&known, &object);
    platform.age_object(&object, age);
    object
}

#[tokio::test]
async fn orphans_are_removed_after_the_grace() {
    let mut platform = platform().await;
    // Rows keep their objects, however old these are.
    let kept = platform.stored_objects();
    for object in &kept {
        platform.age_object(object, Duration::from_hours(1000));
    }
    let old = orphan(&platform, 1, Duration::from_hours(25));
    let young = orphan(&platform, 2, Duration::from_hours(23));
    platform.restart().await;
    let began = Instant::now();
    while platform.has_object(&old) {
        assert!(began.elapsed() < TIMEOUT, "the orphan stays:\n{}", platform.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(SOME_SWEEPS).await;
    assert!(platform.has_object(&young), "an object that may be about to get its row was removed");
    for object in &kept {
        assert!(platform.has_object(object), "{} has a row and was removed", object.display());
    }
    platform.assert_verified(None, "after the removal");

    // More at once than a crash leaves: an older database was put back. Nothing looks before all of them are there.
    platform.kill();
    let many: Vec<PathBuf> =
        (3..9).map(|number| orphan(&platform, number, Duration::from_hours(100))).collect();
    platform.restart().await;
    // The first of two looks has ended.
    wait::until("looks at the store that are refused", async || {
        let refused = platform.metric("maxray_orphan_sweeps_refused_total").await;
        (refused > 1.5).then_some(())
    })
    .await;
    let told = platform.log().contains("was an older database put back");
    assert!(told, "nothing is said about many orphans:\n{}", platform.log());
    assert!(
        many.iter().all(|object| platform.has_object(object)),
        "objects of a newer database were removed"
    );
}

/// What a change of keys replaced is no orphan, however much and however old it is: it stays for who reads it, and goes at its time.
#[tokio::test]
async fn what_was_replaced_is_no_orphan() {
    let mut platform = platform().await;
    let grace = Duration::from_secs(10);
    platform.set("MAXRAY_KEYS__ROTATION_GRACE_MS", &grace.as_millis().to_string());
    platform.set("MAXRAY_WORKER__POLL_INTERVAL_MS", "100");
    let replaced = platform.stored_objects();
    for object in &replaced {
        platform.age_object(object, Duration::from_hours(1000));
    }
    platform.restart().await;
    let mut command = platform.command(&["key", "rotate", "--all-patients"]);
    let mut rotation = command.stdout(Stdio::null()).spawn().expect("maxray starts");
    wait::until("everything is sealed anew", async || {
        (platform.stored_objects().len() == 2 * replaced.len()).then_some(())
    })
    .await;
    let sealed = Instant::now();
    tokio::time::sleep(SOME_SWEEPS).await;
    let kept = replaced.iter().filter(|object| platform.has_object(object)).count();
    assert!(sealed.elapsed() >= grace || kept == replaced.len(), "{kept} are left within the grace");
    let found = platform.verify(&[]);
    assert_eq!(found.violations("I3"), 0, "{:#}", found.report);
    assert!(!platform.log().contains("was an older database put back"), "{}", platform.log());
    let ended = tokio::task::spawn_blocking(move || rotation.wait()).await.expect("a thread");
    assert!(ended.expect("a child").success());
    assert!(!replaced.iter().any(|object| platform.has_object(object)), "they stay");
    platform.assert_verified(None, "after the rotation");
}

/// threats.md K36, K37: killed while orphans are looked for and removed.
#[tokio::test]
async fn killed_while_orphans_are_removed() {
    let mut platform = platform().await;
    for (round, point) in ["K36OrphansListed", "K37OrphanRemoved"].into_iter().enumerate() {
        let numbers = [2 * round as u8 + 1, 2 * round as u8 + 2];
        let orphans = numbers.map(|number| orphan(&platform, number, Duration::from_hours(25)));
        platform.restart_armed(&format!("{point}:kill:1")).await;
        platform.await_death(TIMEOUT, point).await;
        platform.restart().await;
        let began = Instant::now();
        while orphans.iter().any(|object| platform.has_object(object)) {
            assert!(began.elapsed() < TIMEOUT, "{point}: orphans stay:\n{}", platform.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        platform.assert_verified(None, point);
        platform.kill();
    }
}
