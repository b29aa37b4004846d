//! What takes tokens back, from the command line of another process and over REST, at every door.

use std::{
    process::Output,
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    platform::{Engine, Options, Platform},
    session::{PASSWORD, Session},
};

/// Within this time a change has to be known at every door.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

const DOORS: [&str; 3] = ["/dicomweb/studies", "/doctors", "/sessions/current"];

fn run(platform: &Platform, arguments: &[&str]) -> Output {
    let output = platform.command(arguments).output().expect("maxray runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

async fn status(session: &Session, door: &str) -> StatusCode {
    session.get(door).await.status()
}

async fn refused_within_five_seconds(session: &Session, what: &str) {
    let start = Instant::now();
    for door in DOORS {
        while status(session, door).await != StatusCode::UNAUTHORIZED {
            assert!(start.elapsed() < KNOWN_WITHIN, "{what}: {door} still opens after {:?}", start.elapsed());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

// threats.md row 42; section 7, B11.
#[tokio::test]
async fn the_operator_takes_tokens_back_on_sqlite() {
    the_operator_takes_tokens_back(Engine::Sqlite).await;
}

#[tokio::test]
async fn the_operator_takes_tokens_back_on_postgres() {
    the_operator_takes_tokens_back(Engine::Postgres).await;
}

async fn the_operator_takes_tokens_back(engine: Engine) {
    let platform = Platform::start(Options::on(engine)).await;
    let session = platform.user("ann", "service").await;
    for arguments in [["user", "revoke", "ann"], ["user", "deactivate", "ann"]] {
        let session =
            if arguments[1] == "revoke" { session.clone() } else { platform.sign_in("ann", PASSWORD).await };
        for door in DOORS {
            assert_eq!(status(&session, door).await, StatusCode::OK, "{door}");
        }
        run(&platform, &arguments);
        refused_within_five_seconds(&session, arguments[1]).await;
    }
    let body = json!({ "username": "ann", "password": PASSWORD });
    let answer =
        platform.client().post(platform.url("/sessions")).json(&body).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "a deactivated account");
    run(&platform, &["user", "activate", "ann"]);
    let session = platform.sign_in("ann", PASSWORD).await;
    run(&platform, &["user", "role", "ann", "viewer"]);
    refused_within_five_seconds(&session, "role").await;
    let session = platform.sign_in("ann", PASSWORD).await;
    assert_eq!(session.get_json("/sessions/current").await["role"], json!("viewer"));
    let listed = run(&platform, &["user", "sessions", "ann"]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().count(), 1);
    let renewed = run(&platform, &["user", "password", "ann"]);
    assert!(String::from_utf8_lossy(&renewed.stdout).contains("shown this once"));
    refused_within_five_seconds(&session, "password").await;
}

#[tokio::test]
async fn signing_out_closes_every_door_at_once_and_after_a_restart() {
    let mut platform = Platform::start(Options::default()).await;
    let session = platform.user("ann", "service").await;
    let answer = session.request(Method::DELETE, "/sessions/current").send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    for door in DOORS {
        assert_eq!(status(&session, door).await, StatusCode::UNAUTHORIZED, "{door}");
    }
    platform.kill();
    platform.restart().await;
    assert_eq!(status(&session.moved_to(&platform), "/doctors").await, StatusCode::UNAUTHORIZED);
}

// threats.md row 55: "limits survive restart for login"; it is a rate and no lock, so the answer says when it ends.
#[tokio::test]
async fn a_restart_forgets_no_failed_sign_in() {
    let options = Options::default().with("MAXRAY_DOCTOR_API__SIGN_INS_PER_MINUTE_PER_USER", "1");
    let mut platform = Platform::start(options).await;
    platform.add_user("victim", "viewer");
    platform.add_user("other", "viewer");
    let guess = async |platform: &Platform, username: &str, password: &str| {
        let body = json!({ "username": username, "password": password });
        let answer = platform.client().post(platform.url("/sessions")).json(&body).send().await;
        let answer = answer.expect("an answer");
        let wait =
            answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
        (answer.status(), wait)
    };
    assert_eq!(guess(&platform, "victim", "not the password").await.0, StatusCode::UNAUTHORIZED);
    platform.kill();
    platform.restart().await;
    let (status, wait) = guess(&platform, "victim", PASSWORD).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!(wait.is_some_and(|seconds| (1..=60).contains(&seconds)), "{wait:?}");
    for _ in 0..2 {
        assert_eq!(
            guess(&platform, "other", PASSWORD).await.0,
            StatusCode::CREATED,
            "success does not count"
        );
    }
}

// threats.md row 41.
#[tokio::test]
async fn signing_keys_rotate_while_the_server_runs() {
    let mut platform = Platform::start(Options::default()).await;
    let before = platform.user("ann", "service").await;
    let keys = async |platform: &Platform| -> Vec<String> {
        let answer = platform.client().get(platform.url("/.well-known/jwks.json")).send().await;
        let set: Value = answer.expect("an answer").json().await.expect("JSON");
        let keys = set["keys"].as_array().expect("keys").iter();
        keys.map(|key| key["kid"].as_str().expect("kid").to_owned()).collect()
    };
    let first = keys(&platform).await;
    run(&platform, &["key", "rotate-signing"]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let both = keys(&platform).await;
    assert_eq!((both.len(), &both[1]), (2, &first[0]));
    assert_eq!(status(&before, "/doctors").await, StatusCode::OK, "the old key verifies on");
    let after = platform.sign_in("ann", PASSWORD).await;
    platform.stop().await;
    platform.restart().await;
    let (before, after) = (before.moved_to(&platform), after.moved_to(&platform));
    for session in [&before, &after] {
        assert_eq!(status(session, "/dicomweb/studies").await, StatusCode::OK, "after a restart");
    }
    run(&platform, &["key", "rotate-signing", "--drop-old"]);
    for session in [&before, &after] {
        refused_within_five_seconds(session, "drop-old").await;
    }
    assert_eq!(keys(&platform).await.len(), 1);
    platform.sign_in("ann", PASSWORD).await;
}

#[tokio::test]
async fn a_service_account_is_made_at_the_command_line() {
    let platform = Platform::start(Options::default()).await;
    let made = run(&platform, &["client", "add", "bridge", "--role", "service"]);
    let made = String::from_utf8_lossy(&made.stdout).into_owned();
    let value = |name: &str| {
        let line = made.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.split_whitespace().next().expect("a value").to_owned()
    };
    let (id, secret) = (value("client_id"), value("client_secret"));
    let ask = async || {
        let request = platform.client().post(platform.url("/oauth2/token")).basic_auth(&id, Some(&secret));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body("grant_type=client_credentials").send().await.expect("an answer")
    };
    let issued: Value = ask().await.json().await.expect("JSON");
    let token = issued["access_token"].as_str().expect("a token");
    let studies = platform.client().get(platform.url("/dicomweb/studies")).bearer_auth(token).send().await;
    assert!(studies.expect("an answer").status().is_success());
    run(&platform, &["client", "secret", "bridge"]);
    assert_eq!(ask().await.status(), StatusCode::UNAUTHORIZED, "the old secret");
    let refused = platform.command(&["client", "add", "x", "--role", "admin"]).output().expect("maxray runs");
    assert!(!refused.status.success());
}
