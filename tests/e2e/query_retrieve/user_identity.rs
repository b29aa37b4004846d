//! User identity (PS3.7 D.3.3.7) at the door: who proves a person sees what that person sees over DICOMweb, and nobody
//! learns anything by guessing.

use std::{io::Write as _, net::TcpStream, path::Path, time::Duration};

use database::{AuditOutcome, AuditRecord};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    python, qido,
    scu::{Dcmtk, associate_request_with, read_pdu, user_identity},
    session::{PASSWORD, Session},
};

use super::*;
use crate::{access::booked, proxy::speaking_for};

pub(super) const PASSCODE: u8 = 2;
pub(super) const TOKEN: u8 = 5;
/// Refused: Not Authorized (PS3.7 C.5.22).
pub(super) const NOT_AUTHORIZED: u16 = 0x0124;
pub(super) const WORKS: &[&str] = &[
    "--operation",
    "echo",
    "--operation",
    "find",
    "--operation",
    "get",
    "--operation",
    "worklist",
    "--operation",
    "store",
];

/// Runs pynetdicom: what came of each attempt.
fn pynetdicom(platform: &Platform, attempts: &Value) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/user_identity_check.py");
    let port = platform.dicom().port().to_string();
    let said = python::run(&script, &[&port, "FINDSCU", &attempts.to_string()]);
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn by_passcode(username: &str, passcode: &str, get: &[&str]) -> Value {
    json!({ "type": PASSCODE, "primary": username, "secondary": passcode, "get": get })
}

fn by_token(token: &str, get: &[&str]) -> Value {
    json!({ "type": TOKEN, "primary": token, "get": get })
}

/// An account without grants; its password is the kit's.
async fn reader_without_grants(platform: &Platform, admin: &Session) {
    platform.add_user("reader", "viewer");
    let list = platform.command(&["grant", "list", "--username", "reader"]).output().expect("maxray runs");
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let id = list.split('\t').next().expect("an id");
    let answer = admin.request(Method::DELETE, &format!("/grants/{id}")).send().await.expect("an answer");
    assert!(answer.status().is_success(), "{answer:?}");
}

async fn studies_over_http(session: &Session) -> Vec<String> {
    let rows = qido::rows(session, "/studies").await;
    let mut studies: Vec<String> = rows.iter().map(|row| qido::text(row, qido::STUDY_INSTANCE_UID)).collect();
    studies.sort();
    studies
}

fn order(patient_id: &str, station: &str) -> Value {
    json!({ "patient_id": patient_id, "patient_name": "Doe^Jane", "scheduled_procedure_step_sequence": [{
        "scheduled_procedure_step_id": "S1", "scheduled_station_ae_title": station, "modality": "CR",
        "scheduled_procedure_step_start_date": "20260131", "scheduled_procedure_step_start_time": "0930"
    }] })
}

// threats.md rows 5, 39: one set of rules behind all doors.
#[tokio::test]
async fn a_person_sees_over_dimse_what_dicomweb_shows() {
    let platform = platform(Options::default(), &[("FINDSCU", WORKS)]).await;
    let (mine, other) = (Synthetic::cr("PAT-1", 8, 8), Synthetic::cr("PAT-2", 8, 8));
    store(&platform, &[mine.clone(), other.clone()]);
    let (doctor, consultation) = booked(&platform, "ada", "PAT-1").await;
    let admin = platform.sign_in("admin-of-ada", PASSWORD).await;
    reader_without_grants(&platform, &admin).await;
    let program = platform.user("bridge", "service").await;
    let reader = platform.sign_in("reader", PASSWORD).await;
    let mut ordered = order("PAT-1", "CR1");
    ordered["consultation_id"] = json!(consultation);
    program.post_json("/worklist", &ordered).await;
    program.post_json("/worklist", &order("PAT-2", "CR1")).await;
    let issued = doctor.post_json(&format!("/consultations/{consultation}/viewer-token"), &json!({})).await;
    let viewer = doctor.with_token(issued["access_token"].as_str().expect("a token"));

    let both = [mine.study_instance_uid.as_str(), other.study_instance_uid.as_str()];
    let people = [
        (by_passcode("ada", PASSWORD, &both), &doctor, Some(1)),
        (by_token(doctor.token(), &both), &doctor, Some(1)),
        (by_token(viewer.token(), &both), &viewer, None),
        (by_passcode("bridge", PASSWORD, &both), &program, Some(2)),
        (by_token(program.token(), &both), &program, Some(2)),
        (by_passcode("reader", PASSWORD, &both), &reader, None),
    ];
    let attempts: Vec<Value> = people.iter().map(|(attempt, ..)| attempt.clone()).collect();
    let said = pynetdicom(&platform, &json!(attempts));
    assert_eq!(said.len(), people.len());
    for (said, (attempt, session, worklist)) in said.iter().zip(&people) {
        let expected = studies_over_http(session).await;
        let who = attempt["primary"].as_str().expect("a text");
        assert_eq!(said["confirmed"], json!(true), "{who}: {said}");
        assert_eq!(said["studies"], json!({ "found": expected, "status": 0 }), "{who}");
        for (study, one) in both.iter().zip(said["got"].as_array().expect("answers")) {
            let expected: Vec<&str> = [&mine, &other]
                .into_iter()
                .filter(|one| one.study_instance_uid == *study && expected.contains(&one.study_instance_uid))
                .map(|one| one.sop_instance_uid.as_str())
                .collect();
            assert_eq!(*one, json!({ "received": expected, "status": 0 }), "{who} {study}");
        }
        match worklist {
            Some(steps) => {
                let found = said["worklist"]["found"].as_array().expect("answers");
                assert_eq!((found.len(), &said["worklist"]["status"]), (*steps, &json!(0)), "{who}: {said}");
            }
            None => assert_eq!(said["worklist"], json!({ "found": [], "status": NOT_AUTHORIZED }), "{who}"),
        }
    }
    assert_eq!(said[0]["worklist"]["found"], json!(["PAT-1"]));
    assert_eq!(said[5]["studies"]["found"], json!([]), "nothing without a grant");
    the_trail_names_people(&platform, &doctor).await;
}

/// The account and what it acts as, beside the AE.
async fn the_trail_names_people(platform: &Platform, doctor: &Session) {
    let own = doctor.get_json("/sessions/current").await;
    let id = own["user_id"].as_str().unwrap_or_else(|| panic!("{own}")).to_owned();
    for action in ["associate", "search_archive", "retrieve_instances"] {
        let records = platform.audit_records(action).await;
        for role in ["doctor", "consultation-token"] {
            let is_named = |one: &&AuditRecord| {
                let actor = &one.actor;
                actor.user_id.is_some_and(|user| user.to_string() == id)
                    && actor.role == role
                    && actor.calling_ae == "FINDSCU"
            };
            assert!(records.iter().any(|one| is_named(&one)), "{action} as {role}: {records:?}");
        }
    }
}

// threats.md row 5
#[tokio::test]
async fn a_person_never_widens_what_the_ae_may_do_and_goes_before_the_account_that_it_reads_as() {
    let platform = Platform::start(Options::default()).await;
    platform.add_user("bridge", "service");
    platform.add_user("root", "admin");
    let made = platform.command(&["user", "add", "--username", "nobody", "--role", "viewer"]).output();
    assert!(made.expect("maxray runs").status.success());
    platform.register_ae("FINDSCU", &["--operation", "find", "--reads-as", "nobody"]);
    store(&platform, &[Synthetic::cr("P1", 8, 8)]);
    let said = pynetdicom(
        &platform,
        &json!([{ "get": ["1.2.3"] }, by_passcode("bridge", PASSWORD, &["1.2.3"]), by_passcode("root", PASSWORD, &[])]),
    );
    let found =
        |at: usize| (said[at]["studies"]["found"].as_array().map(Vec::len), &said[at]["studies"]["status"]);
    assert_eq!(found(0), (Some(0), &json!(0)), "the account of the AE has no grant");
    assert_eq!(found(1), (Some(1), &json!(0)), "a service account reads everything");
    assert_eq!(found(2), (Some(0), &json!(NOT_AUTHORIZED)), "an administrator reads no images");
    for one in &said[..2] {
        assert_eq!(one["got"][0]["status"], json!(NOT_AUTHORIZED), "not for this AE, whoever asks: {one}");
        assert_eq!(one["worklist"]["status"], json!(NOT_AUTHORIZED), "{one}");
    }
}

#[tokio::test]
async fn a_name_alone_proves_nothing_and_is_not_confirmed() {
    let platform = platform(Options::default(), &[("FINDSCU", WORKS)]).await;
    platform.add_user("ada", "viewer");
    store(&platform, &[Synthetic::cr("P1", 8, 8)]);
    let attempts: Vec<Value> =
        [1, 3, 4].map(|kind| json!({ "type": kind, "primary": "ada", "secondary": "" })).into();
    for said in pynetdicom(&platform, &json!(attempts)) {
        assert_eq!((&said["established"], &said["confirmed"]), (&json!(true), &json!(false)), "{said}");
        assert_eq!(said["studies"]["found"].as_array().map(Vec::len), Some(1), "as the AE: {said}");
    }
    let records = platform.audit_records("search_archive").await;
    assert!(!records.is_empty() && records.iter().all(|one| one.actor.user_id.is_none()), "{records:?}");
}

// threats.md rows 38, 55: passcodes are guessed no better here than at `POST /sessions`.
#[tokio::test]
async fn what_is_not_proved_is_rejected_alike_limited_told_and_recorded() {
    let options = Options::default().with("MAXRAY_DOCTOR_API__SIGN_INS_PER_MINUTE_PER_USER", "2");
    let platform = platform(options, &[("FINDSCU", WORKS)]).await;
    platform.add_user("ada", "viewer");
    let wrong = "not the passcode of ada";
    let attempts = json!([
        by_passcode("ada", wrong, &[]),
        by_passcode("nobody-has-this-name", wrong, &[]),
        by_token("eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl", &[]),
        by_token("no token at all", &[]),
        by_passcode("ada", "x", &[]),
        by_passcode("ada", PASSWORD, &[]),
    ]);
    let said = pynetdicom(&platform, &attempts);
    let rejected: Vec<&Value> = said.iter().map(|one| &one["rejected"]).collect();
    let (permanent, transient) = (json!([1, 2, 1]), json!([2, 2, 1]));
    assert_eq!(rejected[..5], [&permanent; 5]);
    assert_eq!(rejected[5], &transient, "two have failed in this minute: what is right has to wait, too");
    let body = json!({ "username": "ada", "password": PASSWORD });
    let answer = platform.client().post(platform.url("/sessions")).json(&body).send().await;
    assert_eq!(
        answer.expect("an answer").status(),
        StatusCode::TOO_MANY_REQUESTS,
        "one limit for both doors"
    );

    let refused = |records: Vec<AuditRecord>| -> Vec<AuditRecord> {
        records.into_iter().filter(|one| one.outcome == AuditOutcome::Refused).collect()
    };
    let mut told: Vec<String> =
        refused(platform.audit_records("associate").await).into_iter().map(|one| one.detail).collect();
    // Each is recorded after its answer, so that the next one may be first.
    told.sort();
    assert_eq!(told[..5], ["user_identity_not_proved"; 5].map(str::to_owned));
    assert_eq!(told[5..], ["user_identity_tried_too_often"]);
    let failed = refused(platform.audit_records("authenticate").await);
    let of_account = failed.iter().filter(|one| one.actor.user_id.is_some()).count();
    let of_ae = failed.iter().filter(|one| one.actor.calling_ae == "FINDSCU").count();
    assert_eq!((of_account, of_ae), (2, 3), "{failed:?}");
    let alarms = platform.metric("maxray_security_alerts_total{kind=\"associations_refused\"}").await;
    assert!((alarms - 1.0).abs() < f64::EPSILON, "{alarms}");
    let denied =
        platform.metric("maxray_dimse_associations_denied_total{reason=\"user_identity_not_proved\"}").await;
    assert!((denied - 5.0).abs() < f64::EPSILON, "{denied}");
    let log = platform.log();
    assert!(!log.contains(wrong) && !log.contains(PASSWORD), "a passcode stands in the log");
}

#[tokio::test]
async fn dcmtk_says_for_whom_it_sends() {
    let platform = platform(Options::default(), &[("FINDSCU", WORKS)]).await;
    let session = platform.user("ada", "viewer").await;
    let one = Synthetic::cr("P1", 8, 8);
    let file = platform.scratch().join("one.dcm");
    std::fs::write(&file, one.part10()).expect("a file");
    let token = platform.scratch().join("token");
    std::fs::write(&token, session.token()).expect("a file");
    let token = token.display().to_string();
    let send = |identity: &[&str]| {
        let arguments = [&["-aet", "FINDSCU"], identity].concat();
        Dcmtk::storescu(platform.dicom(), &arguments, std::slice::from_ref(&file))
    };
    let by_passcode = ["--user", "ada", "--password", PASSWORD, "--pos-response"];
    for identity in [&by_passcode[..], &["--jwt", &token, "--pos-response"], &["--user", "ada"]] {
        let sent = send(identity);
        assert_eq!(sent.store_status(), Some(0), "{}", sent.text);
    }
    let garbage = platform.scratch().join("garbage");
    std::fs::write(&garbage, "no token").expect("a file");
    let garbage = garbage.display().to_string();
    for identity in [
        &["--user", "ada", "--password", "wrong"][..],
        &["--user", "ada", "--empty-password"],
        &["--jwt", &garbage],
    ] {
        let refused = send(identity);
        assert!(!refused.success && refused.store_status().is_none(), "{}", refused.text);
        assert!(refused.text.contains("Rejected"), "{}", refused.text);
    }
    let named: Vec<_> = platform.audit_records("associate").await;
    let proved = |one: &&AuditRecord| one.outcome == AuditOutcome::Success && one.actor.user_id.is_some();
    assert_eq!(named.iter().filter(proved).count(), 2, "{named:?}");
}

/// What a door answers to somebody who says a passcode from elsewhere, through a proxy of this machine.
fn said_from_elsewhere(platform: &Platform, identity: &(u8, Vec<u8>)) -> Vec<u8> {
    let mut stream = TcpStream::connect(platform.dicom()).expect("connected");
    stream.set_read_timeout(Some(Duration::from_mins(1))).expect("an option");
    stream.write_all(&speaking_for([192, 0, 2, 17])).expect("written");
    let contexts = [(1, STUDY_FIND, vec![IMPLICIT])];
    let request = associate_request_with("MAXRAY", "FINDSCU", &contexts, std::slice::from_ref(identity));
    stream.write_all(&request.encode()).expect("written");
    let answer = read_pdu(&mut stream).expect("an answer");
    [vec![answer.kind], answer.body.get(1..4).unwrap_or_default().to_vec()].concat()
}

// threats.md row 4
#[tokio::test]
async fn a_passcode_that_came_in_the_clear_from_elsewhere_proves_nothing() {
    let options = Options::default().with("MAXRAY_PACS__PROXIES", "[\"127.0.0.1\"]");
    let mut platform = Platform::start(options).await;
    let session = platform.user("ada", "viewer").await;
    platform.ae(&["add", "FINDSCU", "192.0.2.17", "--operation", "find"]);
    let passcode = user_identity(PASSCODE, b"ada", PASSWORD.as_bytes());
    let token = user_identity(TOKEN, session.token().as_bytes(), b"");
    for identity in [&passcode, &token] {
        assert_eq!(said_from_elsewhere(&platform, identity), [3, 1, 2, 1]);
    }
    assert_eq!(said_from_elsewhere(&platform, &user_identity(1, b"ada", b""))[0], 2, "no secret is told");
    let told = platform.audit_records("associate").await;
    assert_eq!(told.iter().filter(|one| one.detail == "user_identity_in_the_clear").count(), 2, "{told:?}");
    // A network that is trusted.
    platform.kill();
    platform.set("MAXRAY_PACS__INSECURE", "true");
    platform.restart().await;
    for identity in [&passcode, &token] {
        assert_eq!(said_from_elsewhere(&platform, identity)[0], 2);
    }
}
