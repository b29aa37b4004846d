//! Instance Availability Notification (PS3.4 Annex R): pynetdicom as an information system hears of studies that are complete.

use std::{path::Path, time::Duration};

use database::{AuditOutcome, AuditRecord};
use serde_json::{Value, json};
use tests::{
    operator::free_port,
    platform::{Engine, Options, Platform},
    python, scu,
    synthetic::Synthetic,
    wait,
};

use crate::mpps;

/// How long a notification may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server that holds a study for complete soon, and tries again soon.
fn options(engine: Engine) -> Options {
    Options::on(engine)
        .with("MAXRAY_WORKER__STUDY_QUIET_SECONDS", "1")
        .with("MAXRAY_WORKER__POLL_INTERVAL_MS", "100")
        .with("MAXRAY_WORKER__PREVIEWS", "false")
        .with("MAXRAY_PACS__AVAILABILITY__RETRY_FIRST_MS", "200")
        .with("MAXRAY_PACS__AVAILABILITY__RETRY_LONGEST_MS", "500")
}

/// Registers an AE that wants to be told, and gives the port where it hears.
fn listener(platform: &Platform, title: &str, more: &[&str]) -> u16 {
    let port = free_port();
    let text = port.to_string();
    let call = ["--call-host", "127.0.0.1", "--call-port", &text, "--notify-availability", "true"];
    platform.register_ae(title, &[&call, more].concat());
    port
}

/// What is heard at the port.
fn hear(title: &str, port: u16, count: usize, status: u16) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/availability_check.py");
    let (port, seconds) = (port.to_string(), PATIENCE.as_secs().to_string());
    let said = python::run(&script, &[title, &port, &seconds, &count.to_string(), &status.to_string()]);
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The one notification that is heard, which is taken.
fn hear_one(title: &str, port: u16) -> Value {
    let mut said = hear(title, port, 1, 0);
    assert_eq!(said.len(), 1, "{said:?}");
    said.remove(0)
}

fn instances(of: &[Synthetic]) -> Value {
    let place = |one: &Synthetic| json!([one.series_instance_uid, one.sop_class_uid, "ONLINE", "MAXRAY"]);
    of.iter().map(|one| (one.sop_instance_uid.clone(), place(one))).collect::<serde_json::Map<_, _>>().into()
}

fn send(platform: &Platform, xrays: &[Synthetic]) {
    let files: Vec<Vec<u8>> = xrays.iter().map(Synthetic::part10).collect();
    let taken = scu::send_files(platform.dicom(), &files).expect("an association");
    assert_eq!(taken, vec![0; xrays.len()]);
}

async fn who_wants_to_know_is_told_of_a_complete_study(engine: Engine) {
    let platform = Platform::start(options(engine)).await;
    platform.register_ae("CR1", &["--operation", "mpps"]);
    let port = listener(&platform, "RIS", &[]);
    let mut xrays = Synthetic::cr("PAT-1", 8, 8).series(3);
    let study = xrays[0].study_instance_uid.clone();
    let step = json!([{ "create": "1.2.10", "study": study, "step": "S1", "patient": "PAT-1" }]);
    assert_eq!(mpps::pynetdicom(&platform, "CR1", &step)[0].0.0, 0);
    send(&platform, &xrays);
    let end = json!([{ "set": "1.2.10", "status": "COMPLETED", "end": true, "series": xrays[0].series_instance_uid }]);
    assert_eq!(mpps::pynetdicom(&platform, "CR1", &end)[0].0.0, 0);
    let heard = hear_one("RIS", port);
    assert_eq!((&heard["calling"], &heard["study"]), (&json!("MAXRAY"), &json!(study)));
    assert_eq!(heard["sop_class"], "1.2.840.10008.5.1.4.33");
    assert!(heard["sop_instance"].as_str().is_some_and(|uid| uid.starts_with("2.25.")), "{heard}");
    // PS3.4 R.3.2.1.2: nothing else may be in it.
    let allowed =
        ["ReferencedPerformedProcedureStepSequence", "ReferencedSeriesSequence", "StudyInstanceUID"];
    assert_eq!(heard["attributes"], json!(allowed));
    assert_eq!((&heard["instances"], &heard["series"]), (&instances(&xrays), &json!(1)));
    assert_eq!(heard["steps"], json!([["1.2.840.10008.3.1.2.3.3", "1.2.10"]]));
    // What comes late is told with the rest when nothing more comes.
    let mut late = xrays[0].clone();
    late.series_instance_uid = format!("{}.9", xrays[0].series_instance_uid);
    late.sop_instance_uid = format!("{}.9", xrays[0].sop_instance_uid);
    send(&platform, std::slice::from_ref(&late));
    xrays.push(late);
    let heard = hear_one("RIS", port);
    assert_eq!((&heard["instances"], &heard["series"]), (&instances(&xrays), &json!(2)));
    if engine == Engine::Sqlite {
        let told = wait::until("both are recorded", async || {
            let told = platform.audit_records("notify_availability").await;
            (told.len() == 2).then_some(told)
        });
        let told: Vec<String> = told.await.into_iter().map(|record| record.detail).collect();
        assert_eq!(told, ["to RIS, 3 instances", "to RIS, 4 instances"]);
    }
}

#[tokio::test]
async fn who_wants_to_know_is_told_of_a_complete_study_on_sqlite() {
    who_wants_to_know_is_told_of_a_complete_study(Engine::Sqlite).await;
}

#[tokio::test]
async fn who_wants_to_know_is_told_of_a_complete_study_on_postgres() {
    who_wants_to_know_is_told_of_a_complete_study(Engine::Postgres).await;
}

#[tokio::test]
async fn who_is_away_or_cannot_take_it_hears_it_later_also_after_a_restart() {
    let mut platform = Platform::start(options(Engine::of_home())).await;
    let port = listener(&platform, "RIS", &[]);
    let xrays = Synthetic::cr("PAT-1", 8, 8).series(2);
    send(&platform, &xrays);
    let failed = || platform.log().matches("availability of a study not reported").count();
    wait::until("two attempts", async || (failed() >= 2).then_some(())).await;
    platform.kill();
    platform.restart().await;
    let refused = hear("RIS", port, 2, 0x0110);
    let studies: Vec<&Value> = refused.iter().map(|one| &one["study"]).collect();
    assert_eq!(studies, [&json!(xrays[0].study_instance_uid); 2], "it is told again what it has refused");
    assert_eq!(hear_one("RIS", port)["instances"], instances(&xrays));
    wait::until("it is done", async || platform.audit_records("notify_availability").await.pop()).await;
}

// threats.md row 5
#[tokio::test]
async fn nobody_is_told_of_what_it_may_not_see() {
    let platform = Platform::start(options(Engine::of_home())).await;
    let made = platform.command(&["user", "add", "--username", "wards", "--role", "viewer"]).output();
    assert!(made.expect("maxray runs").status.success());
    let port = listener(&platform, "WARD", &["--reads-as", "wards"]);
    let chief = listener(&platform, "RIS", &[]);
    let [granted, other, later] = ["GRANTED", "OTHER", "LATER"].map(|patient| Synthetic::cr(patient, 8, 8));
    for study in [&granted, &later] {
        platform.grant("wards", &["--study", &study.study_instance_uid]);
    }
    for study in [&other, &granted] {
        send(&platform, std::slice::from_ref(study));
        assert_eq!(hear_one("RIS", chief)["study"], json!(study.study_instance_uid));
    }
    assert_eq!(hear_one("WARD", port)["study"], json!(granted.study_instance_uid));
    // Who does not want to know any more is not told.
    platform.ae(&["set", "RIS", "--notify-availability", "false"]);
    send(&platform, std::slice::from_ref(&later));
    assert_eq!(hear_one("WARD", port)["study"], json!(later.study_instance_uid));
    let told = platform.audit_records("notify_availability").await;
    assert_eq!(told.iter().filter(|record| record.detail.starts_with("to RIS")).count(), 2, "{told:?}");
    let of_other = |record: &AuditRecord| record.study_instance_uid == other.study_instance_uid;
    let of_other: Vec<&str> =
        told.iter().filter(|one| of_other(one)).map(|record| record.detail.as_str()).collect();
    assert_eq!(of_other, ["to RIS, 1 instances"]);
}

#[tokio::test]
async fn who_never_answers_is_given_up_and_who_is_nowhere_is_not_registered_for_it() {
    let options = options(Engine::of_home()).with("MAXRAY_PACS__AVAILABILITY__GIVE_UP_AFTER_MS", "1000");
    let platform = Platform::start(options).await;
    let nowhere = platform.operate(&["ae", "add", "RIS", "127.0.0.1", "--notify-availability", "true"]);
    assert!(!nowhere.0 && nowhere.1.contains("--call-host and --call-port"), "{}", nowhere.1);
    let registration = json!({ "addresses": ["127.0.0.1"], "notify_availability": true });
    let body = json!({ "title": "RIS", "registration": registration });
    let admin = platform.user("chief", "admin").await;
    let refused = admin.request(reqwest::Method::POST, "/aes").json(&body).send().await.expect("an answer");
    assert_eq!(refused.status(), 422);
    let problem: Value = refused.json().await.expect("JSON");
    assert!(problem.to_string().contains("notify_availability"), "{problem}");
    listener(&platform, "RIS", &[]);
    send(&platform, &[Synthetic::cr("PAT-1", 8, 8)]);
    let told = async || platform.audit_records("notify_availability").await.pop();
    let told = wait::until("it is given up", told).await;
    assert_eq!(told.outcome, AuditOutcome::Failed, "{told:?}");
}
