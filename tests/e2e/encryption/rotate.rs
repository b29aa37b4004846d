//! Keys are changed while instances come in, and across kills (K38).

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tests::{
    ledger::Ledger,
    platform::{Engine, Options, Platform},
    random::Random,
    synthetic::Synthetic,
};

use super::{PATIENCE, send, succeed, wait_until};

fn options(engine: Engine) -> Options {
    Options::on(engine)
        .with("MAXRAY_KEYS__ROTATION_GRACE_MS", "300")
        .with("MAXRAY_WORKER__POLL_INTERVAL_MS", "100")
}

fn key_objects(platform: &Platform) -> BTreeSet<String> {
    platform.stored_keys().into_iter().filter(|name| name.len() == 36).collect()
}

/// Which patient keys the stored objects name.
fn keys_in_use(platform: &Platform) -> BTreeSet<String> {
    let seals = platform.stored_objects().into_iter().map(|object| {
        let content = platform.read_object(&object);
        let seal = &content[content.len() - 128..];
        uuid::Uuid::from_slice(&seal[8..24]).expect("a key id").to_string()
    });
    seals.collect()
}

#[tokio::test]
async fn keys_are_changed_while_instances_come_in_on_sqlite() {
    keys_are_changed_while_instances_come_in(Engine::Sqlite).await;
}

/// Where several transactions write at once, one may use the key that another retires.
#[tokio::test]
async fn keys_are_changed_while_instances_come_in_on_postgres() {
    keys_are_changed_while_instances_come_in(Engine::Postgres).await;
}

async fn keys_are_changed_while_instances_come_in(engine: Engine) {
    let platform = Platform::start(options(engine)).await;
    let ledger = Arc::new(Ledger::default());
    let patients: Vec<Synthetic> = (0..4).map(|n| Synthetic::cr(&format!("ROTATE-{n}"), 100, 100)).collect();
    for patient in &patients {
        send(&platform, &ledger, &patient.series(4));
    }
    let before = (keys_in_use(&platform), fs::read(platform.data_directory().join("root.key")).expect("key"));

    let stop = Arc::new(AtomicBool::new(false));
    let sender = {
        let (ledger, stop, peer) = (Arc::clone(&ledger), Arc::clone(&stop), platform.dicom());
        let patients = patients.clone();
        std::thread::spawn(move || send_until(&stop, peer, &ledger, &patients))
    };
    let said = succeed(&platform, &["key", "rotate", "--root"]);
    assert!(said.contains("rotate_root: done"), "{said}");
    let said = succeed(&platform, &["key", "rotate", "--patient", "ROTATE-0"]);
    assert!(said.contains("the old keys are destroyed"), "{said}");
    succeed(&platform, &["key", "rotate", "--all-patients"]);
    stop.store(true, Ordering::Relaxed);
    let sent = sender.join().expect("the sender does not panic");
    assert!(sent > 0, "nothing was sent meanwhile");

    let root = fs::read(platform.data_directory().join("root.key")).expect("key");
    assert_ne!(root, before.1, "the root key is another one");
    assert!(!platform.data_directory().join("root.key.next").exists());
    assert!(before.0.is_disjoint(&key_objects(&platform)), "the old keys are gone");
    // Pictures that were not needed any more lie there without a row: what counts is what rows name.
    succeed(&platform, &["verify", "--deep"]);
    let viewer = platform.user("viewer", "viewer").await;
    ledger.check(&viewer, "after three rotations").await;
    assert!(succeed(&platform, &["key", "status"]).contains("rotation        none"));
}

fn send_until(
    stop: &AtomicBool,
    peer: std::net::SocketAddr,
    ledger: &Ledger,
    patients: &[Synthetic],
) -> usize {
    use tests::scu::{Association, Proposal};
    let proposal = Proposal::new(tests::synthetic::CR_IMAGE_STORAGE, &patients[0].transfer_syntax_uid);
    let mut association =
        Association::request(peer, "MAXRAY", std::slice::from_ref(&proposal)).expect("an association");
    let (mut last, mut sent) = (patients.to_vec(), 0);
    while !stop.load(Ordering::Relaxed) {
        let index = sent % last.len();
        // The numbers after those that were sent before.
        let next = Synthetic { instance_number: last[index].instance_number + 10, ..last[index].next() };
        let data_set = next.data_set();
        let status = association.store(&proposal, &next.sop_instance_uid, &data_set).expect("an answer");
        assert_eq!(status, 0);
        ledger.acknowledge_synthetic(&next, &data_set);
        last[index] = next;
        sent += 1;
    }
    association.release().expect("released");
    sent
}

/// The server is killed again and again while it works: the next one goes on, and nothing is lost.
#[tokio::test]
async fn a_rotation_survives_kills() {
    let mut random = Random::from_environment("rotate");
    let mut platform = Platform::start(options(Engine::of_home())).await;
    let ledger = Ledger::default();
    for n in 0..6 {
        send(&platform, &ledger, &Synthetic::cr(&format!("KILL-{n}"), 128, 128).series(10));
    }
    let before = keys_in_use(&platform);
    for arguments in [["key", "rotate", "--root"], ["key", "rotate", "--all-patients"]] {
        let mut command = platform.command(&arguments);
        let mut child = command.stdout(std::process::Stdio::null()).spawn().expect("maxray starts");
        // While no server runs the command would take the work, and the data directory, for itself.
        wait_until(&platform, "the work is asked for", || {
            child.try_wait().expect("a child").is_some()
                || ["open work", "waiting"]
                    .iter()
                    .any(|words| succeed(&platform, &["key", "status"]).contains(words))
        })
        .await;
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(random.below(400) as u64)).await;
            platform.kill();
            platform.restart().await;
        }
        let deadline = std::time::Instant::now() + PATIENCE;
        while child.try_wait().expect("a child").is_none() {
            assert!(std::time::Instant::now() < deadline, "{arguments:?} does not end\n{}", platform.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    wait_until(&platform, "old keys are destroyed", || before.is_disjoint(&key_objects(&platform))).await;
    let viewer = platform.user("viewer", "viewer").await;
    ledger.check(&viewer, "after kills").await;
    // Objects that a kill left without a row may be under a destroyed key: what counts is what rows name.
    succeed(&platform, &["verify", "--deep"]);
}
