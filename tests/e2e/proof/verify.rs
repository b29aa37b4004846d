//! `maxray verify` says that all is well when it is, beside a running server and without it, and names each kind of
//! damage when it is not. (threats.md, I1 to I11; row 56)

use std::{
    fs,
    io::Write as _,
    os::unix::fs::FileExt as _,
    time::{Duration, SystemTime},
};

use serde_json::json;
use tests::{
    digest::sha256_hex,
    ledger::Ledger,
    platform::{Engine, Options, Platform},
    synthetic::Synthetic,
    wait,
};

use super::{object_file, send, sql};

#[tokio::test]
async fn a_sound_archive_is_found_sound_on_sqlite() {
    a_sound_archive_is_found_sound(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_sound_archive_is_found_sound_on_postgres() {
    a_sound_archive_is_found_sound(Engine::Postgres).await;
}

async fn a_sound_archive_is_found_sound(engine: Engine) {
    let mut platform = Platform::start(Options::on(engine)).await;
    let path = platform.scratch().join("ledger.jsonl");
    let ledger = Ledger::in_file(&path);
    let instances = Synthetic::cr("SOUND", 200, 300).series(12);
    send(&platform, &instances);
    let mut other = instances[0].clone();
    other.seed += 1;
    send(&platform, std::slice::from_ref(&other));
    for instance in instances.iter().chain([&other]) {
        ledger.answered(instance, &instance.data_set(), 0);
    }
    // Refused, and not there.
    ledger.answered(&Synthetic::cr("REFUSED", 16, 16), b"nothing", 0xA700);
    platform.assert_verified(Some(&path), "beside the server");
    platform.kill();
    let found = platform.verify(&["--ledger", &path.display().to_string()]);
    assert_eq!(found.code, Some(0), "{:#}", found.report);
    assert_eq!(found.invariant("I1")["checked"], 13);
    assert_eq!(found.invariant("I2")["checked"], 13);
    assert_eq!(found.invariant("I5")["checked"], 13);
    assert_eq!(found.invariant("I8")["checked"], 1);
}

#[tokio::test]
async fn verify_finds_each_kind_of_damage() {
    let mut platform = Platform::start(Options::default().with("MAXRAY_WORKER__PREVIEWS", "false")).await;
    let instances = Synthetic::cr("DAMAGED", 120, 120).series(8);
    send(&platform, &instances);
    assert!(platform.stop().await.success());
    platform.assert_verified(None, "before the damage");

    let rows = sql(&platform, "SELECT id, object_key FROM instance ORDER BY id");
    let rows: Vec<(String, String)> = serde_json::from_str(&rows).expect("rows");
    let (id, key) = (|n: usize| rows[n].0.as_str(), |n: usize| rows[n].1.as_str());
    fs::remove_file(object_file(&platform, key(0))).expect("the object goes");
    flip(&object_file(&platform, key(1)), 700);
    fs::copy(object_file(&platform, key(2)), object_file(&platform, key(3))).expect("another object");
    let statements = format!(
        "DELETE FROM outbox WHERE event LIKE '%' || lower(substr('{id}', 1, 8)) || '%' AND event LIKE '%{tail}%'; \
         UPDATE instance_header SET layout = (SELECT layout FROM instance_header WHERE instance <> x'{headers}' \
         AND length(layout) > 0 LIMIT 1), dicom_json = (SELECT dicom_json FROM instance_header \
         WHERE instance <> x'{headers}' LIMIT 1) WHERE instance = x'{headers}'; \
         UPDATE instance SET current = 0 WHERE id = x'{hidden}'; \
         UPDATE instance SET data_set_sha256 = x'{other}' WHERE id = x'{rehashed}'",
        id = id(4),
        tail = &id(4)[20..],
        headers = id(5),
        hidden = id(6),
        other = "00".repeat(32),
        rehashed = id(7),
    );
    sql(&platform, &statements);
    let orphan = platform.data_directory().join("objects/aa/01890000-0000-7000-8000-0000000000aa");
    fs::copy(object_file(&platform, key(2)), orphan).expect("an orphan");
    let part = platform.data_directory().join("spool/01890000-0000-7000-8000-0000000000bb.part");
    let file = fs::File::create(&part).expect("a part");
    file.set_modified(SystemTime::now() - Duration::from_hours(2)).expect("an old part");
    let ledger = write_ledger(&platform, &instances[7]);

    let found = platform.verify(&["--orphan-grace-seconds", "0", "--ledger", &ledger]);
    assert_eq!(found.code, Some(2), "{:#}", found.report);
    for (invariant, violations) in
        [("I1", 2), ("I2", 5), ("I3", 1), ("I4", 1), ("I5", 1), ("I6", 1), ("I8", 1), ("I10", 0)]
    {
        assert_eq!(found.violations(invariant), violations, "{invariant}: {:#}", found.report);
    }
    let said = found.report["invariants"][1]["first_violations"].to_string();
    for part in [
        "its object is missing",
        "not what was stored",
        "SHA-256 of its data set differs",
        "stored header differs",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(found.report["what_to_do"].as_array().is_some_and(|plan| !plan.is_empty()));
}

#[tokio::test]
async fn what_old_events_told_of_is_sound_without_them() {
    let options = Options::default()
        .with("MAXRAY_WORKER__PREVIEWS", "false")
        .with("MAXRAY_WORKER__STUDY_QUIET_SECONDS", "0");
    let mut platform = Platform::start(options).await;
    let instances = Synthetic::cr("OLD", 64, 64).series(6);
    send(&platform, &instances[..4]);
    // By listeners, and by readers, whose places are kept every ten seconds.
    let unread = "SELECT (SELECT COUNT(*) FROM outbox WHERE relayed_at IS NULL) + \
        (SELECT COUNT(*) FROM outbox_cursor WHERE sequence < (SELECT MAX(sequence) FROM outbox))";
    let read = async || Some(sql(&platform, unread)).filter(|count| count == "[[0]]");
    wait::until("everything is read", read).await;
    assert!(platform.stop().await.success());
    sql(
        &platform,
        "UPDATE outbox SET at = '2020' || substr(at, 5); UPDATE instance SET stored_at = '2020' || substr(stored_at, 5)",
    );
    platform.restart().await;
    // The newest event stays.
    let kept = async || Some(sql(&platform, "SELECT COUNT(*) FROM outbox")).filter(|count| count == "[[1]]");
    wait::until("old events are forgotten", kept).await;
    send(&platform, &instances[4..]);
    let found = platform.verify(&[]);
    assert_eq!(found.code, Some(0), "{:#}", found.report);
    assert_eq!(
        (&found.invariant("I2")["checked"], &found.invariant("I5")["checked"]),
        (&json!(6), &json!(2))
    );
    assert!(platform.stop().await.success());
    sql(&platform, "DELETE FROM outbox WHERE sequence = (SELECT MAX(sequence) FROM outbox)");
    let found = platform.verify(&[]);
    assert_eq!((found.code, found.violations("I5")), (Some(2), 1), "{:#}", found.report);
}

/// An acknowledged instance that is not there, one with another content, and a refusal under a UID that holds something.
fn write_ledger(platform: &Platform, known: &Synthetic) -> String {
    let path = platform.scratch().join("ledger.jsonl");
    let mut file = fs::File::create(&path).expect("a ledger");
    let mut line = |uid: &str, sha256: &str, status: u16| {
        let line = json!({
            "sop_instance_uid": uid, "study_instance_uid": known.study_instance_uid, "data_set_sha256": sha256,
            "status": status,
        });
        writeln!(file, "{line}").expect("a line");
    };
    line("1.2.3.4", &sha256_hex(b"lost"), 0);
    line(&known.sop_instance_uid, &sha256_hex(b"other"), 0);
    line(&known.sop_instance_uid, &sha256_hex(b"refused"), 0xC000);
    path.display().to_string()
}

fn flip(path: &std::path::Path, at: u64) {
    let file = fs::File::options().read(true).write(true).open(path).expect("an object");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("a byte");
    file.write_all_at(&[byte[0] ^ 1], at).expect("a changed byte");
}
