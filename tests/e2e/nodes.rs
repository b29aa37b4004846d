//! Several nodes over one PostgreSQL and one bucket are one archive: whichever of them is asked, and whichever dies.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    home,
    ledger::Ledger,
    listener::Listener,
    load::{Load, Shape},
    nodes::Nodes,
    platform::{Options, Platform},
    qido, scu,
    session::{PASSWORD, Session},
    synthetic::Synthetic,
    wait,
};

/// Within this time what one node took back is refused by all others.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

// The bucket is served by this process, also while it waits for a program.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn three_nodes_are_one_archive() {
    let nodes = Nodes::start(3, &[]).await;
    one_administrator_was_made(&nodes);
    let (doctor, consultation) = booked(nodes.node(0), "PAT-1").await;
    let viewer = nodes.node(1).user("viewer", "viewer").await;
    let mut heard = Listener::open(&doctor.moved_to(nodes.node(1)), None).await;

    let first = Synthetic::cr("PAT-1", 256, 256);
    let ledger = Ledger::default();
    for (number, instance) in first.series(6).into_iter().enumerate() {
        let peer = nodes.node(number % 3).dicom();
        assert_eq!(scu::send_files(peer, &[instance.part10()]).expect("an association"), [0]);
        ledger.acknowledge_synthetic(&instance, &instance.data_set());
        // At once, not soon: success was answered.
        for reader in nodes.everywhere(&viewer) {
            let found = qido::locate(&reader, &instance.sop_instance_uid).await;
            assert!(found.is_some(), "instance {number} is not found everywhere");
        }
    }
    for (number, reader) in nodes.everywhere(&viewer).iter().enumerate() {
        ledger.check(reader, &format!("through node {number}")).await;
    }
    let stored = heard.wait_for("instance.stored").await;
    assert_eq!(stored["study_instance_uid"], json!(first.study_instance_uid), "stored through another node");

    previews_are_made_once(&nodes, &doctor, &consultation, &first.study_instance_uid).await;
    assert_eq!(keys_of(&nodes).await.len(), 1, "all nodes publish the same signing key");
    a_prescription_is_genuine_everywhere(&nodes, &doctor, &consultation).await;
    for node in nodes.all() {
        node.assert_verified(None, "three nodes");
        let verified = node.command(&["audit", "verify"]).output().expect("maxray runs");
        assert!(verified.status.success(), "audit verify: {}", String::from_utf8_lossy(&verified.stdout));
    }
}

/// What was taken back at one node is refused by the others, for a session and for the token of a consultation.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_one_node_takes_back_no_node_takes() {
    let nodes = Nodes::start(3, &[("MAXRAY_WORKER__PREVIEWS", "false")]).await;
    let (doctor, consultation) = booked(nodes.node(0), "PAT-1").await;
    let path = format!("/consultations/{consultation}/viewer-token");
    let token = doctor.post_json(&path, &json!({})).await;
    let viewing = doctor.with_token(token["access_token"].as_str().expect("a token"));
    for session in nodes.everywhere(&viewing) {
        assert_eq!(session.get("/dicomweb/studies").await.status(), StatusCode::OK);
    }
    doctor.post_json(&format!("/consultations/{consultation}/cancel"), &json!({})).await;
    refused_everywhere(&nodes, &viewing, "/dicomweb/studies").await;

    let elsewhere = nodes.node(2).sign_in("ada", PASSWORD).await;
    for session in nodes.everywhere(&elsewhere) {
        assert_eq!(session.get("/sessions/current").await.status(), StatusCode::OK);
    }
    let here = elsewhere.moved_to(nodes.node(1));
    let ended = here.request(Method::DELETE, "/sessions/current").send().await.expect("an answer");
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    refused_everywhere(&nodes, &elsewhere, "/sessions/current").await;
}

/// kill -9 of a node under load: what it acknowledged is there for those who ask another one, at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_node_that_is_killed_takes_nothing_with_it() {
    let mut nodes = Nodes::start(3, &[]).await;
    let reader = nodes.node(1).user("reader", "viewer").await;
    let shapes = Shape::mixed(2, 60);
    let mut loads: Vec<Load> = nodes
        .all()
        .iter()
        .enumerate()
        .map(|(number, node)| Load::start(node.dicom(), &format!("NODE-{number}"), &shapes))
        .collect();
    loads[0].until_acknowledged(20).await;
    nodes.node_mut(0).kill();
    loads.iter_mut().for_each(Load::wait);
    let acknowledged = loads[0].ledger.len();
    assert!((20..120).contains(&acknowledged), "{acknowledged} acknowledged: killed too early or too late");
    for (number, load) in loads.iter().enumerate() {
        load.check(&reader, &format!("what was sent to node {number}, after the kill of node 0")).await;
        assert_eq!(load.refused(), [], "node {number}");
    }
    assert!(loads[1..].iter().all(|load| load.ledger.len() == 120), "the others went on");

    nodes.node_mut(0).restart().await;
    let returned = reader.moved_to(nodes.node(0));
    loads[0].check_and_send_again(&returned, nodes.node(0).dicom(), "after node 0 came back").await;
    let path = nodes.node(1).scratch().join("acknowledged.jsonl");
    for load in &loads {
        load.ledger.append_to(&path);
    }
    nodes.node(1).assert_verified(Some(&path), "after a node was killed");
}

/// What arrives at one node is shown by others and prepared by another still, and none does what is not its to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn nodes_share_out_what_there_is_to_do() {
    let roles = [r#"["pacs"]"#, r#"["doctor-api"]"#, r#"["worker"]"#, r#"["dicomweb"]"#];
    // Whoever looks by himself looks too late: word has to come.
    let nodes = Nodes::start_in(&roles, &[("MAXRAY_WORKER__POLL_INTERVAL_MS", "600000")]).await;
    let (doctor, consultation) = booked(nodes.node(1), "PAT-1").await;
    let mut heard = Listener::open(&doctor, None).await;
    let first = Synthetic::cr("PAT-1", 256, 256);
    for instance in first.series(3) {
        assert_eq!(
            scu::send_files(nodes.node(0).dicom(), &[instance.part10()]).expect("an association"),
            [0]
        );
    }
    let stored = heard.wait_for("instance.stored").await;
    assert_eq!(stored["study_instance_uid"], json!(first.study_instance_uid));
    let link = json!({ "study_instance_uid": first.study_instance_uid });
    doctor.post_json(&format!("/consultations/{consultation}/studies"), &link).await;
    heard.wait_for("preview.made").await;
    wait::until("previews", async || {
        (nodes.node(2).metric("maxray_previews_made_total").await >= 3.0).then_some(())
    })
    .await;
    assert_eq!(nodes.counted("maxray_previews_made_total").await, 3, "made by the worker alone");

    let listens: Vec<bool> = nodes.all().iter().map(Platform::listens_for_dicom).collect();
    assert_eq!(listens, [true, false, false, false]);
    for (number, session) in nodes.everywhere(&doctor).iter().enumerate() {
        for (path, answers) in [("/dicomweb/studies", 3), ("/sessions/current", 1), ("/docs", 1)] {
            let expected = if number == answers { StatusCode::OK } else { StatusCode::NOT_FOUND };
            assert_eq!(session.get(path).await.status(), expected, "{path} at node {number}");
        }
        assert_eq!(session.get("/readyz").await.status(), StatusCode::OK, "node {number}");
    }
    nodes.node(0).assert_verified(None, "four nodes with a role each");
}

/// Nobody else could do what is left out.
#[tokio::test]
async fn a_process_on_sqlite_has_every_role() {
    if home::embedded_only("with PostgreSQL other processes may do what this one leaves out") {
        return;
    }
    let platform = Platform::prepare(Options::default());
    let output = platform.command(&["serve", "--roles", "pacs,worker"]).output().expect("maxray runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("leaves out dicomweb and doctor-api"), "{errors}");
}

fn one_administrator_was_made(nodes: &Nodes) {
    let told = nodes.all().iter().filter(|node| node.log().contains("user admin, password")).count();
    assert_eq!(told, 1, "nodes that told a password");
}

pub(crate) async fn booked(node: &Platform, patient_id: &str) -> (Session, String) {
    let admin = node.user("administrator", "admin").await;
    let account = json!({ "username": "ada", "password": PASSWORD });
    let doctor = admin.post_json("/doctors", &json!({ "name": "Ada", "account": account })).await;
    let session = node.sign_in("ada", PASSWORD).await;
    let path = format!("/doctors/{}/consultation", doctor["id"].as_str().expect("an id"));
    let consultation = session.post_json(&path, &json!({ "patient_id": patient_id })).await;
    (session, consultation["id"].as_str().expect("an id").to_owned())
}

/// Three workers look for what has no preview: each is made by one of them, and shown by all.
async fn previews_are_made_once(nodes: &Nodes, doctor: &Session, consultation: &str, study: &str) {
    let link = json!({ "study_instance_uid": study });
    doctor.post_json(&format!("/consultations/{consultation}/studies"), &link).await;
    let shown = doctor.get_json(&format!("/consultations/{consultation}")).await;
    let mut previews = BTreeSet::new();
    links(&shown, "/preview", &mut previews);
    assert_eq!(previews.len(), 6, "links in {shown}");
    for session in nodes.everywhere(doctor) {
        for path in &previews {
            wait::until(path, async || {
                let answer = session.get(path).await;
                (answer.status() == StatusCode::OK).then_some(())
            })
            .await;
        }
    }
    assert_eq!(nodes.counted("maxray_previews_made_total").await, 6, "each preview is made once");
    let names = nodes.bucket().names();
    assert!(names.len() >= 18, "6 instances, each with two pictures: {}", names.len());
}

async fn keys_of(nodes: &Nodes) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for node in nodes.all() {
        let answer = node.client().get(node.url("/.well-known/jwks.json")).send().await.expect("an answer");
        keys.insert(answer.text().await.expect("keys"));
    }
    keys
}

/// Signed at one node; whoever has the code from the paper may come to any.
async fn a_prescription_is_genuine_everywhere(nodes: &Nodes, doctor: &Session, consultation: &str) {
    let id = doctor.get_json("/sessions/current").await["doctor_id"].as_str().expect("a doctor").to_owned();
    let item = json!({
        "medication": { "text": "Amoxicillin 500 mg", "system": "http://www.whocc.no/atc", "code": "J01CA04" },
        "dose": { "value": 500, "unit": "mg" }, "route": "oral",
        "frequency": { "text": "three times a day", "times": 3, "period": 1, "period_unit": "d" },
        "duration_days": 7, "quantity": { "value": 21, "unit": "{capsule}" },
    });
    let draft = json!({ "consultation_id": consultation, "items": [item] });
    let draft = doctor.post_json(&format!("/doctors/{id}/prescription"), &draft).await;
    let path = format!("/prescriptions/{}", draft["id"].as_str().expect("an id"));
    let signer = doctor.moved_to(nodes.node(1));
    let signed = signer.post_json(&format!("{path}/finalize"), &json!({})).await;
    let code = signed["signature"]["verification_code"].as_str().expect("a code");
    for node in nodes.all() {
        let answer = node.client().get(node.url(&format!("{path}/verify?code={code}"))).send().await;
        let verified = tests::session::json(answer.expect("an answer")).await;
        assert_eq!(verified["genuine"], json!(true), "{verified}");
    }
}

/// Every text in a JSON value that ends so.
fn links(value: &Value, ending: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.ends_with(ending) => {
            found.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| links(item, ending, found)),
        Value::Object(fields) => fields.values().for_each(|field| links(field, ending, found)),
        _ => {}
    }
}

/// It would call forged what the others sign.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_another_secret_of_the_doctors_does_not_start() {
    let nodes = Nodes::start(1, &[]).await;
    let place = tempfile::tempdir().expect("a folder");
    let mut stranger = nodes.node(0).command(&["serve"]);
    stranger.env("MAXRAY_DATA_DIRECTORY", place.path().join("data"));
    stranger.env("MAXRAY_IDENTITY__DOCTOR_SECRET", "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=");
    let output = stranger.output().expect("maxray runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("identity.doctor_secret"), "{errors}");
    assert!(!errors.contains("CQkJ"), "{errors}");
}

#[tokio::test]
async fn a_secret_of_the_doctors_that_is_lost_is_made_anew_when_somebody_says_so() {
    let mut platform = Platform::start(Options::default()).await;
    assert!(platform.stop().await.success());
    let file = platform.data_directory().join("doctor-keys.secret");
    let elsewhere = file.with_extension("copy");
    fs::rename(&file, &elsewhere).expect("lost");
    let output = platform.command(&["serve"]).output().expect("maxray runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("doctor_secret_is_new"), "{errors}");
    fs::rename(&elsewhere, &file).expect("found again");
    platform.restart().await;
    assert!(platform.stop().await.success());
    fs::remove_file(&file).expect("lost");
    platform.set("MAXRAY_IDENTITY__DOCTOR_SECRET_IS_NEW", "true");
    platform.restart().await;
    assert!(platform.stop().await.success());
    platform.set("MAXRAY_IDENTITY__DOCTOR_SECRET_IS_NEW", "false");
    platform.restart().await;
}

async fn refused_everywhere(nodes: &Nodes, session: &Session, path: &str) {
    let start = Instant::now();
    for (number, session) in nodes.everywhere(session).iter().enumerate() {
        while session.get(path).await.status() != StatusCode::UNAUTHORIZED {
            assert!(start.elapsed() < KNOWN_WITHIN, "node {number} takes it after {:?}", start.elapsed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
