//! A step of the way in fails with an error of the system: nothing is acknowledged that is not stored, the server
//! lives, and the next instance is taken. (threats.md row 59, error-return variant of K3 to K17)

use fail_point::Point;
use tests::{
    load::{Load, Shape},
    platform::{Engine, Options, Platform},
    session::PASSWORD,
};

use super::kill_points::assert_spool_is_empty;

const SHAPES: &[Shape] = &[Shape { side: 64, instances: 6 }, Shape { side: 800, instances: 2 }];
/// EIO and ENOSPC.
const ERRORS: &[(i32, &str)] = &[(5, "EIO"), (28, "ENOSPC")];

/// Steps of the object: their failure is final for that object (an fsync is never tried twice).
const OBJECT_STEPS: &[Point] = &[
    Point::K3PartCreated,
    Point::K5LastByteWritten,
    Point::K6BeforeFileSync,
    Point::K7FileSynced,
    Point::K9BeforeRename,
    Point::K10Renamed,
    Point::K11ShardSynced,
];
/// Steps of the transaction: it is run again as a whole.
const TRANSACTION_STEPS: &[Point] = &[
    Point::K12TransactionBegun,
    Point::K13InstanceWritten,
    Point::K14StudyWritten,
    Point::K15EventWritten,
    Point::K16AuditWritten,
    Point::K17BeforeCommit,
];

#[tokio::test]
async fn a_failed_step_of_an_object_is_never_acknowledged() {
    let mut platform = prepare(Engine::Sqlite).await;
    for point in OBJECT_STEPS {
        for (number, error) in ERRORS {
            let when = format!("{error} at {} ({})", point.name(), point.means());
            let load = run_until_refused(&mut platform, *point, *number, &when).await;
            let refused = load.refused();
            assert_eq!(refused.len(), 1, "{when}: {refused:?}");
            let expected = if *error == "ENOSPC" { 0xA700 } else { 0x0110 };
            assert_eq!(refused[0].1, expected, "{when}");
            assert_spool_is_empty(&platform);
            finish(&mut platform, &load, &when).await;
        }
    }
}

/// Probes of the store and ready-made keys come to the same points at the start, a few more or less each time: the
/// next passage is tried until an instance meets the failure.
async fn run_until_refused(platform: &mut Platform, point: Point, number: i32, when: &str) -> Load {
    for passage in 4..=8 {
        let load = run(platform, &format!("{}:error={number}:{passage}", point.name()), when).await;
        if !load.refused().is_empty() {
            return load;
        }
        finish(platform, &load, when).await;
    }
    panic!("{when}: no instance came to it");
}

#[tokio::test]
async fn a_failed_step_of_a_transaction_is_run_again_on_sqlite() {
    transaction_steps(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_failed_step_of_a_transaction_is_run_again_on_postgres() {
    transaction_steps(Engine::Postgres).await;
}

async fn transaction_steps(engine: Engine) {
    let mut platform = prepare(engine).await;
    for point in TRANSACTION_STEPS {
        let when = format!("error at {} ({})", point.name(), point.means());
        // The start and the associations are committed as well.
        let time = if *point >= Point::K16AuditWritten { 9 } else { 3 };
        let load = run(&mut platform, &format!("{}:error=104:{time}", point.name()), &when).await;
        assert_eq!(load.refused(), [], "{when}: the transaction was not run again");
        finish(&mut platform, &load, &when).await;
    }
}

async fn prepare(engine: Engine) -> Platform {
    let platform = Platform::start(Options { fsync: true, ..Options::on(engine) }).await;
    platform.add_user("reader", "viewer");
    platform
}

async fn run(platform: &mut Platform, fail_point: &str, when: &str) -> Load {
    platform.kill();
    platform.restart_armed(fail_point).await;
    let peer = platform.dicom_if_alive().unwrap_or_else(|| panic!("{when}: the server died"));
    let load = Load::run(peer, when, SHAPES);
    assert!(platform.log().contains(&format!("fail point {}", fail_point.split(':').next().unwrap_or(""))));
    assert!(platform.is_alive(), "{when}: the server died");
    load
}

/// The same server, still running, takes everything.
async fn finish(platform: &mut Platform, load: &Load, when: &str) {
    let reader = platform.sign_in("reader", PASSWORD).await;
    load.check_and_send_again(&reader, platform.dicom(), when).await;
}
