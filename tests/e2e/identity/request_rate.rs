//! threats.md 3, rate limits: an account that asks for too much waits, and nobody waits for it.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde_json::Value;
use tests::{
    platform::{Options, Platform},
    session::Session,
};

/// In a minute nobody gets to more than this here.
const BURST: usize = 10;

async fn search(session: &Session) -> Response {
    session.get_as("/dicomweb/studies?limit=1", "application/dicom+json").await
}

#[tokio::test]
async fn an_account_that_asks_for_too_much_waits_alone() {
    let options = Options::default()
        .with("MAXRAY_IDENTITY__REQUESTS_PER_SECOND", "1")
        .with("MAXRAY_IDENTITY__REQUESTS_BURST", &BURST.to_string());
    let platform = Platform::start(options).await;
    let (greedy, other) = (platform.user("greedy", "viewer").await, platform.user("other", "viewer").await);
    let service = platform.user("service", "service").await;

    let mut refused = None;
    for _ in 0..4 * BURST {
        let answer = search(&greedy).await;
        if answer.status() != StatusCode::OK && answer.status() != StatusCode::NO_CONTENT {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("there is an end to it");
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait = refused.headers()["retry-after"].to_str().expect("text").parse::<u64>().expect("seconds");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let problem: Value = refused.json().await.expect("a problem");
    assert_eq!(problem["status"], 429, "{problem}");

    // The other door counts with it; others are served, and other programs without a limit.
    let elsewhere = greedy.get_as("/doctors", "application/json").await.status();
    assert_eq!(elsewhere, StatusCode::TOO_MANY_REQUESTS);
    assert!(search(&other).await.status().is_success());
    for _ in 0..3 * BURST {
        assert!(search(&service).await.status().is_success());
    }
    tokio::time::sleep(Duration::from_secs(wait)).await;
    assert!(search(&greedy).await.status().is_success(), "after Retry-After it goes on");
    assert!(platform.log().contains("identity.requests_per_second"), "the operator is told");
}
