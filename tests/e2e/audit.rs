//! The audit trail as an operator and a thief meet it. threats.md section 5, rows 69 and 67, K40.

use std::{fs, path::PathBuf};

use reqwest::StatusCode;
use serde_json::Value;
use tests::{
    platform::{Engine, Options, Platform},
    python,
    scu::Dcmtk,
    session::Session,
    synthetic::Synthetic,
};

/// Short, so that the tests need not wait for ten seconds.
const CHECKPOINT_INTERVAL_MS: &str = "200";

#[tokio::test]
async fn what_was_undone_is_found_on_sqlite() {
    what_was_undone_is_found(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_was_undone_is_found_on_postgres() {
    what_was_undone_is_found(Engine::Postgres).await;
}

fn options(engine: Engine) -> Options {
    Options::on(engine).with("MAXRAY_AUDIT__CHECKPOINT_INTERVAL_MS", CHECKPOINT_INTERVAL_MS)
}

/// `maxray audit verify`: exit code and what it printed.
fn verify(platform: &Platform, arguments: &[&str]) -> (Option<i32>, String) {
    let output = platform.command(&[&["audit", "verify"], arguments].concat()).output().expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// Runs a statement behind the program's back.
async fn sql(platform: &Platform, text: &str) {
    use sqlx::Connection as _;
    let statement = sqlx::AssertSqlSafe(text.to_owned());
    if let Some(url) = platform.setting("MAXRAY_DATABASE__URL") {
        let mut connection = sqlx_postgres::PgConnection::connect(url).await.expect("a connection");
        sqlx::raw_sql(statement).execute(&mut connection).await.expect("the statement runs");
    } else {
        let url = format!("sqlite://{}", platform.data_directory().join("maxray.sqlite").display());
        let mut connection = sqlx_sqlite::SqliteConnection::connect(&url).await.expect("a connection");
        sqlx::raw_sql(statement).execute(&mut connection).await.expect("the statement runs");
    }
}

fn send(platform: &Platform, xray: &Synthetic) {
    let file = platform.scratch().join("xray.dcm");
    fs::write(&file, xray.part10()).expect("a file");
    let sent = Dcmtk::storescu(platform.dicom(), &[], std::slice::from_ref(&file));
    assert_eq!(sent.store_status(), Some(0), "{}", sent.text);
}

fn metadata(xray: &Synthetic) -> String {
    format!("/dicomweb/studies/{}/metadata", xray.study_instance_uid)
}

async fn what_was_undone_is_found(engine: Engine) {
    let mut platform = Platform::start(options(engine)).await;
    let service = platform.user("reader", "service").await;
    let xray = Synthetic::cr("PAT-1", 64, 64);
    send(&platform, &xray);
    service.get_json(&metadata(&xray)).await;
    let (code, text) = verify(&platform, &[]);
    assert_eq!(code, Some(0), "while it serves: {text}");
    for number in 0..3 {
        // A command that writes to the chain while the server does, and kill -9.
        send(&platform, &xray.next());
        platform.add_user(&format!("u{number}"), "viewer");
        platform.kill();
        let (code, text) = verify(&platform, &[]);
        assert_eq!(code, Some(0), "after kill -9: {text}");
        platform.restart().await;
    }
    assert!(platform.stop().await.success());
    let (code, text) = verify(&platform, &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("as it was written"), "{text}");
    assert_eq!(verify(&platform, &["--from", "3", "--to", "5"]).0, Some(0));
    find_changes(&platform).await;
    find_changed_files(&platform);
}

/// Each change, the exit code, and what must be said.
async fn find_changes(platform: &Platform) {
    sql(
        platform,
        "CREATE TABLE saved AS SELECT * FROM audit; CREATE TABLE signed AS SELECT * FROM audit_checkpoint",
    )
    .await;
    let cases = [
        (
            "UPDATE audit SET action = 'nothing' WHERE chain_sequence = 3",
            2,
            "record 3 is not what was written",
        ),
        ("UPDATE audit SET user_id = NULL WHERE action = 'read_study'", 2, "is not what was written"),
        ("DELETE FROM audit WHERE chain_sequence = 4", 3, "record 4 is missing"),
        ("DELETE FROM audit WHERE chain_sequence > 5", 3, "are missing"),
        ("DELETE FROM audit", 3, "records 1 to"),
        ("DELETE FROM audit_checkpoint WHERE number = 1", 3, "not in the database"),
        ("DELETE FROM audit_checkpoint", 3, "not in the database"),
        ("DELETE FROM audit WHERE chain_sequence > 5; DELETE FROM audit_checkpoint", 3, "are missing"),
        (
            "UPDATE audit_checkpoint SET line = REPLACE(line, '\"number\":2', '\"number\":3') WHERE number = 2",
            2,
            "signature",
        ),
        ("UPDATE audit_checkpoint SET number = 1000 WHERE number = 2", 2, "that of another place"),
    ];
    for (change, expected, said) in cases {
        sql(platform, change).await;
        let (code, text) = verify(platform, &[]);
        assert_eq!(code, Some(expected), "{change}: {text}");
        assert!(text.contains(said), "{change}: {text}");
        sql(
            platform,
            "DELETE FROM audit; INSERT INTO audit SELECT * FROM saved; DELETE FROM audit_checkpoint; \
             INSERT INTO audit_checkpoint SELECT * FROM signed",
        )
        .await;
    }
    assert_eq!(verify(platform, &[]).0, Some(0));
}

fn find_changed_files(platform: &Platform) {
    let witness = platform.data_directory().join("audit-checkpoints.jsonl");
    let lines = fs::read_to_string(&witness).expect("the witness file");
    let changes = [
        (lines.replacen("\"sequence\":", "\"sequence\":1", 1), 2),
        (lines.split_inclusive('\n').skip(1).collect(), 3),
        (String::new(), 3),
    ];
    for (changed, expected) in changes {
        fs::write(&witness, changed).expect("written");
        assert_eq!(verify(platform, &[]).0, Some(expected));
    }
    fs::remove_file(&witness).expect("removed");
    let (code, text) = verify(platform, &[]);
    assert_eq!(code, Some(4), "{text}");
    // A half-written last line (K40) was never finished; the next start mends it.
    fs::write(&witness, &lines[..lines.len() - 20]).expect("written");
    assert_eq!(verify(platform, &[]).0, Some(0));
    let elsewhere = platform.scratch().join("copy.jsonl");
    fs::write(&elsewhere, &lines).expect("written");
    let path = elsewhere.display().to_string();
    assert_eq!(verify(platform, &["--witness", &path]).0, Some(0));
    let other_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let (code, text) = verify(platform, &["--witness", &path, "--key", other_key]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("signed with another key"), "{text}");
}

#[tokio::test]
async fn an_old_copy_of_the_database_is_found() {
    let worm = tempfile::tempdir().expect("a folder");
    let directory = worm.path().display().to_string();
    let options = options(Engine::of_home()).with("MAXRAY_AUDIT__WITNESS_DIRECTORY", &directory);
    let mut platform = Platform::start(options).await;
    let xray = Synthetic::cr("PAT-1", 64, 64);
    send(&platform, &xray);
    assert!(platform.stop().await.success());
    let copy = platform.copy_of_database();
    platform.restart().await;
    send(&platform, &xray.next());
    assert!(platform.stop().await.success());
    assert_eq!(verify(&platform, &[]).0, Some(0));
    platform.put_database_back(&copy);
    let (code, text) = verify(&platform, &[]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("it is older than they are") && text.contains("are missing"), "{text}");
    // The server says so, and goes on; the fork stays visible, also to the copy alone.
    platform.restart().await;
    assert!(platform.log().contains("older than its last audit checkpoint"), "{}", platform.log());
    send(&platform, &xray.next());
    // The stop signs what is not signed yet.
    assert!(platform.stop().await.success());
    let copy = fs::read_dir(worm.path()).expect("listed").next().expect("the copy").expect("an entry").path();
    let (code, text) = verify(&platform, &["--witness", &copy.display().to_string()]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("is not the one that a checkpoint was signed for"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_answered() {
    let platform = Platform::start(options(Engine::of_home())).await;
    let (service, doctor) = (platform.user("reader", "service").await, platform.user("root2", "admin").await);
    let xray = Synthetic::cr("PAT-1", 64, 64);
    send(&platform, &xray);
    sql(&platform, "ALTER TABLE audit RENAME TO away").await;
    let study = format!("/dicomweb/studies/{}", xray.study_instance_uid);
    for path in [metadata(&xray), study, "/dicomweb/studies".to_owned(), "/xrays?patient_id=PAT-1".to_owned()]
    {
        let answer = service.get(&path).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        let text = answer.text().await.expect("a body");
        assert!(!text.contains(&xray.sop_instance_uid), "{path}: {text}");
    }
    assert_eq!(doctor.get("/users").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let file = platform.scratch().join("other.dcm");
    fs::write(&file, xray.next().part10()).expect("a file");
    let sent = Dcmtk::storescu(platform.dicom(), &[], std::slice::from_ref(&file));
    assert_ne!(sent.store_status(), Some(0), "no record, no success: {}", sent.text);
    sql(&platform, "ALTER TABLE away RENAME TO audit").await;
    service.get_json(&metadata(&xray)).await;
    let (code, said) = verify(&platform, &[]);
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn the_trail_is_exported() {
    let platform = Platform::start(options(Engine::of_home())).await;
    let service = platform.user("reader", "service").await;
    let xray = Synthetic::cr("PAT-1", 64, 64);
    send(&platform, &xray);
    service.get_json(&metadata(&xray)).await;
    let export = |format: &str| {
        let path = platform.scratch().join(format);
        let arguments = ["audit", "export", "--format", format, "-o", &path.display().to_string()];
        let output = platform.command(&arguments).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        path
    };
    let plain = fs::read_to_string(export("jsonl")).expect("written");
    let rows: Vec<Value> = plain.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(rows.iter().any(|row| row["action"] == "read_study" && row["patient"].is_string()), "{plain}");
    assert!(!plain.contains("PAT-1") && !plain.contains("Phantom"), "no patient data: {plain}");
    let fhir = fs::read_to_string(export("fhir")).expect("written");
    for line in fhir.lines() {
        check_audit_event(&serde_json::from_str(line).expect("JSON"));
    }
    assert!(fhir.contains("IHE.BasicAudit.PatientRead"), "{fhir}");
    let messages = export("dicom-xml");
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("e2e/audit_message.py");
    let checked = python::run(&script, &[&messages.display().to_string()]);
    assert!(checked.trim().parse::<usize>().expect("a count") >= rows.len(), "{checked}");
    trail_of_the_export(&platform, &service).await;
}

/// That the trail left the house is in it.
async fn trail_of_the_export(platform: &Platform, service: &Session) {
    let admin = platform.user("root2", "admin").await;
    let found = admin.get_json("/audit?action=export_audit").await;
    assert_eq!(found["items"].as_array().expect("items").len(), 3, "{found}");
    assert_eq!(service.get("/audit").await.status(), StatusCode::FORBIDDEN);
}

/// What FHIR R4 demands of an AuditEvent: cardinalities and value sets.
fn check_audit_event(event: &Value) {
    assert_eq!(event["resourceType"], "AuditEvent");
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    assert!(text(&event["type"]["system"]) && text(&event["type"]["code"]), "{event}");
    assert!(event["action"].as_str().is_some_and(|action| "CRUDE".contains(action)), "{event}");
    assert!(event["outcome"].as_str().is_some_and(|code| ["0", "4", "8", "12"].contains(&code)), "{event}");
    assert!(text(&event["recorded"]), "{event}");
    let agents = event["agent"].as_array().expect("agents");
    assert!(!agents.is_empty() && agents.iter().all(|agent| agent["requestor"].is_boolean()), "{event}");
    assert!(event["source"]["observer"].is_object(), "{event}");
    for entity in event["entity"].as_array().expect("entities") {
        // sev-1: either a name or a query.
        assert!(entity["name"].is_null() || entity["query"].is_null(), "{event}");
        for detail in entity["detail"].as_array().into_iter().flatten() {
            assert!(text(&detail["type"]) && text(&detail["valueString"]), "{event}");
        }
    }
}
