//! A morning in a hospital: modalities send at mixed sizes while workstations query, senders die in the middle of an object and
//! somebody retrieves over a slow line. Every acknowledged instance is there afterwards and is what was sent.
//!
//! A normal run is short. `MAXRAY_TEST_MORNING_SECONDS=300 MAXRAY_TEST_MORNING_INSTANCES=2000` is the whole one, with 15 MB radiographs
//! among the instances. What it prints of times and memory says something with a release build alone (`MAXRAY_TEST_BINARY`).

mod modality;
mod neighbours;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use modality::{Modality, Templates};
use tests::{
    env,
    ledger::Ledger,
    platform::{Options, Platform},
    qido,
};

/// Machines that make images, each with associations from four AE titles to four of ours.
const MODALITIES: u64 = 24;
/// Instances of a normal run.
const INSTANCES: u64 = 240;
/// Seconds of a normal run.
const SECONDS: u64 = 10;
/// In a run of as many seconds as this radiographs are as large as true ones.
const WHOLE_SECONDS: u64 = 60;
/// Of the server's process while it serves; a debug build takes more than one that is delivered.
const MEMORY_MAX_BYTES: u64 = 600 * 1024 * 1024;

/// What all who take part know.
#[derive(Debug, Clone)]
struct Morning {
    server: std::net::SocketAddr,
    begins: Instant,
    lasts: Duration,
    /// Nobody begins anything any more.
    is_over: Arc<AtomicBool>,
    ledger: Arc<Ledger>,
}

impl Morning {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn every_instance_of_a_morning_is_there_and_unaltered() {
    let (instances, seconds) =
        (env::number(env::MORNING_INSTANCES, INSTANCES), env::number(env::MORNING_SECONDS, SECONDS));
    let mut platform = Platform::start(Options::default()).await;
    let reads = ["--operation", "find", "--operation", "get"];
    platform.register_ae("WORKSTATION", &reads);
    let templates =
        Arc::new(Templates::new(if seconds >= WHOLE_SECONDS { (2500, 3000) } else { (1024, 1024) }));
    let morning = Morning {
        server: platform.dicom(),
        begins: Instant::now(),
        lasts: Duration::from_secs(seconds),
        is_over: Arc::default(),
        ledger: Arc::default(),
    };
    let modalities: Vec<_> = (0..MODALITIES)
        .map(|number| {
            let instances = instances / MODALITIES + u64::from(number < instances % MODALITIES);
            let modality = Modality { number, instances, templates: Arc::clone(&templates) };
            let morning = morning.clone();
            std::thread::spawn(move || modality.work(&morning))
        })
        .collect();
    let neighbours = neighbours::start(&morning);
    // Not on this thread: it is the one that the test's runtime has.
    let sent: u64 = tokio::task::spawn_blocking(move || {
        modalities.into_iter().map(|one| one.join().expect("a modality does not panic")).sum()
    })
    .await
    .expect("nobody panics");
    let took = morning.begins.elapsed();
    morning.is_over.store(true, Ordering::Relaxed);
    let seen = tokio::task::spawn_blocking(|| neighbours.join()).await.expect("nobody panics");
    let memory = platform.peak_memory_bytes();

    println!("{instances} instances, {} MB, in {took:.1?} (planned: {seconds} s)", sent / 1_000_000);
    println!("memory at its peak: {} MB", memory / 1_000_000);
    println!("{seen}");
    assert!(platform.is_alive(), "the server ended");
    assert_eq!(morning.ledger.len() as u64, instances, "not all were acknowledged");
    seen.check();
    assert!(memory < MEMORY_MAX_BYTES, "{memory} bytes");
    let ledger = platform.scratch().join("ledger.jsonl");
    morning.ledger.append_to(&ledger);
    platform.assert_verified(Some(&ledger), "after the morning");
    // Nothing of what was cut off.
    let reader = platform.user("reader", "service").await;
    let mut visible = 0;
    for study in qido::rows(&reader, "/studies").await {
        let counted = qido::text(&study, qido::NUMBER_OF_STUDY_RELATED_INSTANCES);
        visible += counted.parse::<u64>().expect("a number");
    }
    assert_eq!(visible, instances, "other instances than those that were acknowledged");
    assert!(platform.spool().is_empty(), "{:?}", platform.spool());
}
