//! kill -9 at random while instances come in: after the restart every acknowledged one is there and whole.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tests::{
    digest::sha256_hex,
    env,
    ledger::{Ledger, retrieve},
    platform::{Engine, Options, Platform},
    qido,
    random::Random,
    scu::{Association, AssociationError, Proposal},
    session::Session,
    synthetic::{CR_IMAGE_STORAGE, Synthetic},
};

/// Instances that the senders of one round would send if nobody killed the server.
const INSTANCES: usize = 500;
/// Associations at the same time.
const SENDERS: usize = 4;
/// Latest kill after the first instance, in milliseconds.
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

/// What was sent, acknowledged or not: SOP Instance UID and digest of the data set.
type Attempts = Arc<Mutex<HashMap<String, String>>>;

async fn crash(engine: Engine) {
    let mut random = Random::from_environment("crash");
    let mut platform = Platform::start(Options { fsync: true, ..Options::on(engine) }).await;
    platform.add_user("reader", "viewer");
    let (ledger, attempts) = (Arc::new(Ledger::default()), Attempts::default());
    let rounds = env::number(env::CRASH_ROUNDS, ROUNDS);
    for round in 1..=rounds {
        let before = ledger.len();
        let senders = start_senders(platform.dicom(), round, &ledger, &attempts);
        let kill_after = Duration::from_millis(random.below(KILL_MS_MAX) as u64);
        while ledger.len() == before && senders.iter().any(|sender| !sender.is_finished()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(kill_after).await;
        platform.kill();
        for sender in senders {
            sender.join().expect("a sender does not panic");
        }
        platform.restart().await;
        let acknowledged = ledger.len() - before;
        eprintln!("round {round}: {acknowledged} acknowledged, killed after {} ms", kill_after.as_millis());
        let reader = platform.sign_in("reader", tests::session::PASSWORD).await;
        ledger.check(&reader, &format!("round {round}")).await;
        check_nothing_is_half_there(&reader, &ledger, &attempts).await;
    }
    assert!(ledger.len() > rounds as usize, "almost nothing was acknowledged: the kill comes too early");
}

fn start_senders(
    peer: SocketAddr,
    round: u64,
    ledger: &Arc<Ledger>,
    attempts: &Attempts,
) -> Vec<std::thread::JoinHandle<()>> {
    (0..SENDERS)
        .map(|sender| {
            let (ledger, attempts) = (Arc::clone(ledger), Arc::clone(attempts));
            let first = Synthetic::cr(&format!("CRASH-{round}-{sender}"), 64, 64);
            std::thread::spawn(move || {
                // An error is the kill: what was not acknowledged may or may not be there.
                let _killed = send_until_killed(peer, &first, &ledger, &attempts);
            })
        })
        .collect()
}

fn send_until_killed(
    peer: SocketAddr,
    first: &Synthetic,
    ledger: &Ledger,
    attempts: &Attempts,
) -> Result<(), AssociationError> {
    let proposal = Proposal::new(CR_IMAGE_STORAGE, &first.transfer_syntax_uid);
    let mut association = Association::request(peer, "MAXRAY", std::slice::from_ref(&proposal))?;
    for instance in first.series(INSTANCES / SENDERS) {
        let data_set = instance.data_set();
        let digest = sha256_hex(&data_set);
        attempts.lock().expect("attempts").insert(instance.sop_instance_uid.clone(), digest);
        let status = association.store(&proposal, &instance.sop_instance_uid, &data_set)?;
        assert_eq!(status, 0, "{} refused", instance.sop_instance_uid);
        ledger.acknowledge_synthetic(&instance, &data_set);
    }
    association.release()
}

/// What is visible without an acknowledgement must be exactly what was sent.
async fn check_nothing_is_half_there(reader: &Session, ledger: &Ledger, attempts: &Attempts) {
    let acknowledged = ledger.entries();
    let rows = qido::rows(reader, "/instances").await;
    assert!(rows.len() >= acknowledged.len(), "{} rows, {} acknowledged", rows.len(), acknowledged.len());
    for row in rows {
        let uid = qido::text(&row, qido::SOP_INSTANCE_UID);
        if acknowledged.contains_key(&uid) {
            continue;
        }
        let sent = attempts.lock().expect("attempts").get(&uid).cloned();
        let sent = sent.unwrap_or_else(|| panic!("{uid} was never sent"));
        let place = qido::locate(reader, &uid).await.expect("a row has a place");
        let file = retrieve(reader, &place, &uid).await.unwrap_or_else(|why| panic!("{uid}: {why}"));
        assert_eq!(
            sha256_hex(tests::part10::data_set(&file)),
            sent,
            "{uid} is visible and not what was sent"
        );
    }
    let studies = qido::rows(reader, "/studies").await;
    let counted: usize = studies
        .iter()
        .map(|study| qido::text(study, qido::NUMBER_OF_STUDY_RELATED_INSTANCES).parse().unwrap_or(0))
        .sum();
    assert_eq!(
        counted,
        qido::rows(reader, "/instances").await.len(),
        "counts of studies and rows of instances"
    );
}
