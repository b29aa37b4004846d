//! Power cuts while the server starts: the first time, when it makes its keys and tables, and later ones.

use std::time::Duration;

use tests::{
    env,
    load::{Load, Shape},
    platform::{Engine, Options, Platform},
    power_cut::Loss,
    random::Random,
    session::PASSWORD,
};

/// Disks in a normal run.
const DISKS: u64 = 2;
/// Cuts of one disk before the server is let through.
const CUTS: usize = 3;
/// A start takes about this long, in milliseconds, on a busy machine longer.
const START_MS: usize = 600;

#[tokio::test]
async fn power_cuts_during_the_start_leave_a_server_that_starts() {
    let mut random = Random::from_environment("power cut during the start");
    let disks = env::number(env::POWER_CUT_ROUNDS, DISKS).div_ceil(CUTS as u64).max(DISKS);
    for disk in 1..=disks {
        let mut platform = Platform::prepare_on_disk(Options::on(Engine::Sqlite));
        for _ in 0..CUTS {
            cut_while_starting(&mut platform, &mut random).await;
        }
        platform.restart().await;
        platform.add_user("reader", "viewer");
        let load = Load::run(platform.dicom(), &format!("START-{disk}"), &Shape::mixed(2, 5));
        assert_eq!(load.ledger.len(), 10, "the server takes instances after its start was cut");
        // The first moments after the first start: what it made must be as durable as what it takes.
        platform.cut_power(Loss::Unsynced, &mut random);
        cut_while_starting(&mut platform, &mut random).await;
        platform.restart().await;
        let reader = platform.sign_in("reader", PASSWORD).await;
        load.check(&reader, &format!("disk {disk}")).await;
    }
}

async fn cut_while_starting(platform: &mut Platform, random: &mut Random) {
    if random.below(4) == 0 {
        // Killed alone: what it made and had not synced is there for the next start, and not on the disk.
        platform.begin_start();
        tokio::time::sleep(Duration::from_millis(random.below(START_MS) as u64)).await;
        platform.kill();
    }
    let loss = if random.below(2) == 0 { Loss::Unsynced } else { Loss::Torn };
    let after = random.below(START_MS);
    platform.begin_start();
    tokio::time::sleep(Duration::from_millis(after as u64)).await;
    let gone = platform.cut_power(loss, random);
    eprintln!("start cut after {after} ms, {loss:?}, {gone:?}");
}
