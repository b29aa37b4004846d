//! A paramedic's uploader at the doors of the true program.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    multipart,
    platform::{Options, Platform},
    scu,
    synthetic::Synthetic,
};

// threats.md row 42; section 7, A5: it stores and sees its own, and is out when its paramedic is.
#[tokio::test]
async fn a_device_stores_sees_its_own_and_is_taken_back() {
    let platform = Platform::start(Options::default()).await;
    let others = Synthetic::cr("PAT-2", 32, 32);
    assert_eq!(scu::send_files(platform.dicom(), &[others.part10()]).expect("an association"), [0]);
    let paramedic = platform.user("para.medic", "paramedic").await;
    let device = paramedic.post_json("/devices", &json!({ "name": "tablet of car 3" })).await;
    let token = device["token"].as_str().expect("a token").to_owned();
    let ask = |method: Method, path: &str| {
        platform.client().request(method, platform.url(path)).bearer_auth(&token)
    };
    let own = Synthetic::cr("PAT-1", 32, 32);
    let stored = ask(Method::POST, "/dicomweb/studies")
        .header("Content-Type", multipart::content_type("b"))
        .body(multipart::encode("b", &[&own.part10()]))
        .send()
        .await
        .expect("an answer");
    assert_eq!(stored.status(), StatusCode::OK, "{:?}", stored.text().await);
    let found = ask(Method::GET, "/dicomweb/studies").header("Accept", "application/dicom+json").send().await;
    let found: Value = found.expect("an answer").json().await.expect("JSON");
    let studies: Vec<_> =
        found.as_array().expect("a list").iter().map(|study| &study["0020000D"]["Value"][0]).collect();
    assert_eq!(studies, [&json!(own.study_instance_uid)]);
    for path in ["/sessions", "/doctors", "/users", "/events", "/sessions/current", "/performed-steps"] {
        let status = ask(Method::GET, path).send().await.expect("an answer").status();
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    let path = format!("/sessions/{}", device["session_id"].as_str().expect("an id"));
    let ended = paramedic.request(Method::DELETE, &path).send().await.expect("an answer");
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    let refused = ask(Method::GET, "/dicomweb/studies").send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(!platform.log().contains(&token), "the token is in the log");
}
