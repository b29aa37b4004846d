//! What becomes of a report after it was signed, and where it is found.

use axum::http::{StatusCode, header};
use model::event::Event;
use serde_json::json;
use uuid::Uuid;

use super::{super::house::House, STUDY, content, reading, with};

/// What events say of reports: which, and of a signed one whether it is critical.
async fn told(house: &House) -> Vec<(Uuid, Option<bool>)> {
    let told = house.database().outbox_after(0, 1_000).await.expect("outbox");
    let told = told.iter().filter_map(|envelope| match &envelope.event {
        Event::ReportFinalized { report_id, critical, .. } => Some((*report_id, Some(*critical))),
        Event::ReportCancelled { report_id, .. } => Some((*report_id, None)),
        _ => None,
    });
    told.collect()
}

#[tokio::test]
async fn a_correction_takes_the_place_and_is_what_is_found_on_the_study() {
    let practice = reading().await;
    let house = &practice.house;
    let (_, other) = house.store("P1", 2).await;
    let link = json!({ "study_instance_uid": STUDY });
    let studies = format!("/consultations/{}/studies", practice.consultation);
    assert_eq!(practice.post(&studies, link).await.status, StatusCode::CREATED);
    let seen = async |token: &str| {
        let all = house.get(&studies, token).await.json();
        (all["studies"][0]["findings"].clone(), all["prior_studies"][0]["findings"].clone())
    };
    let first = practice.begun(content("Clear.")).await;
    assert_eq!(seen(&practice.ada).await, (json!([]), json!([])), "a draft is no finding");
    assert_eq!(practice.post(&format!("{first}/replace"), content("x")).await.status, StatusCode::CONFLICT);
    practice.signed(&first).await;
    let critical = json!({
        "study_instance_uids": [STUDY, other], "critical": true, "critical_result": "Told the ward.",
    });
    let replacement =
        practice.post(&format!("{first}/replace"), with(content("Pneumothorax."), critical)).await;
    assert_eq!(replacement.status, StatusCode::CREATED, "{:?}", replacement.body);
    let new = replacement.header(header::LOCATION).to_owned();
    let again = practice.post(&format!("{first}/replace"), content("x")).await;
    assert_eq!(again.json()["type"], "urn:maxray:problem:replaced-already");
    let (of_linked, of_prior) = seen(&practice.ada).await;
    assert_eq!((&of_linked[0]["impression"], of_prior), (&json!("Clear."), json!([])), "it holds until then");
    let signed = practice.signed(&new).await;
    assert_eq!(house.get(&first, &practice.ada).await.json()["status"], "superseded");
    let (of_linked, of_prior) = seen(&practice.ada).await;
    let finding = json!([{
        "id": signed["id"], "doctor_id": practice.doctor.id, "finalized_at": signed["signature"]["finalized_at"],
        "impression": "Pneumothorax.", "critical": true,
    }]);
    assert_eq!((of_linked, of_prior), (finding.clone(), finding.clone()));
    let detail = house.get(&format!("/consultations/{}", practice.consultation), &practice.ada).await.json();
    assert_eq!(
        (&detail["studies"][0]["findings"], &detail["candidate_studies"][0]["findings"]),
        (&finding, &finding)
    );
    let patient = house.get("/patients/P1", &practice.ada).await.json();
    assert_eq!(patient["reports"], 2);
    let history = house.get("/patients/P1/history", &practice.ada).await.json();
    let reports = history["items"].as_array().expect("items").iter().filter(|item| item["kind"] == "report");
    let reports: Vec<_> =
        reports.map(|item| (&item["report"]["status"], &item["report"]["impression"])).collect();
    assert_eq!(
        reports,
        [(&json!("finalized"), &json!("Pneumothorax.")), (&json!("superseded"), &json!("Clear."))]
    );
    let cancelled = practice.post(&format!("{new}/cancel"), json!({})).await;
    assert_eq!(cancelled.status, StatusCode::OK);
    assert_eq!(seen(&practice.ada).await, (json!([]), json!([])), "what was taken back is no finding");
    let id = |path: &str| path.trim_start_matches("/reports/").parse().expect("an id");
    assert_eq!(told(house).await, [(id(&first), Some(false)), (id(&new), Some(true)), (id(&new), None)]);
}

#[tokio::test]
async fn a_report_that_is_sent_again_is_written_once() {
    let practice = reading().await;
    let house = &practice.house;
    let path = format!("/doctors/{}/report", practice.doctor.id);
    let body = with(content("Clear."), json!({ "consultation_id": practice.consultation }));
    let key = ("idempotency-key", "k1");
    let first = house.with_header(("POST", &path), &practice.ada, key, body.clone()).await;
    let again = house.with_header(("POST", &path), &practice.ada, key, body).await;
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    assert_eq!(again.header("idempotency-replayed"), "true");
    let finalize = format!("{}/finalize", first.header(header::LOCATION));
    let signed =
        house.with_header(("POST", &finalize), &practice.ada, ("idempotency-key", "k2"), json!({})).await;
    let again =
        house.with_header(("POST", &finalize), &practice.ada, ("idempotency-key", "k2"), json!({})).await;
    assert_eq!((signed.status, &signed.body), (StatusCode::OK, &again.body));
    let count = house.get("/patients/P1", &practice.ada).await.json()["reports"].clone();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn a_report_goes_with_an_erasure_and_stays_when_its_study_is_deleted() {
    let practice = reading().await;
    let house = &practice.house;
    let old = practice.begun(content("Clear.")).await;
    practice.signed(&old).await;
    let new = practice
        .post(&format!("{old}/replace"), content("Pneumonia."))
        .await
        .header(header::LOCATION)
        .to_owned();
    let code =
        practice.signed(&new).await["signature"]["verification_code"].as_str().expect("a code").to_owned();
    let verify = format!("{new}/verify?code={code}");
    house.store("P1", 2).await;
    let xrays = house.get(&format!("/xrays?study_instance_uid={STUDY}"), &practice.ada).await.json();
    let xray = xrays["items"][0]["id"].as_str().expect("an id");
    practice.delete_xray(xray).await;
    assert_eq!(house.get(&new, &practice.ada).await.json()["study_instance_uids"], json!([STUDY]));
    assert_eq!(house.get(&verify, "").await.json()["genuine"], true);
    let found = house.database().patients_by_patient_id("P1", None).await.expect("looked up");
    let erasure = database::Erasure { reason: "asked for", any_name: true };
    let actor = database::AuditActor::default();
    house.archive.erase_patient(found[0].id, erasure, &actor).await.expect("erased");
    for gone in [&old, &new] {
        assert_eq!(house.get(gone, &practice.ada).await.status, StatusCode::NOT_FOUND, "{gone}");
    }
    assert_eq!(house.get(&verify, "").await.status, StatusCode::NOT_FOUND);
}
