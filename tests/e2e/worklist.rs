//! The Modality Worklist (PS3.4 Annex K) at the door, fed over REST: pynetdicom, DCMTK's findscu, and associations in
//! which every message is seen.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    platform::{Engine, Options, Platform},
    python,
    scu::{Dcmtk, Dialogue, Message, identifier, send_files},
    session::Session,
    synthetic::Synthetic,
};

const WORKLIST: &str = "1.2.840.10008.5.1.4.31";
const IMPLICIT: &str = model::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;
const C_FIND: u16 = 0x0020;
const PATIENT_NAME: u32 = 0x0010_0010;

const ASKS: &[&str] = &["--operation", "worklist"];

fn step(id: &str, station: &str, modality: &str, date: &str, time: &str) -> Value {
    json!({
        "scheduled_procedure_step_id": id, "scheduled_station_ae_title": station, "modality": modality,
        "scheduled_procedure_step_start_date": date, "scheduled_procedure_step_start_time": time
    })
}

fn order(patient_id: &str, name: &str, steps: &[Value]) -> Value {
    json!({ "patient_id": patient_id, "patient_name": name, "scheduled_procedure_step_sequence": steps })
}

/// Two patients, three steps.
async fn schedule(platform: &Platform) -> Session {
    let service = platform.user("his", "service").await;
    let first = [step("S1", "CR1", "DX", "20260131", "0930"), step("S2", "CT1", "CT", "20260131", "1400")];
    service.post_json("/worklist", &order("P1", "Müller^Jörg", &first)).await;
    let second = [step("S3", "CR1", "DX", "20260201", "0800")];
    service.post_json("/worklist", &order("P2", "Doe^Jane", &second)).await;
    service
}

/// Runs pynetdicom: what came of each query.
fn pynetdicom(platform: &Platform, title: &str, queries: &Value) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/worklist_check.py");
    let port = platform.dicom().port().to_string();
    let said = python::run(&script, &[&port, title, &queries.to_string()]);
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn steps(answer: &Value) -> Vec<&str> {
    let answers = answer["answers"].as_array().expect("answers");
    answers.iter().map(|one| one["step"].as_str().expect("a step")).collect()
}

/// One C-FIND in Implicit VR: pending responses and the last one.
fn find(platform: &Platform, title: &str, class: &str, keys: &[u8]) -> (Vec<Message>, Message) {
    let mut dialogue = Dialogue::open(platform.dicom(), title, &[(WORKLIST, IMPLICIT)], &[]);
    dialogue.write(&Dialogue::request(C_FIND, class, None, keys));
    let found = dialogue.responses();
    dialogue.release();
    found
}

fn contains(message: &Message, part: &[u8]) -> bool {
    message.data_set.as_ref().is_some_and(|bytes| bytes.windows(part.len()).any(|window| window == part))
}

async fn modalities_find_what_is_scheduled(engine: Engine) {
    let platform = Platform::start(Options::on(engine)).await;
    platform.register_ae("CR1", ASKS);
    schedule(&platform).await;
    let queries = json!([
        {},
        { "step": { "ScheduledStationAETitle": "CR1", "ScheduledProcedureStepStartDate": "20260131" } },
        { "step": { "Modality": "CT" } },
        { "step": { "ScheduledProcedureStepStartDate": "20260131-20260201", "ScheduledProcedureStepStartTime": "1000-0900" } },
        { "PatientName": "MULLER*" },
        { "PatientID": "P2", "SpecificCharacterSet": "ISO_IR 100" },
        { "step": { "ScheduledProcedureStepStatus": "COMPLETED" } },
        { "InstitutionName": "Elsewhere" },
    ]);
    let answers = pynetdicom(&platform, "CR1", &queries);
    let found: Vec<Vec<&str>> = answers.iter().map(steps).collect();
    let all = vec!["S1", "S2", "S3"];
    let expected =
        [all.clone(), vec!["S1"], vec!["S2"], vec!["S2", "S3"], vec!["S1", "S2"], vec!["S3"], vec![], all];
    assert_eq!(found, expected, "{answers:?}");
    assert!(answers.iter().all(|answer| answer["last"] == json!(0)), "{answers:?}");
    let first = &answers[0]["answers"][0];
    assert_eq!(
        (&first["status"], &first["patient"], &first["set"], &first["is"]),
        (&json!(0xff00), &json!("Müller^Jörg"), &json!("ISO_IR 192"), &json!("SCHEDULED"))
    );
    assert_eq!(answers[5]["answers"][0]["set"], json!(""), "ASCII needs no character set");
    assert_eq!(answers[7]["answers"][0]["status"], json!(0xff01), "a key that nobody knows");
    if engine == Engine::Sqlite {
        let asked = platform.audit_records("search_worklist").await;
        assert_eq!(asked.len(), 8);
        assert!(
            asked.iter().all(|one| one.actor.calling_ae == "CR1" && !one.detail.contains("MULLER")),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn modalities_find_what_is_scheduled_on_sqlite() {
    modalities_find_what_is_scheduled(Engine::Sqlite).await;
}

#[tokio::test]
async fn modalities_find_what_is_scheduled_on_postgres() {
    modalities_find_what_is_scheduled(Engine::Postgres).await;
}

#[tokio::test]
async fn dcmtk_is_told_in_the_character_set_that_it_asks_in() {
    let platform = Platform::start(Options::default()).await;
    platform.register_ae("CR1", ASKS);
    schedule(&platform).await;
    let keys = [
        "-aet",
        "CR1",
        "-W",
        "-k",
        "0010,0010=M*",
        "-k",
        "(0040,0100)[0].0040,0001=CR1",
        "-k",
        "(0040,0100)[0].0008,0060",
    ];
    let found = Dcmtk::findscu(platform.dicom(), &keys);
    assert!(found.success && found.text.matches("Pending").count() == 1, "{}", found.text);
    assert!(found.text.contains("[CR1 ]") && found.text.contains("[DX]"), "{}", found.text);
    let keys = identifier(&[(0x0008_0005, b"ISO_IR 100"), (PATIENT_NAME, b"M\xfcller*")]);
    let (found, last) = find(&platform, "CR1", WORKLIST, &keys);
    assert_eq!((found.len(), last.status()), (2, 0));
    assert!(found.iter().all(|one| contains(one, b"M\xfcller^J\xf6rg") && contains(one, b"ISO_IR 100")));
}

// threats.md rows 1, 5
#[tokio::test]
async fn a_station_sees_what_its_registration_says() {
    let platform = Platform::start(Options::default()).await;
    platform.register_ae("CT1", &[ASKS, &["--own-worklist", "true"]].concat());
    platform.register_ae("ANYCR", ASKS);
    platform.register_ae("FINDER", &["--operation", "find", "--operation", "store"]);
    schedule(&platform).await;
    let everything = json!([{}, { "step": { "ScheduledStationAETitle": "CR1" } }]);
    let own = pynetdicom(&platform, "CT1", &everything);
    assert_eq!((steps(&own[0]), steps(&own[1])), (vec!["S2"], vec![]));
    let any = pynetdicom(&platform, "ANYCR", &everything);
    assert_eq!((steps(&any[0]), steps(&any[1])), (vec!["S1", "S2", "S3"], vec!["S1", "S3"]));
    for title in ["FINDER", "NOBODY"] {
        let (found, last) = find(&platform, title, WORKLIST, &identifier(&[(PATIENT_NAME, b"")]));
        assert_eq!((found.len(), last.status()), (0, 0x0124), "{title}");
    }
    // Who may ask for work may not ask for studies.
    let studies = Dcmtk::findscu(platform.dicom(), &["-aet", "ANYCR", "-S", "-k", "0008,0052=STUDY"]);
    assert!(studies.text.contains("0x124"), "{}", studies.text);
    let refused = platform.audit_records("use_operation").await;
    let refused: Vec<_> = refused.iter().map(|one| one.detail.as_str()).collect();
    assert_eq!(refused, ["worklist", "worklist", "find"]);
}

#[tokio::test]
async fn answers_are_streamed_and_can_be_cancelled() {
    let platform = Platform::start(Options::default()).await;
    platform.register_ae("CR1", ASKS);
    let service = platform.user("his", "service").await;
    for number in 0..25 {
        let steps: Vec<Value> =
            (0..20).map(|part| step(&format!("{number}-{part}"), "CR1", "DX", "20260131", "0930")).collect();
        service.post_json("/worklist", &order(&format!("P{number}"), "Doe^Jane", &steps)).await;
    }
    let keys = identifier(&[(PATIENT_NAME, b""), (0x0040_1001, b"")]);
    let mut dialogue = Dialogue::open(platform.dicom(), "CR1", &[(WORKLIST, IMPLICIT)], &[]);
    let request = Dialogue::request(C_FIND, WORKLIST, None, &keys);
    dialogue.write(&[request.clone(), Dialogue::cancel(1)].concat());
    let (found, last) = dialogue.responses();
    assert_eq!(last.status(), 0xfe00);
    assert!(found.len() < 400, "{} after the cancel", found.len());
    dialogue.write(&request);
    let (found, last) = dialogue.responses();
    assert_eq!((found.len(), last.status()), (500, 0));
    dialogue.release();
}

// threats.md row 14
#[tokio::test]
async fn what_is_no_identifier_is_refused() {
    let platform = Platform::start(Options::default()).await;
    platform.register_ae("CR1", ASKS);
    let mut tower = Vec::new();
    for _ in 0..2_000 {
        tower.extend(b"\x40\x00\x00\x01\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff");
    }
    let good = identifier(&[(PATIENT_NAME, b"")]);
    for (class, keys, expected) in [
        (WORKLIST, &good, 0),
        ("1.2.840.10008.5.1.4.1.2.2.1", &good, 0x0122),
        (WORKLIST, &tower, 0xc001),
        (WORKLIST, &b"\x10\x00\x10\x00\xff\xff\xff\x7fxx".to_vec(), 0xc001),
        (WORKLIST, &identifier(&[(0x0010_0030, b"yesterday")]), 0xc001),
        (WORKLIST, &identifier(&[(0x0009_0010, &vec![b'x'; 300_000])]), 0xa700),
    ] {
        let (found, last) = find(&platform, "CR1", class, keys);
        assert_eq!((found.len(), last.status()), (0, expected), "{class} {} bytes", keys.len());
    }
}

/// From the order over the modality to the doctor's screen.
#[tokio::test]
async fn the_study_of_an_order_arrives_in_its_consultation() {
    let platform = Platform::start(Options::default()).await;
    platform.register_ae("CR1", ASKS);
    let admin = platform.user("boss", "admin").await;
    let doctor = admin.post_json("/doctors", &json!({ "name": "Ada Osei", "time_zone": "UTC" })).await;
    let service = platform.user("his", "service").await;
    let path = format!("/doctors/{}/consultation", doctor["id"].as_str().expect("an id"));
    let consultation = service.post_json(&path, &json!({ "patient_id": "P1" })).await;
    let mut wanted = order("P1", "Doe^Jane", &[step("S1", "CR1", "CR", "20260131", "0930")]);
    wanted["consultation_id"] = consultation["id"].clone();
    let item = service.post_json("/worklist", &wanted).await;
    // What the modality is told goes into its images.
    let told = pynetdicom(&platform, "CR1", &json!([{ "PatientID": "P1" }]));
    let study = told[0]["answers"][0]["study"].as_str().expect("a study").to_owned();
    assert_eq!(item["study_instance_uid"], json!(study));
    let image = Synthetic { study_instance_uid: study.clone(), ..Synthetic::cr("P1", 8, 8) };
    assert_eq!(send_files(platform.dicom(), &[image.part10()]).expect("sent"), [0]);
    let item = service.get_json(&format!("/worklist/{}", item["id"].as_str().expect("an id"))).await;
    let step = &item["scheduled_procedure_step_sequence"][0];
    assert_eq!((&step["scheduled_procedure_step_status"], &item["version"]), (&json!("STARTED"), &json!(2)));
    let path = format!("/consultations/{}", consultation["id"].as_str().expect("an id"));
    let seen = service.get_json(&path).await;
    assert_eq!(seen["studies"][0]["study_instance_uid"], json!(study), "{seen}");
    let asked =
        service.request(Method::GET, "/worklist?scheduled_procedure_step_status=STARTED").send().await;
    assert_eq!(
        tests::session::json(asked.expect("an answer")).await["items"].as_array().map(Vec::len),
        Some(1)
    );
}
