//! Objects that a crash left without a row are removed, after the grace and not before; many at once stay, because
//! they mean that an older database was put back. (threats.md K9 to K11, K36, K37)

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use tests::{
    platform::{Options, Platform},
    synthetic::Synthetic,
};

use super::{objects, send};

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
    let known = objects(platform).pop().expect("an object");
    let path = known.with_file_name(format!("01890000-0000-7000-8000-0000000000{number:02x}"));
    let shard = platform.data_directory().join(format!("objects/{number:02x}"));
    let path = shard.join(path.file_name().expect("a name"));
    fs::copy(known, &path).expect("a copy");
    age_to(&path, age);
    path
}

fn age_to(path: &Path, age: Duration) {
    let file = fs::File::options().write(true).open(path).expect("an object");
    file.set_modified(SystemTime::now() - age).expect("a time");
}

#[tokio::test]
async fn orphans_are_removed_after_the_grace() {
    let mut platform = platform().await;
    // Rows keep their objects, however old these are.
    for path in objects(&platform) {
        age_to(&path, Duration::from_hours(1000));
    }
    let kept = objects(&platform);
    let old = orphan(&platform, 1, Duration::from_hours(25));
    let young = orphan(&platform, 2, Duration::from_hours(23));
    platform.restart().await;
    let began = Instant::now();
    while old.exists() {
        assert!(began.elapsed() < TIMEOUT, "the orphan stays:\n{}", platform.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(SOME_SWEEPS).await;
    assert!(young.exists(), "an object that may be about to get its row was removed");
    for path in &kept {
        assert!(path.exists(), "{} has a row and was removed", path.display());
    }
    platform.assert_verified(None, "after the removal");

    // More at once than a crash leaves: an older database was put back. Nothing looks before all of them are there.
    platform.kill();
    let many: Vec<PathBuf> =
        (3..9).map(|number| orphan(&platform, number, Duration::from_hours(100))).collect();
    platform.restart().await;
    let began = Instant::now();
    while !platform.log().contains("was an older database put back") {
        assert!(began.elapsed() < TIMEOUT, "nothing is said about many orphans:\n{}", platform.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(SOME_SWEEPS).await;
    assert!(many.iter().all(|path| path.exists()), "objects of a newer database were removed");
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
        while orphans.iter().any(|path| path.exists()) {
            assert!(began.elapsed() < TIMEOUT, "{point}: orphans stay:\n{}", platform.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        platform.assert_verified(None, point);
        platform.kill();
    }
}
