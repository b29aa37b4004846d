//! Storage Commitment Push Model (PS3.4 Annex J) at the door: pynetdicom asks and hears, also over restarts.

use std::{path::Path, time::Duration};

use database::AuditOutcome;
use serde_json::{Value, json};
use tests::{
    operator::free_port,
    platform::{Engine, Options, Platform},
    python,
    scu::{Dcmtk, Dialogue, identifier, store},
    synthetic::{CR_IMAGE_STORAGE, DX_IMAGE_STORAGE, Synthetic},
    wait,
};

const COMMITMENT: &str = "1.2.840.10008.1.20.1";
const INSTANCE: &str = "1.2.840.10008.1.20.1.1";
const IMPLICIT: &str = model::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;
/// How long a report may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server that comes back to requestors soon.
fn options(engine: Engine) -> Options {
    Options::on(engine)
        .with("MAXRAY_WORKER__PREVIEWS", "false")
        .with("MAXRAY_PACS__COMMITMENT__RETRY_FIRST_MS", "200")
        .with("MAXRAY_PACS__COMMITMENT__RETRY_LONGEST_MS", "500")
}

/// Registers an AE that may ask, and gives the port where it hears.
fn requestor(platform: &Platform, title: &str, more: &[&str]) -> u16 {
    let port = free_port();
    let text = port.to_string();
    let call =
        ["--operation", "store", "--operation", "commit", "--call-host", "127.0.0.1", "--call-port", &text];
    platform.register_ae(title, &[&call, more].concat());
    port
}

pub(crate) fn reference(instance: &Synthetic) -> String {
    format!("{}={}", instance.sop_class_uid, instance.sop_instance_uid)
}

/// Runs pynetdicom: what it says, line by line.
pub(crate) fn pynetdicom(arguments: &[&str]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/commitment_check.py");
    let said = python::run(&script, arguments);
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Asks, and waits for the report.
fn ask(platform: &Platform, title: &str, port: u16, transaction_uid: &str, references: &[String]) -> Value {
    let (port, server) = (port.to_string(), platform.dicom().port().to_string());
    let seconds = PATIENCE.as_secs().to_string();
    let mut arguments = vec![title, &port, &seconds, &server, transaction_uid];
    arguments.extend(references.iter().map(String::as_str));
    let mut said = pynetdicom(&arguments);
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(said[0], json!({ "status": 0 }));
    said.remove(1)
}

/// An N-ACTION-RQ as it goes over the wire.
fn n_action(class: &str, instance: &str, action: u16, data_set: &[u8]) -> Vec<u8> {
    let command = [
        (0x0003, class.into()),
        (0x0100, vec![0x30, 0x01]),
        (0x0110, vec![1, 0]),
        (0x0800, vec![0, 0]),
        (0x1001, instance.into()),
        (0x1008, action.to_le_bytes().to_vec()),
    ];
    Dialogue::encode(1, &command, Some(data_set))
}

/// Action Information in Implicit VR.
fn information(transaction_uid: &str, references: &[(&str, &str)]) -> Vec<u8> {
    let mut items = Vec::new();
    for (class, instance) in references {
        let item = identifier(&[(0x0008_1150, class.as_bytes()), (0x0008_1155, instance.as_bytes())]);
        items.extend(b"\xfe\xff\x00\xe0");
        items.extend((item.len() as u32).to_le_bytes());
        items.extend(item);
    }
    identifier(&[(0x0008_1195, transaction_uid.as_bytes()), (0x0008_1199, &items)])
}

fn request(platform: &Platform, calling: &str, message: &[u8]) -> u16 {
    let mut dialogue = Dialogue::open(platform.dicom(), calling, &[(COMMITMENT, IMPLICIT)], &[]);
    dialogue.write(message);
    let response = dialogue.message();
    assert_eq!(response.number(0x0100), Some(0x8130));
    dialogue.release();
    response.status()
}

async fn what_is_stored_is_committed_to(engine: Engine) {
    let platform = Platform::start(options(engine)).await;
    let port = requestor(&platform, "MODALITY", &[]);
    let instances = Synthetic::cr("P1", 8, 8).series(30);
    store(&platform, &instances);
    let references: Vec<String> = instances.iter().map(reference).collect();
    let report = ask(&platform, "MODALITY", port, "1.2.3.4", &references);
    let uids: Vec<&str> = instances.iter().map(|one| one.sop_instance_uid.as_str()).collect();
    let expected = json!({
        "calling": "CALLED_SO", "provider": [true], "sop_class": COMMITMENT, "sop_instance": INSTANCE, "event_type": 1,
        "transaction_uid": "1.2.3.4", "retrieve": "CALLED_SO", "committed": uids, "failed": {},
    });
    assert_eq!(report, expected);
    // Sent again it is the same transaction, and told again.
    assert_eq!(ask(&platform, "MODALITY", port, "1.2.3.4", &references), expected);
    if engine == Engine::Sqlite {
        let asked = platform.audit_records("request_commitment").await;
        let asked: Vec<_> =
            asked.iter().map(|one| (one.actor.calling_ae.as_str(), one.subject.as_str())).collect();
        assert_eq!(asked, [("MODALITY", "1.2.3.4"); 2]);
        let told = platform.audit_records("report_commitment").await;
        let told: Vec<_> = told.iter().map(|one| (one.outcome, one.detail.as_str())).collect();
        assert_eq!(told, [(AuditOutcome::Success, "to MODALITY: 30 committed, 0 failed"); 2]);
    }
}

#[tokio::test]
async fn what_is_stored_is_committed_to_on_sqlite() {
    what_is_stored_is_committed_to(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_is_stored_is_committed_to_on_postgres() {
    what_is_stored_is_committed_to(Engine::Postgres).await;
}

#[tokio::test]
async fn what_is_not_kept_is_told_with_its_reason() {
    let platform = Platform::start(options(Engine::of_home())).await;
    let port = requestor(&platform, "MODALITY", &[]);
    let [lost, cut, good] = ["LOST", "CUT", "GOOD"].map(|patient| Synthetic::cr(patient, 8, 8));
    store(&platform, std::slice::from_ref(&lost));
    let object = platform.stored_objects().pop().expect("an object");
    platform.remove_object(&object);
    store(&platform, std::slice::from_ref(&cut));
    let object = platform.stored_objects().pop().expect("an object");
    let mut stored = platform.read_object(&object);
    stored.pop();
    platform.write_object(&object, &stored);
    store(&platform, std::slice::from_ref(&good));
    let other_class = good.next();
    store(&platform, std::slice::from_ref(&other_class));
    let references = [
        reference(&lost),
        reference(&cut),
        reference(&good),
        format!("{DX_IMAGE_STORAGE}={}", other_class.sop_instance_uid),
        format!("{CR_IMAGE_STORAGE}=1.2.3.99"),
        format!("{COMMITMENT}=1.2.3.98"),
    ];
    let report = ask(&platform, "MODALITY", port, "1.2.3.5", &references);
    assert_eq!((&report["event_type"], &report["committed"]), (&json!(2), &json!([good.sop_instance_uid])));
    let failed = json!({
        lost.sop_instance_uid: 0x0110, cut.sop_instance_uid: 0x0110, other_class.sop_instance_uid: 0x0119,
        "1.2.3.99": 0x0112, "1.2.3.98": 0x0122,
    });
    assert_eq!(report["failed"], failed);
    // The Transaction UID is taken by that.
    let report = ask(&platform, "MODALITY", port, "1.2.3.5", &[reference(&good)]);
    assert_eq!((&report["event_type"], &report["committed"]), (&json!(2), &json!([])));
    assert_eq!(report["failed"], json!({ good.sop_instance_uid: 0x0131 }));
}

// threats.md row 5
#[tokio::test]
async fn only_what_an_ae_may_see_or_has_sent_is_told_of() {
    let platform = Platform::start(options(Engine::of_home())).await;
    let made = platform.command(&["user", "add", "--username", "wards", "--role", "viewer"]).output();
    assert!(made.expect("maxray runs").status.success());
    let port = requestor(&platform, "WARD", &["--reads-as", "wards"]);
    let [granted, other, own] = ["GRANTED", "OTHER", "OWN"].map(|patient| Synthetic::cr(patient, 8, 8));
    store(&platform, &[granted.clone(), other.clone()]);
    platform.grant("wards", &["--study", &granted.study_instance_uid]);
    let path = platform.scratch().join("own.dcm");
    std::fs::write(&path, own.part10()).expect("a file");
    let sent = Dcmtk::storescu(platform.dicom(), &["-aet", "WARD"], &[path]);
    assert_eq!(sent.store_status(), Some(0), "{}", sent.text);
    let references = [&granted, &other, &own].map(reference);
    let report = ask(&platform, "WARD", port, "1.2.3.6", &references);
    assert_eq!(report["committed"], json!([granted.sop_instance_uid, own.sop_instance_uid]));
    assert_eq!(report["failed"], json!({ other.sop_instance_uid: 0x0112 }));
}

#[tokio::test]
async fn a_requestor_that_is_away_hears_it_later_also_after_a_restart() {
    let mut platform = Platform::start(options(Engine::of_home())).await;
    let port = requestor(&platform, "MODALITY", &[]);
    let one = Synthetic::cr("P1", 8, 8);
    store(&platform, std::slice::from_ref(&one));
    let asked = information("1.2.3.7", &[(CR_IMAGE_STORAGE, &one.sop_instance_uid)]);
    assert_eq!(request(&platform, "MODALITY", &n_action(COMMITMENT, INSTANCE, 1, &asked)), 0);
    let failed = || platform.log().matches("storage commitment not reported").count();
    wait::until("three attempts", async || (failed() >= 3).then_some(())).await;
    assert!(platform.stop().await.success());
    platform.restart().await;
    let said = pynetdicom(&["MODALITY", &port.to_string(), &PATIENCE.as_secs().to_string()]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!((&said[0]["event_type"], &said[0]["transaction_uid"]), (&json!(1), &json!("1.2.3.7")));
    assert_eq!(said[0]["committed"], json!([one.sop_instance_uid]));
}

/// Registers an AE at a port where nobody ever listens; whether a request of it is taken.
fn silent(platform: &Platform) -> impl Fn(&str) -> u16 {
    let nowhere = ["--operation", "commit", "--call-host", "127.0.0.1", "--call-port", "4"];
    platform.register_ae("MODALITY", &nowhere);
    |transaction_uid| {
        let asked = information(transaction_uid, &[(CR_IMAGE_STORAGE, "1.2.3")]);
        request(platform, "MODALITY", &n_action(COMMITMENT, INSTANCE, 1, &asked))
    }
}

#[tokio::test]
async fn as_many_may_wait_as_are_configured() {
    let options = options(Engine::of_home()).with("MAXRAY_PACS__COMMITMENT__PENDING_PER_AE_MAX", "2");
    let platform = Platform::start(options).await;
    let ask = silent(&platform);
    assert_eq!([ask("1.1"), ask("1.2"), ask("1.3"), ask("1.2")], [0, 0, 0x0213, 0]);
}

#[tokio::test]
async fn a_requestor_that_never_answers_is_given_up() {
    let options = options(Engine::of_home())
        .with("MAXRAY_PACS__COMMITMENT__GIVE_UP_AFTER_MS", "1000")
        .with("MAXRAY_PACS__COMMITMENT__PENDING_PER_AE_MAX", "1");
    let platform = Platform::start(options).await;
    let ask = silent(&platform);
    assert_eq!(ask("1.1"), 0);
    let told =
        wait::until("it is given up", async || platform.audit_records("report_commitment").await.pop()).await;
    assert_eq!(told.outcome, AuditOutcome::Failed, "{told:?}");
    assert_eq!(ask("1.2"), 0, "there is room again");
}

// threats.md rows 1, 5, 14
#[tokio::test]
async fn what_is_no_request_of_somebody_who_may_is_refused() {
    let options = options(Engine::of_home()).with("MAXRAY_PACS__COMMITMENT__REFERENCES_MAX", "3");
    let platform = Platform::start(options).await;
    requestor(&platform, "MODALITY", &[]);
    platform.register_ae("NOWHERE", &["--operation", "commit"]);
    platform.register_ae("SENDER", &["--operation", "store", "--call-host", "127.0.0.1", "--call-port", "4"]);
    let uids = ["1.1", "1.2", "1.3", "1.4"].map(|uid| (CR_IMAGE_STORAGE, uid));
    let good = information("1.2.3", &uids[..3]);
    let long = [information("1.2.3", &uids[..1]), identifier(&[(0x0009_0010, &vec![b'x'; 80_000])])].concat();
    let mut tower = identifier(&[(0x0008_1195, b"1.2.3")]);
    for _ in 0..2_000 {
        tower.extend(b"\x08\x00\x99\x11\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff");
    }
    for (calling, class, instance, action, data_set, expected) in [
        ("ANYBODY", COMMITMENT, INSTANCE, 1, &good, 0x0124),
        ("SENDER", COMMITMENT, INSTANCE, 1, &good, 0x0124),
        ("NOWHERE", COMMITMENT, INSTANCE, 1, &good, 0x0110),
        ("MODALITY", "1.2.840.10008.1.20.2", INSTANCE, 1, &good, 0x0122),
        ("MODALITY", COMMITMENT, "1.2.30", 1, &good, 0x0112),
        ("MODALITY", COMMITMENT, INSTANCE, 2, &good, 0x0123),
        ("MODALITY", COMMITMENT, INSTANCE, 1, &information("1.2.3", &[]), 0x0115),
        ("MODALITY", COMMITMENT, INSTANCE, 1, &information("", &uids[..1]), 0x0115),
        ("MODALITY", COMMITMENT, INSTANCE, 1, &good[..good.len() - 4].to_vec(), 0x0115),
        ("MODALITY", COMMITMENT, INSTANCE, 1, &tower, 0x0115),
        ("MODALITY", COMMITMENT, INSTANCE, 1, &information("1.2.3", &uids), 0x0213),
        ("MODALITY", COMMITMENT, INSTANCE, 1, &long, 0x0213),
        ("MODALITY", COMMITMENT, INSTANCE, 1, &good, 0),
    ] {
        let status = request(&platform, calling, &n_action(class, instance, action, data_set));
        assert_eq!(status, expected, "{calling} {class} {instance} {action} {} bytes", data_set.len());
    }
    let refused = platform.audit_records("use_operation").await;
    assert!(refused.len() == 2 && refused.iter().all(|one| one.detail == "commit"), "{refused:?}");
}
