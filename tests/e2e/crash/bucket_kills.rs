//! kill -9 while objects travel to a bucket (threats.md K22 to K26), and `maxray verify` and `reindex` over a bucket.

use std::time::Duration;

use fail_point::Point;
use tests::{
    load::{Load, Shape},
    platform::{Options, Platform},
    s3::S3Server,
    session::PASSWORD,
};

/// One PUT, and one that takes two parts.
const SHAPES: &[Shape] = &[Shape { side: 64, instances: 4 }, Shape { side: 2300, instances: 2 }];
const DEATH_TIMEOUT: Duration = Duration::from_mins(1);
const POINTS: &[Point] = &[
    Point::K22UploadBegun,
    Point::K23PartUploaded,
    Point::K24PartsUploaded,
    Point::K25UploadCompleted,
    Point::K26LengthCompared,
];

/// The probes at the start and of `/readyz` are objects as well; their uploads have no parts.
fn deadly_time(point: Point) -> u64 {
    if point >= Point::K25UploadCompleted { 4 } else { 1 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kill_point_of_a_bucket() {
    let bucket = S3Server::start().await;
    let options = bucket.options(Options::default().with("MAXRAY_WORKER__PREVIEWS", "false"));
    let mut platform = Platform::start(options).await;
    platform.add_user("reader", "viewer");
    for point in POINTS {
        let when = format!("killed at {} ({})", point.name(), point.means());
        platform.kill();
        platform.restart_armed(&format!("{}:kill:{}", point.name(), deadly_time(*point))).await;
        let peer = platform.dicom_if_alive().unwrap_or_else(|| panic!("{when}: died too early"));
        let mut load = Load::start(peer, point.name(), SHAPES);
        platform.await_death(DEATH_TIMEOUT, &when).await;
        load.wait();
        platform.restart().await;
        let reader = platform.sign_in("reader", PASSWORD).await;
        load.check_and_send_again(&reader, platform.dicom(), &when).await;
    }
    platform.assert_verified(None, "after all kill points of a bucket");
    // What the deaths left is there, is harmless, and is named when nothing is said to be young.
    assert!(bucket.open_uploads() > 0, "a kill between two parts leaves an upload");
    let found = platform.verify(&["--orphan-grace-seconds", "0"]);
    assert_eq!(found.code, Some(2), "{:#}", found.report);
    assert!(found.violations("I3") > 0, "a kill before the commit leaves an object: {:#}", found.report);
}
