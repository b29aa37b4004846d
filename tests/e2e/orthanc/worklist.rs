//! The Modality Worklist (PS3.4 Annex K), asked by Orthanc for a modality, and the images that follow.

use serde_json::{Value, json};
use tests::wait;

use super::*;

async fn find(orthanc: &Orthanc, keys: &Value) -> Vec<Value> {
    let found = orthanc.post("/modalities/maxray/find-worklist", keys).await;
    found.as_array().expect("a list").clone()
}

#[tokio::test]
async fn orthanc_asks_for_work_and_sends_what_came_of_it() {
    let (platform, orthanc) = pair(Options::default()).await;
    let service = platform.user("his", "service").await;
    let step = |id: &str, station: &str, modality: &str| {
        json!({
            "scheduled_procedure_step_id": id, "scheduled_station_ae_title": station, "modality": modality,
            "scheduled_procedure_step_start_date": "20260131", "scheduled_procedure_step_start_time": "0930",
        })
    };
    let order = json!({
        "patient_id": "P1", "patient_name": "Müller^Jörg",
        "scheduled_procedure_step_sequence": [step("S1", "ORTHANC", "CR"), step("S2", "CT1", "CT")],
    });
    let item = service.post_json("/worklist", &order).await;
    let keys = |more: Value| {
        let mut step =
            json!({ "ScheduledProcedureStepID": "", "Modality": "", "ScheduledProcedureStepStartDate": "" });
        step.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json!({
            "PatientID": "", "PatientName": "", "StudyInstanceUID": "", "ScheduledProcedureStepSequence": [step],
        })
    };
    let own = find(&orthanc, &keys(json!({ "ScheduledStationAETitle": "ORTHANC", "ScheduledProcedureStepStartDate": "20260130-20260201" }))).await;
    assert_eq!(own.len(), 1, "{own:?}");
    let step = &own[0]["ScheduledProcedureStepSequence"][0];
    assert_eq!((&step["ScheduledProcedureStepID"], &step["Modality"]), (&json!("S1"), &json!("CR")));
    // Orthanc asks in Latin 1, and is answered in it.
    let charset = &own[0]["SpecificCharacterSet"];
    assert_eq!((&own[0]["PatientName"], charset), (&json!("Müller^Jörg"), &json!("ISO_IR 100")));
    let ct = find(&orthanc, &keys(json!({ "Modality": "CT" }))).await;
    assert_eq!(ct[0]["ScheduledProcedureStepSequence"][0]["ScheduledProcedureStepID"], json!("S2"), "{ct:?}");
    assert_eq!(find(&orthanc, &keys(json!({ "Modality": "MR" }))).await, Vec::<Value>::new());

    let study = own[0]["StudyInstanceUID"].as_str().expect("a study").to_owned();
    assert_eq!(item["study_instance_uid"], json!(study));
    let image = Synthetic { study_instance_uid: study, ..Synthetic::cr("P1", 8, 8) };
    orthanc.upload(image.part10()).await;
    send_all(&orthanc, "maxray").await;
    let path = format!("/worklist/{}", item["id"].as_str().expect("an id"));
    wait::until("the step to have started", async || {
        let item = service.get_json(&path).await;
        let steps = item["scheduled_procedure_step_sequence"].as_array().expect("steps").clone();
        let state = |id: &str| {
            let step = steps.iter().find(|one| one["scheduled_procedure_step_id"] == id).expect("a step");
            step["scheduled_procedure_step_status"].clone()
        };
        (state("S1") == "STARTED" && state("S2") == "SCHEDULED").then_some(())
    })
    .await;
}
