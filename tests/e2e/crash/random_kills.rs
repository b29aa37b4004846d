//! kill -9 at random while instances come in: after the restart every acknowledged one is there and whole.

use std::time::Duration;

use tests::{
    env,
    ledger::Ledger,
    load::{Load, Shape},
    platform::{Engine, Options, Platform},
    qido,
    random::Random,
    session::{PASSWORD, Session},
};

/// Associations at the same time, and what each would send if nobody killed the server.
const SENDERS: usize = 4;
const INSTANCES_EACH: usize = 125;
/// Latest kill after the first acknowledgement, in milliseconds.
const KILL_MS_MAX: usize = 1500;
/// Rounds in a normal run; `MAXRAY_TEST_CRASH_ROUNDS` asks for more.
const ROUNDS: u64 = 5;

#[tokio::test]
async fn crash_on_sqlite_loses_nothing() {
    crash(Engine::Sqlite).await;
}

#[tokio::test]
async fn crash_on_postgres_loses_nothing() {
    crash(Engine::Postgres).await;
}

async fn crash(engine: Engine) {
    let mut random = Random::from_environment("crash");
    let mut platform = Platform::start(Options { fsync: true, ..Options::on(engine) }).await;
    platform.add_user("reader", "viewer");
    let rounds = env::number(env::CRASH_ROUNDS, ROUNDS);
    let path = platform.scratch().join("acknowledged.jsonl");
    let (mut loads, mut acknowledged) = (Vec::new(), 0);
    for round in 1..=rounds {
        let load = kill_under_load(&mut platform, round, &mut random).await;
        let reader = platform.sign_in("reader", PASSWORD).await;
        load.check(&reader, &format!("round {round}")).await;
        check_counts(&reader).await;
        acknowledged += load.ledger.len();
        load.ledger.append_to(&path);
        loads.push(load);
    }
    // What one kill left whole, the next ones must not have broken: by the operator's own command, every byte.
    platform.assert_verified(Some(&path), "after the last kill");
    assert!(acknowledged > rounds as usize, "almost nothing was acknowledged: the kill comes too early");
    assert_eq!(Ledger::count_in(&path), acknowledged, "the command was given every acknowledged instance");
}

/// One round: what was sent until the kill; the server runs again.
async fn kill_under_load(platform: &mut Platform, round: u64, random: &mut Random) -> Load {
    let kill_after = Duration::from_millis(random.below(KILL_MS_MAX) as u64);
    let shapes = Shape::mixed(SENDERS, INSTANCES_EACH);
    let mut load = Load::start(platform.dicom(), &format!("CRASH-{round}"), &shapes);
    while load.ledger.is_empty() && load.is_running() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(kill_after).await;
    platform.kill();
    load.wait();
    assert_eq!(load.refused(), [], "round {round}");
    platform.restart().await;
    eprintln!(
        "round {round}: {} acknowledged, killed after {} ms",
        load.ledger.len(),
        kill_after.as_millis()
    );
    load
}

async fn check_counts(reader: &Session) {
    let studies = qido::rows(reader, "/studies").await;
    let counted: usize = studies
        .iter()
        .map(|study| qido::text(study, qido::NUMBER_OF_STUDY_RELATED_INSTANCES).parse().unwrap_or(0))
        .sum();
    let rows = qido::rows(reader, "/instances").await.len();
    assert_eq!(counted, rows, "counts of studies and rows of instances");
}
