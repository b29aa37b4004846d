//! Modality Performed Procedure Step (PS3.4 Annex F) at the door: pynetdicom as the modality, and messages byte by byte.

use std::path::Path;

use database::AuditOutcome;
use model::event::{CompletedBy, Event};
use serde_json::{Value, json};
use tests::{
    platform::{Engine, Options, Platform},
    python,
    scu::{self, Dialogue, Message, identifier},
    session::Session,
    synthetic::Synthetic,
    wait,
};

const MPPS: &str = "1.2.840.10008.3.1.2.3.3";
const IMPLICIT: &str = model::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;

/// An item of two steps; gives its path and its study.
async fn schedule(service: &Session) -> (String, String) {
    let step = |id: &str, modality: &str| {
        json!({
            "scheduled_procedure_step_id": id, "scheduled_station_ae_title": "CR1", "modality": modality,
            "scheduled_procedure_step_start_date": "20260131", "scheduled_procedure_step_start_time": "0930"
        })
    };
    let order = json!({
        "patient_id": "P1", "patient_name": "Doe^Jane", "accession_number": "A-1",
        "scheduled_procedure_step_sequence": [step("S1", "DX"), step("S2", "CT")]
    });
    let item = service.post_json("/worklist", &order).await;
    let text = |field: &str| item[field].as_str().expect("a text").to_owned();
    (format!("/worklist/{}", text("id")), text("study_instance_uid"))
}

async fn statuses(service: &Session, path: &str) -> Vec<String> {
    let item = service.get_json(path).await;
    let steps = item["scheduled_procedure_step_sequence"].as_array().expect("steps");
    let status =
        |step: &Value| step["scheduled_procedure_step_status"].as_str().expect("a status").to_owned();
    steps.iter().map(status).collect()
}

/// Runs pynetdicom; the status and Error ID of each message, and the UID that it is about.
pub(crate) fn pynetdicom(platform: &Platform, title: &str, messages: &Value) -> Vec<((u64, u64), String)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/mpps_check.py");
    let port = platform.dicom().port().to_string();
    let said = python::run(&script, &[&port, title, &messages.to_string()]);
    let answer = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let number = |name: &str| line[name].as_u64().unwrap_or_else(|| panic!("no {name} in {line}"));
        ((number("status"), number("error")), line["uid"].as_str().unwrap_or_default().to_owned())
    };
    said.lines().map(answer).collect()
}

/// Studies that were told to be completed, and by whom; on SQLite.
async fn completed(platform: &Platform) -> Vec<(String, CompletedBy)> {
    let database = platform.database().await;
    let events = database.outbox_after(0, 1000).await.expect("events");
    database.close().await;
    let done = events.into_iter().filter_map(|one| match one.event {
        Event::StudyCompleted { study_instance_uid, completed_by } => {
            Some((study_instance_uid, completed_by))
        }
        _ => None,
    });
    done.collect()
}

async fn a_modality_says_what_it_does(engine: Engine) {
    let platform = Platform::start(Options::on(engine)).await;
    platform.register_ae("CR1", &["--operation", "mpps"]);
    let service = platform.user("his", "service").await;
    let (path, study) = schedule(&service).await;
    let create = |uid: &str, step: &str, patient: &str| json!({ "create": uid, "study": study, "step": step, "patient": patient });
    let said = pynetdicom(&platform, "CR1", &json!([create("1.2.10", "S1", "P1")]));
    assert_eq!(said, [((0, 0), "1.2.10".to_owned())]);
    assert_eq!(statuses(&service, &path).await, ["STARTED", "SCHEDULED"]);
    let said = pynetdicom(
        &platform,
        "CR1",
        &json!([
            { "set": "1.2.10" },
            { "set": "1.2.10", "status": "DONE" },
            // The end is not told, then the series are not.
            { "set": "1.2.10", "status": "COMPLETED" },
            { "set": "1.2.10", "status": "COMPLETED", "end": true },
            { "set": "1.2.10", "status": "COMPLETED", "end": true, "series": "1.2.20" },
            { "set": "1.2.10" },
            { "set": "1.2.10", "status": "IN PROGRESS" },
            create("1.2.10", "S1", "P1"),
        ]),
    );
    let said: Vec<_> = said.into_iter().map(|(said, _)| said).collect();
    let over = (0x0110, 0xa506);
    assert_eq!(said, [(0, 0), (0x0106, 0), (0x0120, 0), (0x0120, 0), (0, 0), over, over, (0x0111, 0)]);
    assert_eq!(statuses(&service, &path).await, ["COMPLETED", "SCHEDULED"]);
    if engine == Engine::Sqlite {
        assert_eq!(completed(&platform).await, [], "one step of it is still to come");
    }
    // A UID is made when there is none; a step that is broken off needs no series.
    let made = pynetdicom(&platform, "CR1", &json!([create("", "S2", "P1")]));
    assert!(made[0].0 == (0, 0) && made[0].1.starts_with("2.25."), "{made:?}");
    assert_eq!(statuses(&service, &path).await, ["COMPLETED", "STARTED"]);
    let ended = json!([{ "set": made[0].1, "status": "DISCONTINUED", "end": true }]);
    assert_eq!(pynetdicom(&platform, "CR1", &ended)[0].0.0, 0);
    assert_eq!(statuses(&service, &path).await, ["COMPLETED", "DISCONTINUED"]);
    if engine == Engine::Sqlite {
        assert_eq!(completed(&platform).await, [(study.clone(), CompletedBy::PerformedStep)]);
        let told = platform.audit_records("update_performed_step").await;
        let told: Vec<_> =
            told.iter().map(|one| (one.actor.calling_ae.as_str(), one.detail.as_str())).collect();
        assert_eq!(told, [("CR1", "IN PROGRESS"), ("CR1", "COMPLETED"), ("CR1", "DISCONTINUED")]);
    }
}

#[tokio::test]
async fn a_modality_says_what_it_does_on_sqlite() {
    a_modality_says_what_it_does(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_modality_says_what_it_does_on_postgres() {
    a_modality_says_what_it_does(Engine::Postgres).await;
}

// threats.md rows 1, 5
#[tokio::test]
async fn only_who_made_a_step_changes_it() {
    let platform = Platform::start(Options::default()).await;
    platform.register_ae("CR1", &["--operation", "mpps"]);
    platform.register_ae("CR2", &["--operation", "mpps"]);
    platform.register_ae("SENDER", &["--operation", "store"]);
    let service = platform.user("his", "service").await;
    let (path, study) = schedule(&service).await;
    let create =
        |patient: &str| json!([{ "create": "1.2.10", "study": study, "step": "S1", "patient": patient }]);
    for title in ["SENDER", "NOBODY"] {
        assert_eq!(pynetdicom(&platform, title, &create("P1"))[0].0.0, 0x0124, "{title}");
    }
    // Of another patient: kept, and nothing follows it.
    assert_eq!(pynetdicom(&platform, "CR1", &create("P2"))[0].0.0, 0);
    assert_eq!(statuses(&service, &path).await, ["SCHEDULED", "SCHEDULED"]);
    assert_eq!(pynetdicom(&platform, "CR2", &json!([{ "set": "1.2.10" }]))[0].0.0, 0x0112);
    let left_out = json!([{ "set": "1.2.10", "patient": "P1" }]);
    assert_eq!(pynetdicom(&platform, "CR1", &left_out)[0].0.0, 0x0107, "a patient is not changed by N-SET");
    let told = platform.audit_records("update_performed_step").await;
    let told: Vec<_> = told.iter().map(|one| (one.outcome, one.actor.calling_ae.as_str())).collect();
    assert_eq!(told, [(AuditOutcome::Refused, "CR2"), (AuditOutcome::Success, "CR1")]);
    let refused = platform.audit_records("use_operation").await;
    assert!(refused.len() == 2 && refused.iter().all(|one| one.detail == "mpps"), "{refused:?}");
}

fn exchange(platform: &Platform, command: &[(u16, Vec<u8>)], data_set: Option<&[u8]>) -> Message {
    let mut dialogue = Dialogue::open(platform.dicom(), "CR1", &[(MPPS, IMPLICIT)], &[]);
    dialogue.write(&Dialogue::encode(1, command, data_set));
    let response = dialogue.message();
    dialogue.release();
    response
}

// threats.md row 14
#[tokio::test]
async fn what_is_no_step_is_refused_and_named() {
    let platform = Platform::start(Options::default()).await;
    platform.register_ae("CR1", &["--operation", "mpps"]);
    let command = |class: &str, instance: &str, data_set: bool| -> Vec<(u16, Vec<u8>)> {
        let kind = if data_set { vec![0, 0] } else { vec![0x01, 0x01] };
        vec![
            (0x0002, class.into()),
            (0x0100, vec![0x40, 0x01]),
            (0x0110, vec![1, 0]),
            (0x0800, kind),
            (0x1000, instance.into()),
        ]
    };
    let mut tower = Vec::new();
    for _ in 0..2_000 {
        tower.extend(b"\x40\x00\x70\x02\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff");
    }
    let modality = identifier(&[(0x0008_0060, b"DX")]);
    let long = identifier(&[(0x0008_0060, b"DX"), (0x0040_0280, &vec![b'x'; 4 << 20])]);
    let cut = b"\x08\x00\x60\x00\xff\xff\xff\x7fDX".to_vec();
    for (class, instance, data_set, expected) in [
        (MPPS, "1.2.10", Some(&modality), 0x0120),
        (MPPS, "1.2.10", Some(&tower), 0x0110),
        (MPPS, "1.2.10", Some(&cut), 0x0110),
        (MPPS, "1.2.10", Some(&long), 0x0213),
        (MPPS, "1.2.10", None, 0x0120),
        (MPPS, "../../", Some(&modality), 0x0117),
        ("1.2.840.10008.3.1.2.3.4", "1.2.10", Some(&modality), 0x0122),
    ] {
        let command = command(class, instance, data_set.is_some());
        let response = exchange(&platform, &command, data_set.map(Vec::as_slice));
        assert_eq!(response.number(0x0100), Some(0x8140));
        assert_eq!(response.status(), expected, "{class} {instance}");
        if data_set == Some(&modality) && expected == 0x0120 {
            let named = response.value(0x1005).expect("an Attribute Identifier List");
            assert_eq!(named.len() / 4, 5, "the others of type 1 that have a value of their own");
        }
    }
}

/// What comes after the modality said that it was done is complete when nothing more comes.
#[tokio::test]
async fn what_comes_after_the_last_step_is_told_as_well() {
    let options = Options::default()
        .with("MAXRAY_WORKER__STUDY_QUIET_SECONDS", "2")
        .with("MAXRAY_WORKER__POLL_INTERVAL_MS", "100");
    let platform = Platform::start(options).await;
    platform.register_ae("CR1", &["--operation", "mpps"]);
    let service = platform.user("his", "service").await;
    let (_, study) = schedule(&service).await;
    let create =
        |uid: &str, step: &str| json!({ "create": uid, "study": study, "step": step, "patient": "P1" });
    let end = |uid: &str| json!({ "set": uid, "status": "COMPLETED", "end": true, "series": "1.2.20" });
    let xray = Synthetic { study_instance_uid: study.clone(), ..Synthetic::dx("P1", 16, 16) };
    let [early, late] = [xray.clone(), xray.next()];
    pynetdicom(&platform, "CR1", &json!([create("1.2.10", "S1"), create("1.2.11", "S2")]));
    scu::store(&platform, &[early]);
    pynetdicom(&platform, "CR1", &json!([end("1.2.10"), end("1.2.11")]));
    assert_eq!(completed(&platform).await, [(study.clone(), CompletedBy::PerformedStep)]);
    scu::store(&platform, &[late]);
    let told = wait::until("the second event", async || {
        Some(completed(&platform).await).filter(|told| told.len() > 1)
    });
    let quiet = (study.clone(), CompletedBy::Quiet);
    assert_eq!(
        told.await,
        [(study.clone(), CompletedBy::PerformedStep), quiet],
        "what was there before is not told again"
    );
}
