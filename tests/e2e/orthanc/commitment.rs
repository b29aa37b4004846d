//! Storage commitment (PS3.4 Annex J) with Orthanc as the requester, which keeps what it hears, and deletes what it may.

use serde_json::{Value, json};
use tests::{operator::free_port, synthetic::CR_IMAGE_STORAGE, wait};

use super::*;

fn options() -> Options {
    Options::default()
        .with("MAXRAY_WORKER__PREVIEWS", "false")
        .with("MAXRAY_PACS__COMMITMENT__RETRY_FIRST_MS", "200")
        .with("MAXRAY_PACS__COMMITMENT__RETRY_LONGEST_MS", "500")
}

/// Gives Orthanc instances and lets it send them: its identifiers, and what it has to name.
async fn sent_by(orthanc: &Orthanc, instances: &[Synthetic]) -> (Vec<String>, Vec<Value>) {
    let mut ids = Vec::new();
    for one in instances {
        ids.push(orthanc.upload(one.part10()).await);
    }
    send_all(orthanc, "maxray").await;
    let named =
        |one: &Synthetic| json!({ "SOPClassUID": one.sop_class_uid, "SOPInstanceUID": one.sop_instance_uid });
    (ids, instances.iter().map(named).collect())
}

/// Asks for commitment; where Orthanc keeps the transaction.
async fn ask(orthanc: &Orthanc, request: &Value) -> String {
    let said = orthanc.post("/modalities/maxray/storage-commitment", request).await;
    said["Path"].as_str().expect("a path").to_owned()
}

/// Waits for the report.
async fn heard(orthanc: &Orthanc, transaction: &str) -> Value {
    wait::until("a report", async || {
        Some(orthanc.get(transaction).await).filter(|report| report["Status"] != "Pending")
    })
    .await
}

fn sorted(report: &Value, list: &str) -> Vec<String> {
    let items = report[list].as_array().expect("a list");
    let mut uids: Vec<String> =
        items.iter().map(|one| one["SOPInstanceUID"].as_str().expect("a UID").to_owned()).collect();
    uids.sort();
    uids
}

#[tokio::test]
async fn orthanc_deletes_what_is_committed_to() {
    let (platform, orthanc) = pair(options()).await;
    let instances = Synthetic::cr("P1", 32, 32).series(5);
    let (ids, _) = sent_by(&orthanc, &instances).await;
    let transaction = ask(&orthanc, &json!({ "Resources": ids })).await;
    let report = heard(&orthanc, &transaction).await;
    let mut uids: Vec<String> = instances.iter().map(|one| one.sop_instance_uid.clone()).collect();
    uids.sort();
    assert_eq!((&report["Status"], &report["RemoteAET"]), (&json!("Success"), &json!("MAXRAY")));
    assert_eq!((sorted(&report, "Success"), report["Failures"].clone()), (uids, json!([])));
    // Orthanc does this for a transaction alone that ended well.
    orthanc.post(&format!("{transaction}/remove"), &json!({})).await;
    assert_eq!(orthanc.get("/instances").await, json!([]));
    let reader = platform.user("reader", "service").await;
    assert_eq!(tests::qido::rows(&reader, "/instances").await.len(), instances.len());
}

#[tokio::test]
async fn orthanc_hears_what_is_not_kept() {
    let (_platform, orthanc) = pair(options()).await;
    let instances = Synthetic::cr("P1", 32, 32).series(2);
    let (ids, mut named) = sent_by(&orthanc, &instances).await;
    named.push(json!({ "SOPClassUID": CR_IMAGE_STORAGE, "SOPInstanceUID": "1.2.3.99" }));
    let transaction = ask(&orthanc, &json!({ "DicomInstances": named })).await;
    let report = heard(&orthanc, &transaction).await;
    let mut uids: Vec<String> = instances.iter().map(|one| one.sop_instance_uid.clone()).collect();
    uids.sort();
    assert_eq!((&report["Status"], sorted(&report, "Success")), (&json!("Failure"), uids));
    let failures = report["Failures"].as_array().expect("a list");
    assert_eq!((failures.len(), &failures[0]["SOPInstanceUID"]), (1, &json!("1.2.3.99")));
    assert_eq!(failures[0]["FailureReason"], json!(0x0112));
    let (status, said) = orthanc.try_post(&format!("{transaction}/remove"), &json!({})).await;
    assert!(!status.is_success(), "{said}");
    assert_eq!(orthanc.get("/instances").await.as_array().map(Vec::len), Some(ids.len()));
}

/// Between N-ACTION and N-EVENT-REPORT Orthanc goes away, MaxRay starts again, and Orthanc comes back where it is called.
#[tokio::test]
async fn orthanc_hears_it_after_both_were_away() {
    let (mut platform, mut orthanc) = pair(options()).await;
    let instances = Synthetic::cr("P1", 32, 32).series(3);
    let (ids, _) = sent_by(&orthanc, &instances).await;
    let later = free_port();
    platform.ae(&["set", "ORTHANC", "--call-port", &later.to_string()]);
    platform.registry_read_again().await;
    let transaction = ask(&orthanc, &json!({ "Resources": ids })).await;
    let failed = |platform: &Platform| platform.log().matches("storage commitment not reported").count();
    wait::until("attempts", async || (failed(&platform) >= 2).then_some(())).await;
    assert_eq!(orthanc.get(&transaction).await["Status"], "Pending");
    orthanc.stop().await;
    assert!(platform.stop().await.success());
    let before = failed(&platform);
    platform.restart().await;
    wait::until("attempts after the restart", async || (failed(&platform) > before).then_some(())).await;
    orthanc.move_to(later);
    orthanc.start_again().await;
    // Orthanc keeps no transactions over a restart: there is none until the report makes it.
    let report = wait::until("a report", async || {
        let (status, report) = orthanc.try_get(&transaction).await;
        status.is_success().then_some(report)
    })
    .await;
    let mut uids: Vec<String> = instances.iter().map(|one| one.sop_instance_uid.clone()).collect();
    uids.sort();
    assert_eq!((&report["Status"], sorted(&report, "Success")), (&json!("Success"), uids));
}
