//! Power cuts while instances come in: the database, the objects and the keys lie on a disk that loses what was not
//! synced. After the restart every acknowledged instance is there and whole, and nothing is half visible.
//!
//! threats.md section 2, method 2. `MAXRAY_TEST_POWER_CUT_ROUNDS=100` makes a campaign of it.

mod start;

use std::time::{Duration, Instant};

use tests::{
    env,
    load::{Load, Shape},
    platform::{Engine, Options, Platform},
    power_cut::{Loss, Lost},
    random::Random,
    session::PASSWORD,
};

/// Cuts in a normal run.
const ROUNDS: u64 = 4;
/// A long campaign begins anew on an empty disk after this many, or it would mostly read old instances.
const ROUNDS_OF_ONE_DISK: u64 = 20;
/// Associations at the same time, and what each would send if nobody cut the power.
const SENDERS: usize = 4;
const INSTANCES_EACH: usize = 200;
/// The cut comes after up to this many acknowledgements, so that a slow machine stores as much as a fast one.
const ACKNOWLEDGED_MAX: usize = 60;
/// Longest wait for them, and the random delay after the last one.
const LOAD_MAX: Duration = Duration::from_secs(10);
const DELAY_MS_MAX: usize = 50;

#[tokio::test]
async fn power_cuts_on_sqlite_lose_nothing() {
    campaign(Engine::Sqlite).await;
}

#[tokio::test]
async fn power_cuts_on_postgres_lose_nothing() {
    campaign(Engine::Postgres).await;
}

/// The tests above would see a forgotten sync: when one of the two calls does nothing and returns success, instances
/// that were acknowledged are lost.
#[tokio::test]
async fn a_server_whose_syncs_do_nothing_is_found_out() {
    for call in ["fsync", "fdatasync"] {
        let mut platform = Platform::prepare_on_disk(Options::on(Engine::Sqlite));
        platform.restart().await;
        platform.add_user("reader", "viewer");
        platform.stop().await;
        let (trace, nothing) = (format!("trace={call}"), format!("inject={call}:retval=0"));
        platform.restart_traced(&["-e", &trace, "-e", &nothing]).await;
        let load = Load::run(platform.dicom(), call, &Shape::mixed(SENDERS, 5));
        assert!(!load.ledger.is_empty(), "without {call} the server stores as ever");
        platform.cut_power(Loss::Unsynced, &mut Random::new(1));
        platform.restart().await;
        let reader = platform.sign_in("reader", PASSWORD).await;
        let lost = load.ledger.differences(&reader).await.len();
        eprintln!("without {call}: {lost} of {} lost", load.ledger.len());
        assert_ne!(lost, 0, "without {call} nothing was lost: the disk keeps too much");
    }
}

async fn campaign(engine: Engine) {
    let mut random = Random::from_environment("power cut");
    let rounds = env::number(env::POWER_CUT_ROUNDS, ROUNDS);
    let (mut done, mut acknowledged, mut lost) = (0, 0, Lost::default());
    while done < rounds {
        let mut platform = Platform::prepare_on_disk(Options::on(engine));
        platform.restart().await;
        platform.add_user("reader", "viewer");
        let mut loads = Vec::new();
        for _ in 0..ROUNDS_OF_ONE_DISK.min(rounds - done) {
            done += 1;
            let (load, gone) = round(&mut platform, done, &mut random).await;
            acknowledged += load.ledger.len();
            lost = Lost { names: lost.names + gone.names, files: lost.files + gone.files };
            loads.push(load);
        }
        let reader = platform.sign_in("reader", PASSWORD).await;
        let path = platform.scratch().join("acknowledged.jsonl");
        for load in &loads {
            load.check(&reader, "after the last cut").await;
            load.ledger.append_to(&path);
        }
        // By the operator's own command, too: every byte.
        platform.assert_verified(Some(&path), "after the last cut");
    }
    eprintln!(
        "{rounds} power cuts on {engine:?}: {acknowledged} acknowledged, 0 lost; the disk lost {} names and the \
         unsynced bytes of {} files",
        lost.names, lost.files
    );
    assert!(acknowledged > rounds as usize, "almost nothing was acknowledged: the cut comes too early");
    assert!(lost.names + lost.files > 0, "the cuts took nothing: they prove nothing");
}

async fn round(platform: &mut Platform, number: u64, random: &mut Random) -> (Load, Lost) {
    let loss = if random.below(2) == 0 { Loss::Unsynced } else { Loss::Torn };
    let shapes = Shape::mixed(SENDERS, INSTANCES_EACH);
    let mut load = Load::start(platform.dicom(), &format!("CUT-{number}"), &shapes);
    let (enough, delay) = (1 + random.below(ACKNOWLEDGED_MAX), random.below(DELAY_MS_MAX));
    let deadline = Instant::now() + LOAD_MAX;
    while load.ledger.len() < enough && load.is_running() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(delay as u64)).await;
    let gone = platform.cut_power(loss, random);
    load.wait();
    assert_eq!(load.refused(), [], "cut {number}");
    platform.restart().await;
    let count = load.ledger.len();
    eprintln!("cut {number}: {count} acknowledged, {loss:?}, {gone:?}");
    let reader = platform.sign_in("reader", PASSWORD).await;
    load.check(&reader, &format!("cut {number}, {loss:?}")).await;
    (load, gone)
}
