//! The clinical door of the true program: events as they happen, sign-in limits by real addresses, and what is
//! public.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tests::{
    listener::Listener,
    platform::{Engine, Options, Platform},
    scu,
    session::{PASSWORD, Session},
    synthetic::Synthetic,
};

#[tokio::test]
async fn events_arrive_on_sqlite() {
    events_arrive(Engine::Sqlite).await;
}

#[tokio::test]
async fn events_arrive_on_postgres() {
    events_arrive(Engine::Postgres).await;
}

async fn events_arrive(engine: Engine) {
    let platform = Platform::start(Options::on(engine)).await;
    let xray = Synthetic::cr("PAT-1", 64, 64);
    let (doctor, consultation) = booked(&platform, "ada", "PAT-1").await;
    let (stranger, _) = booked(&platform, "bob", "PAT-2").await;
    let mut heard = Listener::open(&doctor, None).await;
    let mut strange = Listener::open(&stranger, None).await;

    let statuses = scu::send_files(platform.dicom(), &[xray.part10()]).expect("an association");
    assert_eq!(statuses, [0]);
    let stored = heard.wait_for("instance.stored").await;
    assert_eq!(stored["study_instance_uid"], json!(xray.study_instance_uid));
    heard.wait_for("preview.made").await;
    let link = json!({ "study_instance_uid": xray.study_instance_uid });
    doctor.post_json(&format!("/consultations/{consultation}/studies"), &link).await;
    let linked = heard.wait_for("study.linked").await;
    assert_eq!(linked["consultation_id"], json!(consultation));

    let mut again = Listener::open(&doctor, stored["sequence"].as_i64()).await;
    assert_eq!(again.wait_for("study.linked").await["event_id"], linked["event_id"]);
    let other = Synthetic::cr("PAT-2", 64, 64);
    scu::send_files(platform.dicom(), &[other.part10()]).expect("an association");
    let first = strange.wait_for("instance.stored").await;
    assert_eq!(first["study_instance_uid"], json!(other.study_instance_uid), "a stranger heard of {first}");
}

#[tokio::test]
async fn guessing_passwords_is_slowed_down() {
    let options = Options::default().with("MAXRAY_DOCTOR_API__SIGN_INS_PER_MINUTE_PER_USER", "2");
    let platform = Platform::start(options).await;
    platform.add_user("victim", "viewer");
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let guess = json!({ "username": "victim", "password": "not the password" });
        let answer = platform.client().post(platform.url("/sessions")).json(&guess).send().await;
        statuses.push(answer.expect("an answer").status());
    }
    assert_eq!(statuses[..2], [StatusCode::UNAUTHORIZED; 2]);
    assert_eq!(statuses[2], StatusCode::TOO_MANY_REQUESTS);
    platform.user("somebody.else", "viewer").await;
}

#[tokio::test]
async fn only_what_is_named_is_public() {
    let platform = Platform::start(Options::default()).await;
    let document: Value = get(&platform, "/openapi.json").await.json().await.expect("JSON");
    assert_eq!(get(&platform, "/docs/").await.status(), StatusCode::OK);
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            let filled = path.replace(['{', '}'], "");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            let public = method == Method::POST
                && matches!(
                    path.as_str(),
                    "/sessions" | "/sessions/refresh" | "/oauth2/token" | "/shares/redeem"
                )
                || path.starts_with("/.well-known/")
                || path == "/prescriptions/{id}/verify"
                || path == "/reports/{id}/verify"
                || path == "/rooms/{id}";
            let answer = platform.client().request(method.clone(), platform.url(&filled)).send().await;
            let status = answer.expect("an answer").status();
            assert_eq!(status == StatusCode::UNAUTHORIZED, !public, "{method} {filled}: {status}");
        }
    }
}

async fn get(platform: &Platform, path: &str) -> Response {
    platform.client().get(platform.url(path)).send().await.expect("an answer")
}

async fn booked(platform: &Platform, username: &str, patient_id: &str) -> (Session, String) {
    let admin = platform.user(&format!("admin-of-{username}"), "admin").await;
    let account = json!({ "username": username, "password": PASSWORD });
    let doctor = admin.post_json("/doctors", &json!({ "name": username, "account": account })).await;
    let session = platform.sign_in(username, PASSWORD).await;
    let path = format!("/doctors/{}/consultation", doctor["id"].as_str().expect("an id"));
    let consultation = session.post_json(&path, &json!({ "patient_id": patient_id })).await;
    (session, consultation["id"].as_str().expect("an id").to_owned())
}
