//! Who sees what, through the doors of the true program.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    platform::{Engine, Options, Platform},
    scu,
    session::{PASSWORD, Session},
    synthetic::Synthetic,
};

/// Method and path of everything that answers without a token.
const PUBLIC: &[(&str, &str)] = &[
    ("GET", "/"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/readyz/database"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("POST", "/sessions"),
    ("POST", "/sessions/refresh"),
    ("POST", "/oauth2/token"),
    ("POST", "/shares/redeem"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/.well-known/openid-configuration"),
];

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH];

/// Every route of every door, as the program itself lists them, with its parameters filled in.
async fn routes(platform: &Platform) -> Vec<String> {
    let document = platform.client().get(platform.url("/openapi.json")).send().await.expect("an answer");
    let document: Value = document.json().await.expect("JSON");
    let rest = document["paths"].as_object().expect("paths").keys().cloned();
    let dicomweb = dicomweb::route_paths().into_iter().map(|path| format!("{}{path}", dicomweb::MOUNT_PATH));
    let others = PUBLIC.iter().map(|(_, path)| (*path).to_owned());
    let mut paths: Vec<String> = rest.chain(dicomweb).chain(others).collect();
    paths.sort();
    paths.dedup();
    paths.into_iter().map(|path| path.replace("{frames}", "1").replace(['{', '}'], "")).collect()
}

// threats.md row 38.
#[tokio::test]
async fn every_route_of_every_door_wants_a_token_or_is_public_by_name() {
    let platform = Platform::start(Options::default()).await;
    let routes = routes(&platform).await;
    assert!(routes.len() > 50, "{} routes", routes.len());
    let mut refused = 0;
    for path in &routes {
        for method in METHODS {
            let public = PUBLIC.contains(&(method.as_str(), path.as_str()));
            for token in ["", "garbage", "a.b.c"] {
                let mut request = platform.client().request(method.clone(), platform.url(path));
                if !token.is_empty() {
                    request = request.bearer_auth(token);
                }
                let status = request.send().await.expect("an answer").status();
                let closed = matches!(
                    status,
                    StatusCode::UNAUTHORIZED | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_FOUND
                );
                assert!(public || closed, "{method} {path} with {token:?}: {status}");
                assert!(!public || status != StatusCode::UNAUTHORIZED || path == "/oauth2/token", "{path}");
                refused += usize::from(status == StatusCode::UNAUTHORIZED);
            }
        }
    }
    assert!(refused >= 3 * (routes.len() - PUBLIC.len()), "{refused} of {} routes", routes.len());
}

/// A request as it stands, without a client that tidies its path.
fn raw(platform: &Platform, method: &str, path: &str, headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(platform.http()).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    let _cut = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
    (status.unwrap_or_default(), text)
}

// threats.md row 43; section 7, A1: no spelling of a path goes around the check.
#[tokio::test]
async fn no_spelling_of_a_path_goes_around_the_policy() {
    let platform = Platform::start(Options::default()).await;
    let xray = Synthetic::cr("CANARY-1", 32, 32);
    assert_eq!(scu::send_files(platform.dicom(), &[xray.part10()]).expect("an association"), [0]);
    let admin = platform.user("root", "admin").await;
    let authorization = format!("Authorization: Bearer {}\r\n", admin.token());
    let spellings = [
        "/dicomweb/../../patients",
        "/dicomweb/../patients/CANARY-1/studies",
        "/dicomweb/%2e%2e/patients/CANARY-1/studies",
        "/dicomweb/..%2fpatients/CANARY-1/studies",
        "//dicomweb/studies",
        "/dicomweb//studies",
        "/dicomweb/studies/",
        "/dicomweb/./studies",
        "/dicomweb/%2e/studies",
        "/DICOMWEB/studies",
        "/dicomweb/Studies",
        "/dicomweb/studies;x=1",
        "/dicomweb/studies%00",
        "/dicomweb/studies%3f",
        "/docs/../dicomweb/studies",
        "/docs/..%2f..%2fdicomweb/studies",
        "/healthz/../xrays?patient_id=CANARY-1",
        "/xrays/?patient_id=CANARY-1",
        "http://x/dicomweb/studies",
    ];
    for path in spellings {
        for headers in
            ["", "X-HTTP-Method-Override: GET\r\n", "X-Original-URL: /dicomweb/studies\r\n", &authorization]
        {
            for method in ["GET", "HEAD", "OPTIONS"] {
                let (status, text) = raw(&platform, method, path, headers);
                assert!(!text.contains("CANARY"), "{method} {path}: {text}");
                assert!(
                    !(200..300).contains(&status) || path.starts_with("/docs"),
                    "{method} {path}: {status}"
                );
                assert!(status < 500, "{method} {path}: {status}");
            }
        }
    }
    let overridden = raw(&platform, "POST", "/sessions/current", "X-HTTP-Method-Override: DELETE\r\n");
    assert_eq!(overridden.0, 405);
}

/// A doctor who books `patient_id`.
pub(crate) async fn booked(platform: &Platform, username: &str, patient_id: &str) -> (Session, String) {
    let admin = platform.user(&format!("admin-of-{username}"), "admin").await;
    let account = json!({ "username": username, "password": PASSWORD });
    let doctor = admin.post_json("/doctors", &json!({ "name": username, "account": account })).await;
    let session = platform.sign_in(username, PASSWORD).await;
    let path = format!("/doctors/{}/consultation", doctor["id"].as_str().expect("an id"));
    let consultation = session.post_json(&path, &json!({ "patient_id": patient_id })).await;
    (session, consultation["id"].as_str().expect("an id").to_owned())
}

#[tokio::test]
async fn a_consultation_is_read_by_a_viewer_and_shared_on_sqlite() {
    read_and_shared(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_consultation_is_read_by_a_viewer_and_shared_on_postgres() {
    read_and_shared(Engine::Postgres).await;
}

async fn study_count(platform: &Platform, token: &str) -> Option<usize> {
    let answer = platform.client().get(platform.url("/dicomweb/studies")).bearer_auth(token).send().await;
    let answer = answer.expect("an answer");
    let rows: Option<Value> = if answer.status().is_success() { answer.json().await.ok() } else { None };
    rows.and_then(|rows| rows.as_array().map(Vec::len))
}

// threats.md rows 42, 52; section 3.
async fn read_and_shared(engine: Engine) {
    let platform = Platform::start(Options::on(engine)).await;
    let (mine, other) = (Synthetic::cr("PAT-1", 32, 32), Synthetic::cr("PAT-2", 32, 32));
    let statuses = scu::send_files(platform.dicom(), &[mine.part10(), other.part10()]);
    assert_eq!(statuses.expect("an association"), [0, 0]);
    let (doctor, consultation) = booked(&platform, "ada", "PAT-1").await;
    let viewer_token = format!("/consultations/{consultation}/viewer-token");
    let token = |answer: &Value| answer["access_token"].as_str().expect("a token").to_owned();
    let viewer = token(&doctor.post_json(&viewer_token, &json!({})).await);
    assert_eq!(study_count(&platform, &viewer).await, Some(1));
    let shares = format!("/studies/{}/shares", mine.study_instance_uid);
    let share = doctor.post_json(&shares, &json!({ "uses_max": 5 })).await;
    let key = json!({ "token": share["token"] });
    let redeem = || platform.client().post(platform.url("/shares/redeem")).json(&key).send();
    let opened: Value = redeem().await.expect("an answer").json().await.expect("JSON");
    let guest = token(&opened);
    assert_eq!(study_count(&platform, &guest).await, Some(1));
    for token in [&viewer, &guest] {
        let answer = doctor.with_token(token).get("/performed-steps").await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "images are all that it shows");
    }

    let taken_back = Instant::now();
    let answer = doctor.request(Method::DELETE, &viewer_token).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(study_count(&platform, &viewer).await, None);
    let id = share["id"].as_str().expect("an id");
    let answer = doctor.request(Method::DELETE, &format!("/shares/{id}")).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(study_count(&platform, &guest).await, None);
    assert_eq!(redeem().await.expect("an answer").status(), StatusCode::NOT_FOUND);
    assert!(taken_back.elapsed() < Duration::from_secs(5), "{:?}", taken_back.elapsed());

    let viewer = token(&doctor.post_json(&viewer_token, &json!({})).await);
    assert_eq!(study_count(&platform, &viewer).await, Some(1));
    doctor.post_json(&format!("/consultations/{consultation}/cancel"), &json!({})).await;
    assert_eq!(study_count(&platform, &viewer).await, None);
    assert_eq!(study_count(&platform, doctor.token()).await, Some(0));
    let log = platform.log();
    for secret in [viewer.as_str(), guest.as_str(), share["token"].as_str().expect("a token")] {
        assert!(!log.contains(secret), "a token stands in the log");
    }
}

#[tokio::test]
async fn a_viewer_sees_what_the_command_line_grants() {
    let platform = Platform::start(Options::default()).await;
    let (mine, other) = (Synthetic::cr("PAT-1", 32, 32), Synthetic::cr("PAT-2", 32, 32));
    let statuses = scu::send_files(platform.dicom(), &[mine.part10(), other.part10()]);
    assert_eq!(statuses.expect("an association"), [0, 0]);
    platform.add_user("reader", "viewer");
    let reader = platform.sign_in("reader", PASSWORD).await;
    let maxray = |arguments: &[&str]| {
        let output = platform.command(arguments).output().expect("maxray runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let list = maxray(&["grant", "list", "--username", "reader"]);
    assert!(list.contains("everything"), "{list}");
    assert_eq!(study_count(&platform, reader.token()).await, Some(2));
    let id = list.split('\t').next().expect("an id");
    maxray(&["grant", "remove", id]);
    assert_eq!(study_count(&platform, reader.token()).await, Some(0), "nothing without a grant");
    platform.grant("reader", &["--patient", "PAT-1", "--hours", "1"]);
    assert_eq!(study_count(&platform, reader.token()).await, Some(1));
    let refused = platform.command(&["grant", "add", "--username", "nobody", "--everything"]).output();
    assert!(!refused.expect("maxray runs").status.success());
}
