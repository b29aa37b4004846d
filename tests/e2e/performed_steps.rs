//! What modalities said that they did, beside the studies that came of it, over REST.

use database::AuditOutcome;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{
    platform::{Engine, Options, Platform},
    scu,
    session::Session,
    synthetic::Synthetic,
};

use crate::{access::booked, mpps::pynetdicom};

fn creation(uid: &str, study: &str, patient: &str) -> Value {
    json!({ "create": uid, "study": study, "step": "S1", "patient": patient })
}

/// The UIDs of the steps of a page.
async fn steps(session: &Session, query: &str) -> Vec<String> {
    let page = session.get_json(&format!("/performed-steps{query}")).await;
    let uid = |step: &Value| step["sop_instance_uid"].as_str().expect("a UID").to_owned();
    page["items"].as_array().expect("items").iter().map(uid).collect()
}

/// What the modality says, of the patient and the study of an X-ray.
fn say(platform: &Platform, xray: &Synthetic) {
    let study = &xray.study_instance_uid;
    let said = pynetdicom(
        platform,
        "CR1",
        &json!([
            creation("1.2.10", study, "PAT-1"),
            { "set": "1.2.10", "status": "COMPLETED", "end": true, "series": xray.series_instance_uid },
            // Of another patient, whatever the study is: nobody who sees the study sees it for that.
            creation("1.2.11", study, "PAT-9"),
            // Of which no image comes.
            creation("1.2.12", "1.2.99", "PAT-1"),
            // Of the same ID at another site, and of nobody.
            { "create": "1.2.13", "study": study, "step": "S1", "patient": "PAT-1", "issuer": "ELSEWHERE" },
            creation("1.2.14", study, ""),
            // Of two studies, one of which is not there.
            { "create": "1.2.15", "study": study, "other_study": "1.2.98", "step": "S1", "patient": "PAT-1" },
        ]),
    );
    assert!(said.iter().all(|(answer, _)| *answer == (0, 0)), "{said:?}");
}

async fn is_shown_whole(doctor: &Session, xray: &Synthetic) {
    let study = &xray.study_instance_uid;
    let one = doctor.get_json("/performed-steps/1.2.10").await;
    let expected = json!({
        "ae_title": "CR1", "performed_procedure_step_status": "COMPLETED", "modality": "DX", "patient_id": "PAT-1",
        "performed_procedure_step_id": "PPS1", "performed_procedure_step_start_date": "20260131",
        "performed_procedure_step_start_time": "093100", "performed_procedure_step_end_time": "094000",
        "scheduled_step_attributes_sequence":
            [{ "study_instance_uid": study, "accession_number": "A-1", "scheduled_procedure_step_id": "S1" }],
    });
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&one[field], value, "{field}");
    }
    let series = &one["attributes"]["00400340"]["Value"][0]["0020000E"]["Value"][0];
    assert_eq!(series, &json!(xray.series_instance_uid), "everything that was said");
}

async fn is_shown_in_the_meeting(doctor: &Session, consultation: &str, study: &str) {
    let link = json!({ "study_instance_uid": study });
    doctor.post_json(&format!("/consultations/{consultation}/studies"), &link).await;
    let shown = doctor.get_json(&format!("/consultations/{consultation}/studies")).await;
    let shown = &shown["studies"][0]["performed_steps"];
    assert_eq!(shown.as_array().map(Vec::len), Some(1), "{shown}");
    assert_eq!(shown[0]["sop_instance_uid"], "1.2.10");
}

async fn what_a_modality_did_stands_beside_the_study(engine: Engine) {
    let platform = Platform::start(Options::on(engine)).await;
    platform.register_ae("CR1", &["--operation", "mpps"]);
    let service = platform.user("his", "service").await;
    let (doctor, consultation) = booked(&platform, "jones", "PAT-1").await;
    let (stranger, _) = booked(&platform, "smith", "PAT-2").await;
    let xray = Synthetic::cr("PAT-1", 8, 8);
    let study = xray.study_instance_uid.clone();
    say(&platform, &xray);
    let all = ["1.2.15", "1.2.14", "1.2.13", "1.2.12", "1.2.11", "1.2.10"];
    assert_eq!(steps(&service, "").await, all);
    assert_eq!(steps(&doctor, "").await, [""; 0], "no study has come");
    assert_eq!(scu::send_files(platform.dicom(), &[xray.part10()]).expect("an association"), [0]);
    assert_eq!(steps(&doctor, "").await, ["1.2.10"]);
    assert_eq!(steps(&stranger, "").await, [""; 0]);
    assert_eq!(steps(&stranger, &format!("?study_instance_uid={study}")).await, [""; 0]);
    for (query, expected) in [
        (format!("?study_instance_uid={study}"), vec!["1.2.15", "1.2.14", "1.2.13", "1.2.11", "1.2.10"]),
        ("?performed_procedure_step_status=IN%20PROGRESS".to_owned(), all[..5].to_vec()),
        ("?performed_procedure_step_status=COMPLETED&ae_title=CR1".to_owned(), vec!["1.2.10"]),
        ("?ae_title=CR2".to_owned(), vec![]),
        ("?limit=1&offset=4".to_owned(), vec!["1.2.11"]),
    ] {
        assert_eq!(steps(&service, &query).await, expected, "{query}");
    }
    is_shown_whole(&doctor, &xray).await;
    for (session, uid) in
        [(&stranger, "1.2.10"), (&doctor, "1.2.11"), (&doctor, "1.2.15"), (&service, "1.2.16")]
    {
        let answer = session.get(&format!("/performed-steps/{uid}")).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{uid}");
    }
    is_shown_in_the_meeting(&doctor, &consultation, &study).await;
    if engine == Engine::Sqlite {
        let mut looked = platform.audit_records("get_performed_step").await;
        // Looks at nothing by the same person share a record for a while.
        let refused = looked.split_off(1);
        assert!(
            refused.len() == 3 && refused.iter().all(|one| one.outcome == AuditOutcome::Refused),
            "{refused:?}"
        );
        assert_eq!(
            (looked[0].subject.as_str(), looked[0].study_instance_uid.as_str()),
            ("1.2.10", study.as_str())
        );
    }
}

#[tokio::test]
async fn what_a_modality_did_stands_beside_the_study_on_sqlite() {
    what_a_modality_did_stands_beside_the_study(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_a_modality_did_stands_beside_the_study_on_postgres() {
    what_a_modality_did_stands_beside_the_study(Engine::Postgres).await;
}

#[tokio::test]
async fn only_whoever_reads_studies_asks_for_steps() {
    let platform = Platform::start(Options::default()).await;
    let admin = platform.user("chief", "admin").await;
    assert_eq!(admin.get("/performed-steps").await.status(), StatusCode::FORBIDDEN);
    let service = platform.user("his", "service").await;
    let wrong = service.get("/performed-steps?performed_procedure_step_status=DONE").await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    let problem: Value = wrong.json().await.expect("JSON");
    assert!(problem.to_string().contains("performed_procedure_step_status"), "{problem}");
}
