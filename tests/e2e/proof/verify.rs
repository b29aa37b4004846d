//! `maxray verify` says that all is well when it is, beside a running server and without it, and names each kind of
//! damage when it is not. (threats.md, I1 to I11; row 56)

use std::{
    fs,
    io::Write as _,
    path::Path,
    time::{Duration, SystemTime},
};

use serde_json::json;
use tests::{
    digest::sha256_hex,
    home,
    ledger::Ledger,
    platform::{Engine, Options, Platform},
    synthetic::Synthetic,
    wait,
};

use super::{object_of, send};

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

    let rows = platform.sql(if platform.is_on_sqlite() {
        "SELECT id, object_key FROM instance ORDER BY id"
    } else {
        "SELECT replace(id::text, '-', ''), replace(object_key::text, '-', '') FROM instance ORDER BY id"
    });
    let rows: Vec<(String, String)> = serde_json::from_str(&rows).expect("rows");
    let (id, key) = (|n: usize| rows[n].0.as_str(), |n: usize| rows[n].1.as_str());
    let object = |n: usize| object_of(&platform, key(n));
    let (another, orphan) = (object(2), platform.object_path("01890000-0000-7000-8000-0000000000aa"));
    platform.remove_object(&object(0));
    flip(&platform, &object(1), 700);
    platform.copy_object(&another, &object(3));
    platform.sql(&damage(&platform, [4, 5, 6, 7].map(id)));
    platform.copy_object(&another, &orphan);
    let unfinished = u64::from(leave_a_part(&platform));
    let ledger = write_ledger(&platform, &instances[7]);

    let found = platform.verify(&["--orphan-grace-seconds", "0", "--ledger", &ledger]);
    assert_eq!(found.code, Some(2), "{:#}", found.report);
    for (invariant, violations) in
        [("I1", 2), ("I2", 5), ("I3", 1), ("I4", unfinished), ("I5", 1), ("I6", 1), ("I8", 1), ("I10", 0)]
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

/// SQL that damages what belongs to four instances: the event of the first, the header of the second, whether the third one
/// is seen, the hash of the fourth.
fn damage(platform: &Platform, [told, headers, hidden, rehashed]: [&str; 4]) -> String {
    let (uuid, bytes) = if platform.is_on_sqlite() { ("x'", "x'") } else { ("'", "'\\x") };
    format!(
        "DELETE FROM outbox WHERE event LIKE '%' || lower(substr('{told}', 1, 8)) || '%' AND event LIKE '%{tail}%'; \
         UPDATE instance_header SET layout = (SELECT layout FROM instance_header WHERE instance <> {uuid}{headers}' \
         AND length(layout) > 0 LIMIT 1), dicom_json = (SELECT dicom_json FROM instance_header \
         WHERE instance <> {uuid}{headers}' LIMIT 1) WHERE instance = {uuid}{headers}'; \
         UPDATE instance SET current = FALSE WHERE id = {uuid}{hidden}'; \
         UPDATE instance SET data_set_sha256 = {bytes}{other}' WHERE id = {uuid}{rehashed}'",
        tail = &told[20..],
        other = "00".repeat(32),
    )
}

/// An object that was begun two hours ago and not finished: whether there is one. In a bucket that is for its lifecycle rule.
fn leave_a_part(platform: &Platform) -> bool {
    if home::is_distributed() {
        return false;
    }
    let part = platform.data_directory().join("spool/01890000-0000-7000-8000-0000000000bb.part");
    let file = fs::File::create(&part).expect("a part");
    file.set_modified(SystemTime::now() - Duration::from_hours(2)).expect("an old part");
    true
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
    let read = async || Some(platform.sql(unread)).filter(|count| count == "[[0]]");
    wait::until("everything is read", read).await;
    assert!(platform.stop().await.success());
    platform.sql(if platform.is_on_sqlite() {
        "UPDATE outbox SET at = '2020' || substr(at, 5); UPDATE instance SET stored_at = '2020' || substr(stored_at, 5)"
    } else {
        "UPDATE outbox SET at = at - interval '2000 days'; UPDATE instance SET stored_at = stored_at - interval '2000 days'"
    });
    platform.restart().await;
    // The newest event stays.
    let kept = async || Some(platform.sql("SELECT COUNT(*) FROM outbox")).filter(|count| count == "[[1]]");
    wait::until("old events are forgotten", kept).await;
    send(&platform, &instances[4..]);
    let found = platform.verify(&[]);
    assert_eq!(found.code, Some(0), "{:#}", found.report);
    assert_eq!(
        (&found.invariant("I2")["checked"], &found.invariant("I5")["checked"]),
        (&json!(6), &json!(2))
    );
    assert!(platform.stop().await.success());
    platform.sql("DELETE FROM outbox WHERE sequence = (SELECT MAX(sequence) FROM outbox)");
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

fn flip(platform: &Platform, object: &Path, at: usize) {
    let mut content = platform.read_object(object);
    content[at] ^= 1;
    platform.write_object(object, &content);
}
