//! Erasing a patient: at once, for good, whatever is killed or put back (I13, K34, K35, K39).

use std::{fs, process::Stdio, time::Duration};

use serde_json::Value;
use tests::{
    ledger::Ledger,
    platform::{Engine, Options, Platform},
    qido,
    random::Random,
    synthetic::Synthetic,
};

use super::{fail, instance_path, open_all, send, succeed, wait_for_objects, wait_until};

fn options(engine: Engine) -> Options {
    Options::on(engine).with("MAXRAY_WORKER__POLL_INTERVAL_MS", "100")
}

#[tokio::test]
async fn an_erased_patient_is_gone_on_sqlite() {
    erased(Engine::Sqlite).await;
}

#[tokio::test]
async fn an_erased_patient_is_gone_on_postgres() {
    erased(Engine::Postgres).await;
}

async fn erased(engine: Engine) {
    let platform = Platform::start(options(engine)).await;
    let viewer = platform.user("viewer", "viewer").await;
    let (gone, kept) = (Ledger::default(), Ledger::default());
    let (patient, other) = (Synthetic::cr("ERASE-1", 200, 200), Synthetic::cr("KEEP-1", 200, 200));
    send(&platform, &gone, &patient.series(3));
    send(&platform, &kept, &other.series(2));
    wait_for_objects(&platform, 15).await;

    let said = succeed(&platform, &["hold", "add", "ERASE-1", "--reason", "court order 12/26"]);
    let hold = said.split_whitespace().nth(1).expect("an id").to_owned();
    let command = ["erase", "patient", "ERASE-1", "--reason", "asked for by the person"];
    assert!(fail(&platform, &command).contains("legal hold"));
    gone.check(&viewer, "held").await;
    assert!(succeed(&platform, &["hold", "list"]).contains("court order"));
    succeed(&platform, &["hold", "remove", &hold]);

    let receipt: Value = serde_json::from_str(&succeed(&platform, &command)).expect("a receipt");
    assert_eq!((receipt["studies"].as_u64(), receipt["instances"].as_u64()), (Some(1), Some(3)), "{receipt}");
    assert_eq!(receipt["objects_removed"], 9);
    let keys = receipt["keys_destroyed"].as_array().expect("keys");
    assert!(!keys.is_empty());
    let stored = platform.stored_keys();
    for key in keys {
        let key = key.as_str().expect("an id");
        assert!(!stored.contains(key) && stored.contains(&format!("{key}.erased")), "{key}: {stored:?}");
    }
    assert_eq!(platform.stored_objects().len(), 6, "the other patient's objects are there");
    let study = format!("/studies?StudyInstanceUID={}", patient.study_instance_uid);
    assert!(qido::rows(&viewer, &study).await.is_empty());
    for path in ["", "/metadata", "/frames/1", "/thumbnail"] {
        let answer = viewer.get(&format!("{}{path}", instance_path(&patient))).await;
        assert_eq!(answer.status(), 404, "{path}");
    }
    kept.check(&viewer, "of somebody else").await;
    open_all(&platform.storage_folder());

    // Who comes again is somebody new, under a new key.
    let again = Synthetic { study_instance_uid: tests::synthetic::new_uid(), ..patient.next() };
    let again = Synthetic { series_instance_uid: tests::synthetic::new_uid(), ..again };
    send(&platform, &Ledger::default(), &[again]);
    send(&platform, &gone, &patient.series(1));
    assert!(fail(&platform, &["erase", "patient", "NOBODY", "--reason", "x"]).contains("no patient"));
}

/// Copies of the keys and of the database from before, each put back: the patient stays gone.
#[tokio::test]
async fn old_copies_bring_nobody_back() {
    let mut platform = Platform::start(options(Engine::of_home())).await;
    let (gone, kept) = (Ledger::default(), Ledger::default());
    let patient = Synthetic::cr("ERASE-2", 100, 100);
    send(&platform, &gone, &patient.series(2));
    send(&platform, &kept, &[Synthetic::cr("KEEP-2", 100, 100)]);
    wait_for_objects(&platform, 9).await;
    platform.stop().await;
    let (old_keys, old_database) = (platform.copy_of_keys(), platform.copy_of_database());
    succeed(&platform, &["erase", "patient", "ERASE-2", "--reason", "asked for"]);
    // PostgreSQL overwrites when it vacuums.
    if platform.is_on_sqlite() {
        let database = fs::read(platform.data_directory().join("maxray.sqlite")).expect("the database");
        // The ID is part of the name; folded, it is among the name's words.
        for name in [&b"ERASE-2"[..], b"erase-2"] {
            assert!(memchr::memmem::find(&database, name).is_none(), "the name is overwritten");
        }
    }

    // The keys come back: destroyed again, by their marks and by the ledger in the database.
    platform.put_keys_back(&old_keys);
    platform.restart().await;
    let viewer = platform.user("viewer", "viewer").await;
    assert_eq!(viewer.get(&instance_path(&patient)).await.status(), 404);
    kept.check(&viewer, "old keys").await;
    platform.stop().await;
    assert_eq!(open_all(&platform.storage_folder()).len(), 3, "the objects of the other patient");

    // The database comes back: the patient is erased again.
    platform.put_database_back(&old_database);
    platform.restart().await;
    let viewer = platform.user("reader", "viewer").await;
    assert!(qido::rows(&viewer, "/studies").await.len() == 1, "only the other patient's");
    kept.check(&viewer, "old database").await;
}

/// The command is killed at random: then the patient is there as before, or gone without a trace.
#[tokio::test]
async fn an_erasure_survives_kills() {
    let mut random = Random::from_environment("erase");
    let mut platform =
        Platform::start(options(Engine::of_home()).with("MAXRAY_WORKER__PREVIEWS", "false")).await;
    platform.add_user("viewer", "viewer");
    let ledgers: Vec<Ledger> = (0..8).map(|_| Ledger::default()).collect();
    for (index, ledger) in ledgers.iter().enumerate() {
        send(&platform, ledger, &Synthetic::cr(&format!("ERASE-K{index}"), 64, 64).series(5));
    }
    let mut erased = 0;
    for (index, ledger) in ledgers.iter().enumerate() {
        let patient_id = format!("ERASE-K{index}");
        let mut command = platform.command(&["erase", "patient", &patient_id, "--reason", "asked for"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("maxray starts");
        tokio::time::sleep(Duration::from_millis(20 + random.below(250) as u64)).await;
        let _ended = child.kill();
        let _status = child.wait();
        if index % 2 == 0 {
            platform.kill();
            platform.restart().await;
        }
        let viewer = platform.sign_in("viewer", tests::session::PASSWORD).await;
        let studies = qido::rows(&viewer, &format!("/studies?PatientID={patient_id}")).await.len();
        match studies {
            0 => erased += 1,
            _ => ledger.check(&viewer, "not erased").await,
        }
    }
    eprintln!("{erased} of 8 were erased");
    let expected = (8 - erased) * 5;
    wait_until(&platform, "objects of erased patients go", || platform.stored_objects().len() == expected)
        .await;
    platform.stop().await;
    assert_eq!(open_all(&platform.storage_folder()).len(), expected, "every object that is there opens");
}
