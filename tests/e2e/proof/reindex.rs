//! The database is lost: `maxray reindex` makes it again from the objects, and every answer is the same. (threats.md
//! I14)

use serde_json::{Value, json};
use tests::{
    ledger::Ledger,
    platform::{Engine, Options, Platform},
    qido,
    session::{PASSWORD, Session},
    synthetic::Synthetic,
};

use super::send;

/// Retrieve URL (0008,1190) names the port, which changes with every start.
const RETRIEVE_URL: &str = "00081190";

#[tokio::test]
async fn a_lost_database_is_made_again() {
    let mut platform = Platform::start(Options::default()).await;
    let (instances, ledger) = fill(&platform);
    let before = answers(&platform, &instances).await;
    assert!(platform.stop().await.success());
    platform.lose_database();
    reindex(&platform, &[]);
    platform.restart().await;
    assert_eq!(answers(&platform, &instances).await, before);
    let reader = platform.sign_in("reader", PASSWORD).await;
    ledger.check(&reader, "after reindex").await;
    platform.assert_verified(None, "after reindex");
    // Sending again finds what is there.
    send(&platform, &instances);
    assert_eq!(answers(&platform, &instances).await, before);
}

/// Into another database, a PostgreSQL that holds nothing yet; and over an index that is there.
#[tokio::test]
async fn into_another_database_and_over_an_old_index() {
    let mut platform = Platform::start(Options::default()).await;
    let (instances, ledger) = fill(&platform);
    let before = answers(&platform, &instances).await;
    assert!(platform.stop().await.success());

    let refused = platform.command(&["reindex"]).output().expect("maxray starts");
    assert!(!refused.status.success(), "an index was written over without being asked to");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--replace-index"));
    let said = operate(&platform, &["hold", "add", "FIRST", "--reason", "court order"]);
    reindex(&platform, &["--replace-index"]);
    let hold = said.split_whitespace().nth(1).expect("an id");
    assert!(operate(&platform, &["hold", "list"]).contains(hold), "the patient is held no more");
    platform.restart().await;
    assert_eq!(answers(&platform, &instances).await, before, "over the old index");
    assert!(platform.stop().await.success());

    let other = Platform::prepare(Options::on(Engine::Postgres));
    let url = other.setting("MAXRAY_DATABASE__URL").expect("a URL").to_owned();
    platform.set("MAXRAY_DATABASE__ALLOW_UNSAFE", "true");
    reindex(&platform, &["--into", &url]);
    platform.set("MAXRAY_DATABASE__URL", &url);
    platform.restart().await;
    assert_eq!(answers(&platform, &instances).await, before, "in PostgreSQL");
    let reader = platform.sign_in("reader", PASSWORD).await;
    ledger.check(&reader, "in PostgreSQL").await;
    platform.assert_verified(None, "in PostgreSQL");
}

/// Two studies of two patients, and a second content under a known UID, which must stay hidden.
fn fill(platform: &Platform) -> (Vec<Synthetic>, Ledger) {
    let mut instances = Synthetic::cr("FIRST", 90, 70).series(4);
    instances.extend(Synthetic::cr("SECOND", 1100, 1100).series(2));
    send(platform, &instances);
    let mut conflict = instances[1].clone();
    conflict.seed += 1;
    send(platform, std::slice::from_ref(&conflict));
    let ledger = Ledger::default();
    for instance in &instances {
        ledger.acknowledge_synthetic(instance, &instance.data_set());
    }
    (instances, ledger)
}

fn operate(platform: &Platform, arguments: &[&str]) -> String {
    let output = platform.command(arguments).output().expect("maxray starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn reindex(platform: &Platform, arguments: &[&str]) {
    let output = platform.command(&["reindex"]).args(arguments).output().expect("maxray starts");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("indexed 6 instances and 1 hidden conflict versions"), "{said}");
}

/// Everything that search and metadata say.
async fn answers(platform: &Platform, instances: &[Synthetic]) -> Value {
    let reader = reader(platform).await;
    let mut metadata = Vec::new();
    for instance in instances {
        let path = format!(
            "/dicomweb/studies/{}/series/{}/instances/{}/metadata",
            instance.study_instance_uid, instance.series_instance_uid, instance.sop_instance_uid
        );
        metadata.push(reader.get_json(&path).await);
    }
    let mut answers = json!({
        "studies": sorted(qido::rows(&reader, "/studies?includefield=all").await),
        "series": sorted(qido::rows(&reader, "/series?includefield=all").await),
        "instances": sorted(qido::rows(&reader, "/instances?includefield=all").await),
        "metadata": metadata,
    });
    remove_urls(&mut answers);
    answers
}

/// The account of the tests, made again after it was lost.
async fn reader(platform: &Platform) -> Session {
    let body = json!({ "username": "reader", "password": PASSWORD });
    let answer =
        platform.client().post(platform.url("/sessions")).json(&body).send().await.expect("an answer");
    if !answer.status().is_success() {
        platform.add_user("reader", "viewer");
    }
    platform.sign_in("reader", PASSWORD).await
}

/// Which of two studies came first is not part of the index.
fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(|row| {
        [qido::STUDY_INSTANCE_UID, qido::SERIES_INSTANCE_UID, qido::SOP_INSTANCE_UID]
            .map(|tag| qido::text(row, tag))
    });
    rows
}

fn remove_urls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.remove(RETRIEVE_URL);
            object.retain(|name, value| !(name == "BulkDataURI" && value.is_string()));
            object.values_mut().for_each(remove_urls);
        }
        Value::Array(list) => list.iter_mut().for_each(remove_urls),
        _ => {}
    }
}
