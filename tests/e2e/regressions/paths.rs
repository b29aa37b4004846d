//! threats.md rows 43, 46; A1, D10: paths that lead elsewhere. Classes: path traversal (CVE-2023-33466, CVE-2018-25113), open by
//! default (CVE-2026-105279, CVE-2025-0896), exec hooks and storage states in an API (CVE-2026-97851, CVE-2026-5663).

use reqwest::{Method, StatusCode};
use serde_json::Value;
use tests::{platform::Platform, synthetic::Synthetic};

use super::{MIB, quiet, raw, stow};

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// A1: whatever is done to a path, what is behind it is not had without a token, nor anything that is not a route.
#[tokio::test]
async fn paths_in_disguise_lead_nowhere() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let xray = Synthetic::cr("PATHS", 16, 16);
    assert_eq!(stow(&service, &xray.part10()).await.0, 200);
    let guard = platform.guard();
    let study = &xray.study_instance_uid;
    let paths = [
        "/dicomweb/../dicomweb/studies".to_owned(),
        "/dicomweb/../../patients".to_owned(),
        "/dicomweb/..%2f..%2fpatients".to_owned(),
        "/dicomweb/%2e%2e/%2e%2e/etc/passwd".to_owned(),
        "/readyz/../dicomweb/studies".to_owned(),
        "/readyz/%2e%2e/dicomweb/studies".to_owned(),
        "/docs/../dicomweb/studies".to_owned(),
        "/docs/../../../../etc/passwd".to_owned(),
        "/docs/..%2f..%2f..%2fetc%2fpasswd".to_owned(),
        "/docs/%00".to_owned(),
        "//dicomweb/studies".to_owned(),
        "/dicomweb//studies".to_owned(),
        "/DICOMWEB/studies".to_owned(),
        "/dicomweb/studies/".to_owned(),
        "/dicomweb/studies;x".to_owned(),
        "/dicomweb/studies%20".to_owned(),
        "/dicomweb/studies%00".to_owned(),
        "/dicomweb\\studies".to_owned(),
        "/%64icomweb/studies".to_owned(),
        format!("/dicomweb/studies/{study}/../{study}"),
        format!("/dicomweb/studies/{study}/series/..%2f..%2f..%2fx/metadata"),
        format!("/dicomweb/studies/{study}%2f..%2f{study}/metadata"),
        format!("http://localhost/dicomweb/studies/{study}/metadata"),
    ];
    for path in &paths {
        let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        let answer = raw(platform.http(), format!("{head}\r\n").as_bytes());
        assert!([400, 401, 404].contains(&status(&answer)), "{path} without a token: {answer:.80}");
        assert!(!answer.contains("root:"), "{path}: a file of the machine");
        assert!(!answer.contains(study.as_str()) || status(&answer) >= 400, "{path}: a study");
        // With a token they are what they are: a route, or nothing.
        let answer = raw(
            platform.http(),
            format!("{head}Authorization: Bearer {}\r\n\r\n", service.token()).as_bytes(),
        );
        assert!([200, 400, 404].contains(&status(&answer)), "{path} with a token: {answer:.80}");
        assert!(!answer.contains("root:"), "{path}: a file of the machine");
    }
    guard.check(&mut platform, 10 * MIB).await;
}

/// Row 38: without a token, and with any number of things that are none, only what is named is public.
#[tokio::test]
async fn nothing_is_open_by_default() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let xray = Synthetic::cr("OPEN", 16, 16);
    assert_eq!(stow(&service, &xray.part10()).await.0, 200);
    let guard = platform.guard();
    let instance = format!(
        "/dicomweb/studies/{}/series/{}/instances/{}",
        xray.study_instance_uid, xray.series_instance_uid, xray.sop_instance_uid
    );
    let tails =
        ["", "/metadata", "/rendered", "/thumbnail", "/frames/1", "/frames/1/rendered", "/bulkdata/7FE00010"];
    let mut paths: Vec<String> = tails.map(|tail| format!("{instance}{tail}")).to_vec();
    paths.extend(
        ["/dicomweb/studies", "/dicomweb/series", "/dicomweb/instances", "/xrays", "/doctors", "/events"]
            .map(str::to_owned),
    );
    let schemes: [Option<String>; 8] = [
        None,
        Some("Bearer".into()),
        Some("Bearer ".into()),
        Some("Bearer null".into()),
        Some("Basic YWRtaW46YWRtaW4=".into()),
        Some("Basic b3J0aGFuYzpvcnRoYW5j".into()),
        Some(format!("Token {}", service.token())),
        Some(format!("Bearer {}x", service.token())),
    ];
    for path in &paths {
        for scheme in &schemes {
            let mut request = platform.client().get(platform.url(path));
            if let Some(scheme) = scheme {
                request = request.header("Authorization", scheme);
            }
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path} with {scheme:?}");
        }
        // A token is taken from its header only: a URL is logged and passed on.
        for parameter in ["token", "access_token", "authToken"] {
            let joint = if path.contains('?') { '&' } else { '?' };
            let url = platform.url(&format!("{path}{joint}{parameter}={}", service.token()));
            let answer = platform.client().get(url).send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path} with ?{parameter}=");
        }
        let cookie = format!("access_token={0}; token={0}", service.token());
        let answer = platform
            .client()
            .get(platform.url(path))
            .header("Cookie", cookie)
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path} with a cookie");
    }
    guard.check(&mut platform, 20 * MIB).await;
}

/// CVE-2023-40704: there are no passwords that somebody else knows.
#[tokio::test]
async fn there_are_no_default_accounts() {
    let platform = Platform::start(quiet()).await;
    for (username, password) in [
        ("admin", "admin"),
        ("admin", "password"),
        ("admin", ""),
        ("orthanc", "orthanc"),
        ("maxray", "maxray"),
        ("root", "root"),
    ] {
        let body = serde_json::json!({ "username": username, "password": password });
        let answer =
            platform.client().post(platform.url("/sessions")).json(&body).send().await.expect("an answer");
        let status = answer.status().as_u16();
        assert!([401, 422, 429].contains(&status), "{username}/{password}: {status}");
    }
}

/// Row 46, CVE-2026-97851, CVE-2026-5663, CVE-2023-33466: no operation takes a path, a command, the state of an object or the
/// level of the log. A new one that does has to be thought about: this test reads every name in the API's description.
#[tokio::test]
async fn no_operation_names_files_commands_or_storage_states() {
    let platform = Platform::start(quiet()).await;
    let answer = platform.client().get(platform.url("/openapi.json")).send().await.expect("an answer");
    let document: Value = answer.json().await.expect("JSON");
    let mut names = Vec::new();
    let mut pending = vec![&document["paths"], &document["components"]["schemas"]];
    while let Some(value) = pending.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(Value::Object(properties)) = fields.get("properties") {
                    names.extend(properties.keys().cloned());
                }
                if let (Some(Value::String(name)), Some(_)) = (fields.get("name"), fields.get("in")) {
                    names.push(name.clone());
                }
                pending.extend(fields.values());
            }
            Value::Array(values) => pending.extend(values),
            _ => {}
        }
    }
    assert!(names.len() > 40, "only {} names in the description", names.len());
    for name in names {
        let bad = [
            "file_path",
            "filename",
            "directory",
            "path",
            "command",
            "exec",
            "script",
            "hook",
            "callback",
            "storage_state",
            "object_key",
            "log_level",
            "webhook",
            "url",
        ];
        assert!(!bad.contains(&name.as_str()), "an operation takes or gives {name}: is that wise?");
    }
    for path in [
        "/tools/execute-script",
        "/tools/bulk-delete",
        "/tools/log-level",
        "/modalities/x/store",
        "/peers",
        "/metrics/../",
    ] {
        let answer =
            platform.client().request(Method::POST, platform.url(path)).send().await.expect("an answer");
        assert!([404, 405].contains(&answer.status().as_u16()), "{path}: {}", answer.status());
    }
}
