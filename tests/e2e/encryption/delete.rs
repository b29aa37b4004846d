//! `DELETE` of studies and instances: two administrators, a grace period with a way back, then gone for good.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tests::{
    ledger::Ledger,
    platform::{Engine, Options, Platform},
    qido,
    session::{PASSWORD, Session},
    synthetic::Synthetic,
};

use super::{fail, instance_path, send, succeed, wait_for_objects, wait_until};

/// The grace of the test in which it ends.
const GRACE: Duration = Duration::from_millis(1500);

fn options(engine: Engine) -> Options {
    Options::on(engine)
        .with("MAXRAY_KEYS__ROTATION_GRACE_MS", "200")
        .with("MAXRAY_WORKER__POLL_INTERVAL_MS", "100")
}

fn study_path(instance: &Synthetic) -> String {
    format!("/dicomweb/studies/{}", instance.study_instance_uid)
}

/// Status and answer of a `DELETE`.
async fn delete(who: &Session, path: &str) -> (u16, Value) {
    let answer = who.request(Method::DELETE, path).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

async fn count(viewer: &Session, patient: &Synthetic) -> usize {
    qido::rows(viewer, &format!("/studies/{}/instances", patient.study_instance_uid)).await.len()
}

#[tokio::test]
async fn what_is_deleted_can_be_restored_on_sqlite() {
    what_is_deleted_can_be_restored(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_is_deleted_can_be_restored_on_postgres() {
    what_is_deleted_can_be_restored(Engine::Postgres).await;
}

async fn what_is_deleted_can_be_restored(engine: Engine) {
    let platform = Platform::start(options(engine)).await;
    let viewer = platform.user("viewer", "viewer").await;
    let (first, second) = (platform.user("first", "admin").await, platform.user("second", "admin").await);
    let (gone, kept) = (Ledger::default(), Ledger::default());
    let (patient, other) = (Synthetic::cr("DELETE-1", 100, 100), Synthetic::cr("KEEP-1", 100, 100));
    let instances = patient.series(3);
    send(&platform, &gone, &instances);
    send(&platform, &kept, &other.series(2));
    wait_for_objects(&platform, 15).await;
    let study = study_path(&patient);

    assert_eq!(delete(&viewer, &study).await.0, 403);
    assert_eq!(delete(&first, &format!("{study}.9")).await.0, 404);
    let said = succeed(&platform, &["hold", "add", "DELETE-1", "--reason", "court order"]);
    let hold = said.split_whitespace().nth(1).expect("an id").to_owned();
    let (status, problem) = delete(&first, &study).await;
    assert_eq!(status, 409, "{problem}");
    succeed(&platform, &["hold", "remove", &hold]);

    // One administrator alone, and twice, deletes nothing.
    for _ in 0..2 {
        let (status, answer) = delete(&first, &study).await;
        assert_eq!((status, answer["state"].as_str()), (202, Some("asked")), "{answer}");
    }
    gone.check(&viewer, "asked for").await;
    let (status, answer) = delete(&second, &study).await;
    assert_eq!((status, answer["instances"].as_u64()), (200, Some(3)), "{answer}");
    assert!(answer["restorable_until"].is_string(), "{answer}");
    for path in ["", "/metadata", "/frames/1", "/thumbnail", "/rendered"] {
        let answer = viewer.get(&format!("{}{path}", instance_path(&instances[0]))).await;
        assert_eq!(answer.status(), 404, "{path}");
    }
    assert!(qido::rows(&viewer, &format!("/studies?PatientID={}", patient.patient_id)).await.is_empty());
    assert_eq!(delete(&second, &study).await.0, 404, "it is gone");
    kept.check(&viewer, "of somebody else").await;
    platform.assert_verified(None, "after a deletion");

    // Keys are changed while it is gone; it comes back all the same.
    succeed(&platform, &["key", "rotate", "--patient", "DELETE-1"]);
    let id = answer["deletion_id"].as_str().expect("an id");
    assert!(succeed(&platform, &["deletion", "list"]).contains(&format!("{id}\tdeleted")));
    let said = succeed(&platform, &["deletion", "restore", id]);
    assert!(said.starts_with("3 instances are there again"), "{said}");
    gone.check(&viewer, "restored").await;
    assert!(fail(&platform, &["deletion", "restore", id]).contains("restored"));

    // One instance, sent again before it is restored: there is one.
    let path = instance_path(&instances[1]);
    let xray = format!("/xrays/{}", xray_id(&viewer, &instances[1]).await);
    assert_eq!(delete(&viewer, &xray).await.0, 403);
    // Asked for at one door, done at the other.
    assert_eq!(delete(&first, &xray).await.0, 202);
    let (status, answer) = delete(&second, &path).await;
    assert_eq!((status, answer["instances"].as_u64()), (200, Some(1)), "{answer}");
    assert_eq!(delete(&first, &xray).await.0, 404);
    assert_eq!(count(&viewer, &patient).await, 2);
    send(&platform, &gone, &instances[1..2]);
    let id = answer["deletion_id"].as_str().expect("an id");
    let said = succeed(&platform, &["deletion", "restore", id]);
    assert!(said.starts_with("0 instances are there again; 1 had come again"), "{said}");
    assert_eq!(count(&viewer, &patient).await, 3);
    gone.check(&viewer, "sent again").await;

    assert_eq!(delete(&first, &path).await.0, 202);
    let (_, answer) = delete(&second, &path).await;
    erased_is_not_restored(&platform, answer["deletion_id"].as_str().expect("an id")).await;
    kept.check(&viewer, "after an erasure").await;
}

/// An erasure takes along what was deleted before.
async fn erased_is_not_restored(platform: &Platform, id: &str) {
    succeed(platform, &["erase", "patient", "DELETE-1", "--reason", "asked for"]);
    assert!(fail(platform, &["deletion", "restore", id]).contains("no such deletion"));
    wait_until(platform, "its objects are removed", || platform.stored_objects().len() == 6).await;
    platform.assert_verified(None, "at the end");
    succeed(platform, &["audit", "verify"]);
}

/// The id of an instance in REST paths.
async fn xray_id(viewer: &Session, instance: &Synthetic) -> String {
    let found = viewer.get_json(&format!("/xrays?patient_id={}", instance.patient_id)).await;
    let rows = found["items"].as_array().unwrap_or_else(|| panic!("no items in {found}")).clone();
    let row = rows.iter().find(|row| row["sop_instance_uid"] == instance.sop_instance_uid.as_str());
    row.expect("the instance")["id"].as_str().expect("an id").to_owned()
}

/// With one administrator, and no grace to speak of.
#[tokio::test]
async fn what_is_deleted_is_purged() {
    let options = options(Engine::of_home())
        .with("MAXRAY_ARCHIVE__DELETE_TWO_PERSON", "false")
        .with("MAXRAY_ARCHIVE__DELETE_GRACE_MS", &GRACE.as_millis().to_string());
    let mut platform = Platform::start(options).await;
    platform.add_user("viewer", "viewer");
    let admin = platform.user("first", "admin").await;
    let (gone, kept) = (Ledger::default(), Ledger::default());
    let patient = Synthetic::cr("DELETE-2", 100, 100);
    send(&platform, &gone, &patient.series(2));
    send(&platform, &kept, &[Synthetic::cr("KEEP-2", 100, 100)]);
    wait_for_objects(&platform, 9).await;
    let series = format!("{}/series/{}", study_path(&patient), patient.series_instance_uid);
    let (status, answer) = delete(&admin, &series).await;
    assert_eq!((status, answer["state"].as_str()), (200, Some("deleted")), "{answer}");
    let id = answer["deletion_id"].as_str().expect("an id");
    // A hold that comes after the deletion stops its end.
    let said = succeed(&platform, &["hold", "add", "DELETE-2", "--reason", "court order"]);
    let hold = said.split_whitespace().nth(1).expect("an id").to_owned();
    tokio::time::sleep(GRACE * 2).await;
    assert!(succeed(&platform, &["deletion", "list"]).contains(&format!("{id}\tdeleted")));
    // Dead in between: the next start goes on with it.
    platform.kill();
    succeed(&platform, &["hold", "remove", &hold]);
    platform.restart().await;
    let purged = format!("{id}\tpurged");
    wait_until(&platform, "it is purged", || succeed(&platform, &["deletion", "list"]).contains(&purged))
        .await;
    wait_until(&platform, "its objects are removed", || platform.stored_objects().len() == 3).await;
    assert!(fail(&platform, &["deletion", "restore", id]).contains("purged"));
    let viewer = platform.sign_in("viewer", PASSWORD).await;
    kept.check(&viewer, "of somebody else").await;
    assert_eq!(count(&viewer, &patient).await, 0);
    // It may come again, as something new.
    send(&platform, &gone, &patient.series(1));
    assert_eq!(count(&viewer, &patient).await, 1);
    platform.assert_verified(None, "after a purge");
}

/// A paramedic sees the own uploads: also those that were gone for a while. Who gave them back is in the trail.
#[tokio::test]
async fn a_restored_study_is_its_senders_again() {
    let options = options(Engine::of_home()).with("MAXRAY_ARCHIVE__DELETE_TWO_PERSON", "false");
    let platform = Platform::start(options).await;
    platform.add_user("medic", "paramedic");
    let medic = platform.sign_in("medic", PASSWORD).await;
    let admin = platform.user("first", "admin").await;
    let sent = Synthetic::cr("DELETE-3", 64, 64);
    let stored = medic
        .request(Method::POST, "/dicomweb/studies")
        .header("Content-Type", "application/dicom")
        .body(sent.part10());
    assert_eq!(stored.send().await.expect("an answer").status(), 200);
    let metadata = format!("{}/metadata", instance_path(&sent));
    assert_eq!(medic.get(&metadata).await.status(), 200);
    let xray = format!("/xrays/{}", xray_id(&medic, &sent).await);
    let said = medic.request(Method::PATCH, &xray).header("If-Match", "\"0\"");
    let said =
        said.json(&serde_json::json!({ "notes": "fell from a tree" })).send().await.expect("an answer");
    assert_eq!(said.status(), 200, "{}", said.text().await.expect("text"));
    let (status, answer) = delete(&admin, &study_path(&sent)).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(medic.get(&metadata).await.status(), 404);
    succeed(&platform, &["deletion", "restore", answer["deletion_id"].as_str().expect("an id")]);
    assert_eq!(medic.get(&metadata).await.status(), 200);
    assert_eq!(medic.get_json(&xray).await["said"]["notes"], "fell from a tree");
    let trail = succeed(&platform, &["audit", "export", "--format", "jsonl"]);
    let records: Vec<Value> = trail.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let stores: Vec<&str> = records
        .iter()
        .filter(|record| record["action"] == "store_instance")
        .filter_map(|record| record["role"].as_str())
        .collect();
    assert_eq!(stores, ["user", "operator"], "{trail}");
}
