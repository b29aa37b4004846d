//! threats.md row 58: the disk is full. New instances are refused before the reserve is touched, what is stored can be
//! read, and the server takes instances again by itself when there is room.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use tests::{
    home,
    load::{Load, Shape},
    platform::{Options, Platform},
    session::{PASSWORD, Session},
    wait,
};

/// The size of the disk, and the reserve of it.
const DISK_BYTES: u64 = 64 << 20;
const RESERVE_BYTES: u64 = 24 << 20;
/// Out of resources (PS3.4 B.2.3).
const OUT_OF_RESOURCES: u16 = 0xA700;
/// Longest wait after there is room.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_full_disk_is_refused_and_recovers_by_itself() {
    if home::embedded_only("the disk that fills is the one with the directory and SQLite") {
        return;
    }
    let options = Options::default()
        .with("MAXRAY_OBJECT_STORAGE__RESERVE_BYTES", &RESERVE_BYTES.to_string())
        .with("MAXRAY_OBJECT_STORAGE__RESERVE_PERCENT_MAX", "100")
        .with("MAXRAY_WORKER__PREVIEWS", "false");
    let mut platform = Platform::prepare(options);
    platform.restart_on_disk_of(DISK_BYTES).await;
    platform.add_user_inside("reader", "viewer");
    let reader = platform.sign_in("reader", PASSWORD).await;

    let load = Load::run(platform.dicom(), "FULL", &[Shape { side: 1200, instances: 12 }; 2]);
    let refused = load.refused();
    assert!(!load.ledger.is_empty() && !refused.is_empty(), "the disk did not fill: {refused:?}");
    assert!(refused.iter().all(|(_, status)| *status == OUT_OF_RESOURCES), "{refused:?}");
    load.ledger.check(&reader, "with the reserve left").await;

    // Somebody else eats the reserve as well: not even the database can write now.
    let filler = inside(&platform).join("filler");
    fill(&filler);
    let full = Load::run(platform.dicom(), "FULLER", &[Shape { side: 64, instances: 4 }]);
    assert!(full.ledger.is_empty(), "acknowledged on a disk without a free byte");
    assert!(platform.is_alive(), "a full disk ended the server");
    told(&platform).await;
    // Room again, and enough above the reserve.
    fs::remove_file(&filler).expect("the filler goes");
    let spared = load.ledger.len();
    make_room(&platform);
    await_recovery(&platform, &reader).await;
    load.ledger.check(&reader, "after the disk was full").await;
    assert_eq!(load.ledger.len(), spared);
}

/// Who looks at `/metrics` sees that it is full.
async fn told(platform: &Platform) {
    wait::until("/readyz says so", async || {
        let answer = platform.client().get(platform.url("/readyz")).send().await.expect("an answer");
        (answer.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    let metrics = platform.metrics().await;
    assert!(metrics.contains("maxray_ready 0"), "{metrics}");
    let reserve = platform.metric("maxray_disk_reserve_bytes{of=\"objects\"}").await;
    let free = platform.metric("maxray_disk_free_bytes{of=\"objects\"}").await;
    assert!(free < reserve && reserve as u64 == RESERVE_BYTES, "{free} of {reserve}");
}

/// The data directory as the server sees it.
fn inside(platform: &Platform) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", platform.pid()));
    root.join(platform.data_directory().strip_prefix("/").expect("an absolute path"))
}

fn fill(path: &std::path::Path) {
    use std::io::Write as _;
    let mut file = fs::File::create(path).expect("a file on the small disk");
    for length in [1 << 20, 4096, 1] {
        while file.write_all(&vec![b'x'; length]).is_ok() {}
    }
}

/// The disk grows, as disks of virtual machines do.
fn make_room(platform: &Platform) {
    platform.resize_disk(2 * DISK_BYTES);
}

async fn await_recovery(platform: &Platform, reader: &Session) {
    let began = Instant::now();
    loop {
        let load = Load::run(platform.dicom(), "AFTER", &[Shape { side: 64, instances: 1 }]);
        if !load.ledger.is_empty() {
            eprintln!("took an instance {} ms after there was room", began.elapsed().as_millis());
            load.check_and_send_again(reader, platform.dicom(), "after there was room").await;
            return;
        }
        assert!(began.elapsed() < RECOVERY_TIMEOUT, "no instance is taken: {:?}", load.refused());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
