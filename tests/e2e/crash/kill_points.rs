//! kill -9 at each fail point while instances come in. A point at which the program does not die fails the test, so
//! no mark can be lost or become unreachable.

use std::time::Duration;

use fail_point::Point;
use tests::{
    home,
    load::{Load, Shape},
    platform::{Engine, Options, Platform},
    session::{PASSWORD, Session},
};

/// Two small objects at once, and two that are longer than a buffer of the directory store.
const SHAPES: &[Shape] = &[
    Shape { side: 64, instances: 10 },
    Shape { side: 800, instances: 2 },
    Shape { side: 64, instances: 10 },
    Shape { side: 800, instances: 2 },
];
/// How long the program may take to come to a point.
const DEATH_TIMEOUT: Duration = Duration::from_secs(30);

/// Which time the program comes there is deadly. More than the first where something has to be under way.
fn deadly_times(point: Point) -> &'static [u64] {
    match point {
        // At the beginning, in the middle and near the end of what the senders send.
        Point::K4Streaming => &[1, 20, 50],
        Point::K3PartCreated
        | Point::K5LastByteWritten
        | Point::K6BeforeFileSync
        | Point::K7FileSynced
        | Point::K9BeforeRename
        | Point::K10Renamed
        | Point::K11ShardSynced
        | Point::K20AnswerHalfWritten
        | Point::K21Answered => &[5],
        Point::K12TransactionBegun
        | Point::K13InstanceWritten
        | Point::K14StudyWritten
        | Point::K15EventWritten
        | Point::K19Committed => &[3],
        // The start, sign-ins and associations are committed, too.
        Point::K16AuditWritten | Point::K17BeforeCommit => &[10],
        Point::K2Associated | Point::K33PreviewHalfWritten => &[2],
        _ => &[1],
    }
}

/// Where a test of its own brings the program.
fn has_its_own_test(point: Point) -> bool {
    let with_a_bucket = Point::K22UploadBegun..=Point::K26LengthCompared;
    // Erasures, orphans, keys, checkpoints, the first start and the stop.
    let with_work_of_its_own = Point::K34RowsErased..=Point::K44Draining;
    with_a_bucket.contains(&point) || with_work_of_its_own.contains(&point)
}

#[tokio::test]
async fn each_kill_point_on_sqlite() {
    each_kill_point(Engine::Sqlite, |point| !has_its_own_test(point)).await;
}

/// What happens before the database is asked is the same on both engines.
#[tokio::test]
async fn each_kill_point_of_the_database_on_postgres() {
    // A bucket has no shards to sync.
    let first = if home::is_distributed() { Point::K12TransactionBegun } else { Point::K11ShardSynced };
    let of_the_database = |point| (first..=Point::K19Committed).contains(&point);
    each_kill_point(Engine::Postgres, |point| of_the_database(point) || point == Point::K32Marked).await;
}

async fn each_kill_point(engine: Engine, chosen: impl Fn(Point) -> bool) {
    let mut platform = Platform::start(Options { fsync: true, ..Options::on(engine) }).await;
    platform.add_user("reader", "viewer");
    let mut loads = Vec::new();
    for point in Point::ALL.iter().copied().filter(|point| chosen(*point)) {
        for time in deadly_times(point) {
            let when = format!("killed at {} ({}), time {time}", point.name(), point.means());
            platform.kill();
            platform.restart_armed(&format!("{}:kill:{time}", point.name())).await;
            let mut load = match platform.dicom_if_alive() {
                Some(peer) => Load::start(peer, &format!("{}-{time}", point.name()), SHAPES),
                None => Load::default(),
            };
            platform.await_death(DEATH_TIMEOUT, &when).await;
            load.wait();
            platform.restart().await;
            let reader = sign_in(&platform).await;
            load.check_and_send_again(&reader, platform.dicom(), &when).await;
            loads.push((load, when));
        }
    }
    platform.assert_verified(None, "after all kill points");
    // What one death left whole, the next ones must not have broken.
    let reader = sign_in(&platform).await;
    for (load, when) in loads {
        load.ledger.check(&reader, &format!("{when}, at the end")).await;
    }
    assert_spool_is_empty(&platform);
}

/// threats.md K41: the schema is half made at the first start.
#[tokio::test]
async fn killed_between_two_migrations() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut platform = Platform::prepare(Options { fsync: true, ..Options::on(engine) });
        for _start in 0..2 {
            platform.restart_armed(&format!("{}:kill:1", Point::K41Migrated.name())).await;
            platform.await_death(DEATH_TIMEOUT, "killed between two migrations").await;
        }
        platform.restart().await;
        platform.add_user("reader", "viewer");
        let reader = sign_in(&platform).await;
        let load = Load::run(platform.dicom(), "K41", SHAPES);
        assert!(load.refused().is_empty(), "{:?}", load.refused());
        load.check_and_send_again(&reader, platform.dicom(), "after starts that died between two migrations")
            .await;
    }
}

/// threats.md K44: the server is stopping while associations are open.
#[tokio::test]
async fn killed_while_associations_drain() {
    let mut platform = Platform::start(Options { fsync: true, ..Options::default() }).await;
    platform.add_user("reader", "viewer");
    platform.kill();
    platform.restart_armed(&format!("{}:kill:1", Point::K44Draining.name())).await;
    let shape = Shape { side: 64, instances: 2_000 };
    let mut load = Load::start(platform.dicom(), "K44", &[shape; 8]);
    while load.ledger.len() < 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    platform.terminate();
    platform.await_death(DEATH_TIMEOUT, "killed while associations drain").await;
    load.wait();
    platform.restart().await;
    let reader = sign_in(&platform).await;
    load.check_and_send_again(&reader, platform.dicom(), "killed while associations drain").await;
}

async fn sign_in(platform: &Platform) -> Session {
    platform.sign_in("reader", PASSWORD).await
}

/// Nothing stays in the spool. A preview may pass through it at this moment.
pub fn assert_spool_is_empty(platform: &Platform) {
    // Objects for a bucket never lie in it.
    assert!(home::is_distributed() || platform.data_directory().join("spool").exists(), "a spool");
    let deadline = std::time::Instant::now() + DEATH_TIMEOUT;
    while !platform.spool().is_empty() {
        assert!(std::time::Instant::now() < deadline, "parts are left in the spool: {:?}", platform.spool());
        std::thread::sleep(Duration::from_millis(50));
    }
}
